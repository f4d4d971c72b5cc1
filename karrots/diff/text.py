"""A comparison as people read it: the scores first, then object by object, riskiest first. Pure."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from karrots.diff.document import groups
from karrots.report.tables import table
from karrots.report.text import clean, count_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from karrots.diff.document import Difference, Differences, Group, LevelScore
    from karrots.diff.model import Departure, Origin
    from karrots.diff.sides import Setting

SIGNS = {"added": "+", "removed": "-", "changed": "~"}
WHOLE = "the whole object"
LONGEST = 2_000  # characters of a value
LONGEST_LINES = 40
ONE_LINE = 60


def text(found: Difference, columns: int | None) -> str:
    parts = [headline(found), *_scores(found, columns), *_troubles(found)]
    for level in found.levels:
        parts += _level(found, level)
    if found.patch:
        parts += ["\n", found.patch]
    parts += _settings("overrides", found.overrides)
    parts += _settings("identity (always differs)", found.identity)
    return clean("".join(parts))


def many(found: Differences, columns: int | None, *, stat: bool = False) -> str:
    one = summary if stat else text
    head = ("COMPARED WITH " + found.parent, "ZERO-DIFF", "UNEXPECTED", "EXPECTED", "LEVELS")
    rows = [_row(each) for each in found.compared]
    return table(head, rows, width=columns) + "".join("\n" + one(each, columns) for each in found.compared)


def _row(each: Difference) -> tuple[str, ...]:
    unexpected, expected = (str(sum(getattr(s, name) for s in each.scores)) for name in ("unexpected", "expected"))
    return each.b.label, percent(each.percent), unexpected, expected, ", ".join(each.levels)


def headline(found: Difference) -> str:
    files = count_text(len(found.files), "file")
    content = f"{files} of content differ" if found.files else "same content"
    said = [content] if "content" in found.levels or not found.scores else []
    compared = [each for each in found.scores if each.compared]
    said += [f"zero-diff {percent(found.percent)}"] if compared else []
    return _line(f"{found.a.label} → {found.b.label}: {', '.join(said) or 'nothing could be compared'}")


def percent(value: float) -> str:
    """Never rounded up: 100 % means that nothing differs."""
    return "100 %" if value >= 100 else f"{value:.2f} %"


def _scores(found: Difference, columns: int | None) -> list[str]:
    head = ("LEVEL", "ZERO-DIFF", "OBJECTS", "DIFFER", "UNEXPECTED", "EXPECTED", "RUNTIME")
    return ["\n", table(head, [_score_row(each) for each in found.scores], width=columns)] if found.scores else []


def _score_row(score: LevelScore) -> tuple[str, ...]:
    if not score.compared:
        return score.level, "not compared", "-", "-", "-", "-", "-"
    counts = (score.total, score.objects, score.unexpected, score.expected, score.runtime)
    return score.level, percent(score.percent), *map(str, counts)


def _troubles(found: Difference) -> Iterator[str]:
    for each in found.troubles:
        place = f"{each.path}:{each.line}: " if each.line else f"{each.path}: " if each.path else ""
        who = f"{each.side}: " if each.side else ""
        yield _line(f"! {each.level}: {who}{place}{each.message}")
        yield from (_line(f"    try: {line}") for line in each.hint.splitlines())


def summary(found: Difference, columns: int | None) -> str:
    """The scores, and one line an object."""
    told = [group for group in groups(found.departures) if group.level != "content"]
    rows = [(each.level, str(each.key), each.risk or "-", _counts(each)) for each in told]
    listing = ["\n", table(("LEVEL", "OBJECT", "RISK", "DIFFERENCES"), rows, width=columns)] if rows else []
    patch = ["\n", found.patch] if found.patch else []
    return clean("".join([headline(found), *_scores(found, columns), *_troubles(found), *listing, *patch]))


def _counts(group: Group) -> str:
    return ", ".join(f"{number} {name}" for name, number in group.counts.items())


def _level(found: Difference, level: str) -> Iterator[str]:
    told = groups(each for each in found.departures if each.level == level)
    if not told or level == "content":  # git's text says the same and more
        return
    yield f"\n{level}: {count_text(len(told), 'object')} {'differs' if len(told) == 1 else 'differ'}\n"
    for group in told:
        yield "\n" + _line(f"  {group.key}")
        for each in group.departures:
            yield from _departure(each, found.labels)


def _departure(each: Departure, labels: tuple[str, str]) -> Iterator[str]:
    yield _line(f"    {SIGNS[each.change]} {each.path or WHOLE}")
    yield from _risk(each)
    yield from (_line(f"        {line}") for line in values(each))
    yield _line(f"        {each.classed}: {each.reason}" if each.reason else f"        {each.classed}")
    yield from (_line(f"        {line}") for line in places(each, labels))


def _risk(each: Departure) -> Iterator[str]:
    if each.risk:
        yield _line(f"        !! {each.risk}: {each.risk_reason}" if each.risk_reason else f"        !! {each.risk}")


def values(each: Departure) -> list[str]:
    """Both values in one line where that is short, else as lines of a diff."""
    if not each.path:
        return []
    if "\n" in each.a + each.b:
        return compared_lines(each.a, each.b)
    a, b = shortened(each.a), shortened(each.b)
    if each.change == "changed" and len(a) + len(b) <= ONE_LINE:
        return [f"{a or chr(34) * 2} → {b or chr(34) * 2}"]
    return [f"- {a}"] * (each.change != "added") + [f"+ {b}"] * (each.change != "removed")


def compared_lines(a: str, b: str) -> list[str]:
    told = difflib.unified_diff(a.splitlines(), b.splitlines(), lineterm="", n=1)
    lines = [shortened(line) for line in told if not line.startswith(("--- ", "+++ ", "@@"))]
    over = len(lines) - LONGEST_LINES
    return [*lines[:LONGEST_LINES], f"… {count_text(over, 'line')} more"] if over > 0 else lines


def shortened(value: str) -> str:
    return value if len(value) <= LONGEST else f"{value[:LONGEST]}… ({len(value)} characters)"


def places(each: Departure, labels: tuple[str, str]) -> list[str]:
    """Where it is from, both sides where they do not say the same; and who left the fork point."""
    a, b = place(each.origin_a), place(each.origin_b)
    found = [said for said in (a, b) if said]
    if a and b and a != b:
        found = [f"{a} ({labels[0]})", f"{b} ({labels[1]})"]
    whose = {
        "mine": f"changed since the fork point in {labels[0]} alone",
        "theirs": f"changed since the fork point in {labels[1]} alone",
        "both": "changed since the fork point in both, and differently",
    }
    return [*dict.fromkeys(found), *([whose[each.whose]] if each.whose else [])]


def place(origin: Origin) -> str:
    file = f"{origin.path}:{origin.line}" if origin.line else origin.path
    named = (
        ("Kustomization", origin.kustomization), ("HelmRelease", origin.helm_release),
        ("override", origin.override), ("written by", origin.manager),
    )  # fmt: skip
    parts = [*([file] if file else []), *(f"{what} {name}" for what, name in named if name)]
    come_from = "" if not parts or parts == [f"written by {origin.manager}"] else "from "
    return come_from + ", ".join(parts)


def names(found: Difference) -> list[str]:
    """One word a difference, for scripts."""
    return [
        *(file.path for file in found.files),
        *(str(g.key) for g in groups(found.departures) if g.level != "content"),
    ]


def _settings(title: str, settings: Sequence[Setting]) -> list[str]:
    if not settings:
        return []
    widest = max(len(s.key) for s in settings)
    return [
        f"\n{title}\n",
        *(f"  {clean(s.key):{widest}}  {clean(s.a) or '-'} → {clean(s.b) or '-'}\n" for s in settings),
    ]


def _line(text: str) -> str:
    """One line, whatever breaks it."""
    return " ".join(clean(text).splitlines()).rstrip() + "\n"
