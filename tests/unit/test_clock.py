from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from karrots import clock, effects
from karrots.fleet import record
from karrots.fleet.record import new_id

if TYPE_CHECKING:
    from collections.abc import Iterator


class Wrong:
    """A clock that goes back a day at every reading."""

    def __init__(self) -> None:
        self.days = 0

    def next(self, site: str) -> None:
        """No faults, only the clock."""

    def skewed(self, moment: float) -> float:
        self.days += 1
        return moment - 86400 * self.days


@pytest.fixture
def _back_a_day_each_time() -> Iterator[None]:
    effects.arm(Wrong())
    yield
    effects.arm(None)


def test_a_time_is_utc_with_seconds() -> None:
    noon = datetime(2026, 11, 21, 12, tzinfo=timezone(timedelta(hours=5)))
    assert clock.stamp(noon) == "2026-11-21T07:00:00Z"
    assert clock.moment("2026-11-21T07:00:00Z") == noon
    assert clock.moment(clock.stamp()).tzinfo is UTC


@pytest.mark.parametrize("text", ["", "2026-11-21", "2026-11-21T07:00:00", "2026-13-45T07:00:00Z", "now"])
def test_other_forms_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"does not match|unconverted|out of range"):
        clock.moment(text)


@pytest.mark.usefixtures("_back_a_day_each_time")
def test_ids_rise_though_the_clock_goes_back() -> None:
    ids = [new_id() for _ in range(50)]
    assert ids == sorted(set(ids))


def test_an_id_rises_above_one_from_the_future(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "_newest", [""])
    assert new_id("7zzzzzzzzzzzzzzzzzzzzzzzzx") == "7zzzzzzzzzzzzzzzzzzzzzzzzy"
    assert new_id("7zzzzzzzzzzzzzzzzzzzzzzzzz") < "1"  # there is none above
    assert new_id("no id") < "7"


def test_what_is_no_id_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "_newest", [""])
    for text in ("", "x", "zzzzzzzzzzzzzzzzzzzzzzzzzz", "uuuuuuuuuuuuuuuuuuuuuuuuuu"):
        assert new_id(text) < "1"
