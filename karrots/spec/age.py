"""Ages as people write them: 45m, 8h, 7d, 2w."""

from __future__ import annotations

import re
from datetime import timedelta

from karrots.errors import UsageError

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_age(text: str) -> timedelta:
    match = re.fullmatch(r"([1-9][0-9]{0,3})([mhdw])", text)
    if not match:
        raise UsageError(f"'{text}' is not an age", why="an age is a number and one of m, h, d, w", hint="--ttl 7d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
