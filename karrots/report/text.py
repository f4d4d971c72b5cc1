"""Words and numbers as people read them; nothing from outside may steer the terminal."""

from __future__ import annotations

import datetime as dt
import unicodedata

KEPT = {"\n", "\t"}
_CONTROLS = {code: None for code in (*range(32), 127) if chr(code) not in KEPT}


def clean(text: str) -> str:
    """`text` without control characters (C0, C1, escape sequences, direction overrides) that others may have put in."""
    if text.isascii():  # a hundred times as fast, and most texts are
        return text.translate(_CONTROLS)
    return "".join(c for c in text if c in KEPT or unicodedata.category(c) not in ("Cc", "Cf", "Cs"))


def seconds_text(seconds: float) -> str:
    """0.8 s, 12 s, 3 min 05 s."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def age_text(when: str, now: dt.datetime) -> str:
    """How long ago an RFC 3339 time was, in its largest unit: 40s, 5m, 3h, 12d; negative times read 'in 3h'."""
    try:
        moment = dt.datetime.fromisoformat(when)
        return span_text((now - moment).total_seconds())
    except (ValueError, TypeError):  # no time, or one without a zone
        return "?"


def span_text(seconds: float) -> str:
    if seconds < 0:
        return f"in {span_text(-seconds)}"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"


def count_text(number: int, noun: str) -> str:
    """1 object, 2 objects."""
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number} {noun if number == 1 else plural}"
