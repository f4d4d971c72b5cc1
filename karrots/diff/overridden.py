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


def explained(result: LevelResult, found: Settings, keys: Sequence[str]) -> LevelResult:
    """Expected, with the keys of the overrides, where a setting has the values that these give it."""
    words = ", ".join(keys)
    departures = tuple(
        _expected(each, words) if found.get((each.key, each.path)) == (each.a, each.b) else each
        for each in result.departures
    )
    return replace(result, departures=departures)


def _expected(each: Departure, words: str) -> Departure:
    if each.classed != "unexpected":
        return each
    origins = [_named(origin, words) for origin in (each.origin_a, each.origin_b)]
    return replace(each, classed="expected", reason=REASON.format(words), origin_a=origins[0], origin_b=origins[1])


def _named(origin: Origin, words: str) -> Origin:
    return replace(origin, override=words)
