"""The level `content`: which files differ and how much of them is the same. What is in them is git's text. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from karrots.diff.model import NOWHERE, Departure, LevelResult, ObjectKey, Origin, Score

if TYPE_CHECKING:
    from collections.abc import Mapping

    from karrots.diff.model import Change, Whose

    Files = Mapping[str, bytes]

REASON = "the files differ, and no identity is in them"


def content(a: Files, b: Files, base: Files | None = None) -> LevelResult:
    """Files by path below the two directories; `base` are those of the fork point."""
    paths = sorted(set(a) | set(b))
    departures = tuple(_departure(path, a, b, base) for path in paths if a.get(path) != b.get(path))
    equal = sum(alike(a.get(path), b.get(path)) for path in paths)
    return LevelResult("content", departures, Score(equal, len(paths)))


def alike(a: bytes | None, b: bytes | None) -> float:
    """The share of lines that both have, wherever they stand; never 1 for two that differ."""
    if a == b:
        return 1.0
    if a is None or b is None:
        return 0.0
    one, other = Counter(a.splitlines()), Counter(b.splitlines())
    lines = one.total() + other.total()
    return min(2 * (one & other).total() / lines, 0.99) if lines else 0.0


def _departure(path: str, a: Files, b: Files, base: Files | None) -> Departure:
    change: Change = "added" if path not in a else "removed" if path not in b else "changed"
    key = ObjectKey("", "file", "", path)
    left, right = (Origin(path) if path in side else NOWHERE for side in (a, b))
    who = whose(path, a, b, base)
    return Departure("content", key, "", change, "", "", "unexpected", REASON, left, right, whose=who)


def whose(path: str, a: Files, b: Files, base: Files | None) -> Whose:
    if base is None:
        return ""
    before = base.get(path)
    return "theirs" if a.get(path) == before else "mine" if b.get(path) == before else "both"
