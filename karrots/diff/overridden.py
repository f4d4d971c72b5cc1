"""Which settings an override brought about: those that differ with it, and not, or not so, without it. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from karrots.diff.model import Departure, LevelResult, ObjectKey, Origin

    Settings = Mapping[tuple[ObjectKey, str], tuple[str, str]]

REASON = "an override in the record: {}"


def settings(with_them: LevelResult, without: LevelResult) -> Settings:
    """Their values by object and path."""
    before = {(each.key, each.path): (each.a, each.b) for each in without.departures}
    after = {(each.key, each.path): (each.a, each.b) for each in with_them.departures}
    return {place: values for place, values in after.items() if before.get(place) != values}


def explained(result: LevelResult, found: Settings, keys: tuple[Sequence[str], Sequence[str]]) -> LevelResult:
    """Expected, where a setting has the values that overrides give it; `keys` are those of either side."""
    words = ", ".join(keys[0]), ", ".join(keys[1])
    departures = tuple(
        _expected(each, words) if found.get((each.key, each.path)) == (each.a, each.b) else each
        for each in result.departures
    )
    return replace(result, departures=departures)


def _expected(each: Departure, words: tuple[str, str]) -> Departure:
    if each.classed != "unexpected":
        return each
    reason = REASON.format(words[1] or words[0])
    origins = [_named(origin, key) for origin, key in zip((each.origin_a, each.origin_b), words, strict=True)]
    return replace(each, classed="expected", reason=reason, origin_a=origins[0], origin_b=origins[1])


def _named(origin: Origin, key: str) -> Origin:
    return replace(origin, override=key) if key else origin
