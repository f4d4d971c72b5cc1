"""Against the fork point: who left it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from karrots.diff.model import Departure, LevelResult, ObjectKey, Problem, Whose


def against(result: LevelResult, mine: LevelResult, theirs: LevelResult) -> LevelResult:
    """`result` compares mine (a) with theirs (b); the others compare the fork point with each of the two."""
    left, right = _by_object(mine.departures), _by_object(theirs.departures)
    departures = tuple(replace(each, whose=_whose(each, left, right)) for each in result.departures)
    return replace(result, departures=departures, problems=_problems(result, mine, theirs))


def _problems(*results: LevelResult) -> tuple[Problem, ...]:
    return tuple(dict.fromkeys(problem for result in results for problem in result.problems))


def _by_object(departures: Iterable[Departure]) -> dict[ObjectKey, list[str]]:
    found: dict[ObjectKey, list[str]] = {}
    for each in departures:
        found.setdefault(each.key, []).append(each.path)
    return found


def _whose(each: Departure, mine: dict[ObjectKey, list[str]], theirs: dict[ObjectKey, list[str]]) -> Whose:
    by_me = any(_touches(path, each.path) for path in mine.get(each.key, ()))
    by_them = any(_touches(path, each.path) for path in theirs.get(each.key, ()))
    if by_me and by_them:
        return "both"
    return "theirs" if by_them else "mine" if by_me else ""


def _touches(a: str, b: str) -> bool:
    """Whether one of two settings is, or holds, the other."""
    short, long = sorted((a, b), key=len)
    return long == short or not short or (long.startswith(short) and long[len(short)] in ".[")
