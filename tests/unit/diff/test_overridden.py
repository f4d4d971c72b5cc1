"""What an override brought about, told from what somebody changed besides."""

from __future__ import annotations

from dataclasses import replace

from karrots.diff.model import LevelResult, Origin, Score
from karrots.diff.overridden import explained, settings
from tests.unit.diff.samples import IMAGE, LEVEL

SET = replace(LEVEL, classed="unexpected", reason="nothing", origin_b=Origin("settings.yaml", 3))
KEYS: tuple[list[str], list[str]] = ([], ["variables.log_level"])


def result(*departures: object) -> LevelResult:
    return LevelResult("live", departures, Score(0, 1))  # type: ignore[arg-type]


def test_what_is_gone_without_the_override_is_expected() -> None:
    found = settings(result(SET, IMAGE), result(IMAGE))
    told, other = explained(result(SET, IMAGE), found, KEYS).departures
    assert (told.classed, told.reason) == ("expected", "an override in the record: variables.log_level")
    assert (told.origin_a, told.origin_b) == (SET.origin_a, Origin("settings.yaml", 3, override="variables.log_level"))
    assert other == IMAGE


def test_a_value_that_the_override_does_not_give_is_somebody_elses() -> None:
    found = settings(result(SET), result())
    edited = replace(SET, b="warn")
    assert explained(result(edited), found, KEYS).departures == (edited,)


def test_what_differs_otherwise_without_it_is_expected_too() -> None:
    found = settings(result(SET), result(replace(SET, b="debug")))
    assert explained(result(SET), found, KEYS).departures[0].classed == "expected"
    runtime = replace(SET, classed="runtime")
    assert explained(result(runtime), found, KEYS).departures == (runtime,)
