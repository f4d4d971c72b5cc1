"""What the benchmarks make of their runs: medians, ratios, verdicts, the table."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import __main__ as program
from benchmarks import runner, suite, table
from benchmarks.quiet import Quiet
from benchmarks.row import KARROTS, Bench, Contest, Reading, Result, Row, Run, Target, Unit, Verdict, Wrong, row
from karrots.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

BENCH = Bench(Path("engine"), None, "not built")
TIMES = st.floats(min_value=1e-4, max_value=1e4)


def a_row(target: Target | None = None, unit: Unit = Unit.seconds, *, often: int = 1, long: bool = False) -> Row:
    @row("thing", "a thing", target, unit=unit, often=often, long=long)
    def thing(_: Bench) -> Iterator[Contest]:
        yield Contest(lambda: Reading(1.0))

    return thing


def result(
    ours: list[float],
    theirs: list[float] | None = None,
    target: Target | None = None,
    failures: dict[str, str] | None = None,
) -> Result:
    runs = {KARROTS: ours} | ({"peer": theirs} if theirs is not None else {})
    readings = {name: tuple(map(Reading, values)) for name, values in runs.items()}
    return Result(a_row(target), readings, failures or {})


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (result([1.0, 9.0, 2.0], target=Target(most=2.0)), Verdict.met),
        (result([2.1], target=Target(most=2.0)), Verdict.short),
        (result([1.0], [3.0], Target(times=3.0)), Verdict.met),
        (result([1.0], [2.9], Target(times=3.0)), Verdict.short),
        (result([1.0], [0.9], Target(most=2.0, aim=1.0)), Verdict.aim_short),
        (result([1.0], [1.0], Target(most=2.0, aim=1.0)), Verdict.met),
        (result([3.0], [9.0], Target(most=2.0, aim=1.0)), Verdict.short),
        (result([1.0], [9.0]), Verdict.open),
        (result([], target=Target(most=2.0)), Verdict.wrong),
        (result([0.1], target=Target(most=2.0), failures={KARROTS: "nothing is live"}), Verdict.wrong),
    ],
)
def test_verdicts(found: Result, verdict: Verdict) -> None:
    assert found.verdict is verdict


def test_a_peer_that_failed_proves_nothing() -> None:
    found = result([1.0], target=Target(times=3.0), failures={"peer": "it did not start"})
    assert found.peers == ["peer"]
    assert found.verdict is Verdict.short
    assert "a thing: peer failed: it did not start" in table.render([found], {})


@given(TIMES, TIMES)
def test_a_ratio_above_one_means_that_karrots_takes_less(ours: float, theirs: float) -> None:
    ratio = result([ours], [theirs]).ratio("peer")
    assert ratio is not None
    assert (ratio >= 1) == (theirs >= ours)


@given(st.lists(TIMES, min_size=1))
def test_the_median_is_one_of_the_runs_or_between_two(values: list[float]) -> None:
    found = result(values).median()
    assert found is not None
    assert min(values) <= found <= max(values)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, Unit.seconds, "-"),
        (0.0029, Unit.seconds, "2.9 ms"),
        (0.0354, Unit.seconds, "35 ms"),
        (0.9994, Unit.seconds, "999 ms"),
        (0.9996, Unit.seconds, "1.00 s"),
        (4.214, Unit.seconds, "4.21 s"),
        (123.4, Unit.seconds, "123 s"),
        (2.0**30, Unit.bytes, "1024 MiB"),
    ],
)
def test_quantities(value: float | None, unit: Unit, text: str) -> None:
    assert table.quantity(value, unit) == text


def test_targets_in_words() -> None:
    assert table.target(Target(most=5.0, aim=1.0), Unit.seconds) == "≤ 5.00 s, aim: ratio ≥ 1"
    assert table.target(Target(times=3.0), Unit.seconds) == "ratio ≥ 3"
    assert table.target(Target(), Unit.seconds) == ""


def test_the_table_has_a_line_for_each_peer() -> None:
    runs = {name: (Reading(value),) for name, value in ((KARROTS, 2.0), ("one", 3.0), ("other", 1.0))}
    text = table.render([Result(a_row(Target(most=1.0)), runs)], {"computer": "2 cores"}).splitlines()
    assert text[1].split() == ["a", "thing", "2.00", "s", "one", "3.00", "s", "1.50", "≤", "1.00", "s", "short"]
    assert text[2].split() == ["other", "1.00", "s", "0.50"]
    assert text[-1] == "computer: 2 cores"


def test_what_was_seen_beside_is_shown_by_its_median() -> None:
    found = Result(a_row(), {KARROTS: tuple(Reading(1.0, {"apply": value}) for value in (0.1, 0.2, 0.9))})
    assert found.beside() == {"apply": 0.2}
    assert "a thing: karrots: apply 200 ms" in table.render([found], {})


def test_the_table_as_markdown() -> None:
    text = table.markdown([result([1.0], [2.0], Target(times=3.0))])
    assert text.splitlines()[2] == "| a thing | 1.00 s | peer | 2.00 s | 2.00 | ratio ≥ 3 | short |"
    assert {line.count("|") for line in text.splitlines()} == {8}


class Clock:
    """Contenders that count their runs."""

    def __init__(self, *failing: str) -> None:
        self.order: list[str] = []
        self.failing = failing

    def contest(self) -> Contest:
        return Contest(self.run(KARROTS), {"peer": self.run("peer")})

    def run(self, name: str) -> Run:
        def run() -> Reading:
            self.order.append(name)
            if name in self.failing:
                raise Wrong(f"{name} is wrong")
            return Reading(float(len(self.order)))

        return run


def contend(clock: Clock, count: int) -> Result:
    return runner.contend(a_row(), clock.contest(), count, lambda: True)


def test_contenders_take_turns_and_the_first_round_is_not_counted() -> None:
    clock = Clock()
    found = contend(clock, 2)
    assert clock.order == [KARROTS, "peer", "peer", KARROTS, KARROTS, "peer"]
    assert [reading.value for reading in found.runs[KARROTS]] == [4.0, 5.0]


def test_a_wrong_result_ends_the_row_however_fast_it_was() -> None:
    clock = Clock(KARROTS)
    found = contend(clock, 5)
    assert found.verdict is Verdict.wrong
    assert found.failure == "karrots is wrong"
    assert clock.order.count(KARROTS) == 1


def test_a_peer_that_fails_drops_out() -> None:
    clock = Clock("peer")
    found = contend(clock, 3)
    assert clock.order.count("peer") == 1
    assert len(found.runs[KARROTS]) == 3
    assert found.median("peer") is None


def test_a_program_that_takes_too_long_ends_its_row_and_not_the_bench() -> None:
    """What was measured before it would be lost."""

    def slow() -> Reading:
        raise subprocess.TimeoutExpired(["karrots", "destroy"], 180.0)

    found = runner.contend(a_row(), Contest(slow), 1, lambda: True)
    assert "timed out after 180.0 seconds" in found.failure


def test_a_row_is_told_when_it_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    found = result([1.0, 2.0], [3.0], Target(most=5.0))
    assert program.told(found) is found
    assert "1.50 s" in capsys.readouterr().err


def test_a_scene_that_cannot_be_set_is_a_failed_row() -> None:
    def stage(_: Bench) -> AbstractContextManager[Contest]:
        raise Wrong("no room")

    found = runner.measure(Row("x", "x", Unit.seconds, Target(), stage), BENCH, 5, lambda _: None, lambda: True)
    assert found.failure == "no room"


def test_rounds_beside_other_work_are_counted_and_shown() -> None:
    calm = iter([False, True, False, False])
    found = runner.contend(a_row(), Clock().contest(), 3, lambda: next(calm))
    assert found.disturbed == 2, "the round that is not counted is not disturbed"
    assert "a thing: 2 rounds beside other work" in table.render([found], {})


def test_waiting_for_a_quiet_computer_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = iter([90.0, 30.0, 5.0])
    monkeypatch.setattr("psutil.cpu_percent", lambda _: next(busy))
    calm = Quiet(60.0, look_seconds=0)
    assert calm()
    assert not next(busy, None)
    monkeypatch.setattr("psutil.cpu_percent", lambda _: 90.0)
    assert not Quiet(0.0, look_seconds=0)()


def test_rounds() -> None:
    assert runner.rounds(a_row(), 5) == 5
    assert runner.rounds(a_row(often=4), 5) == 20
    assert runner.rounds(a_row(long=True), 5) == 3
    assert runner.rounds(a_row(long=True), 1) == 1


def test_rows_are_chosen_by_name() -> None:
    assert [one.name for one in suite.chosen(["sync", "branch"])] == ["sync", "branch"]
    assert len(suite.chosen([])) == len(suite.ROWS)
    with pytest.raises(UsageError, match="there is no row 'brunch'"):
        suite.chosen(["brunch"])


def test_an_unknown_row_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["brunch"]) == 2
    assert "the rows: engine-api, " in capsys.readouterr().err


def test_the_document_is_json_and_holds_every_run() -> None:
    found = result([1.0, 2.0], [3.0], Target(most=5.0))
    document = json.loads(json.dumps(program.document([found], {"when": "now"})))
    ours, peer = document["rows"][0]["contenders"]
    assert ours == {
        "name": "karrots", "median": 1.5, "ratio": None, "runs": [1.0, 2.0], "beside": {}, "failure": "",
    }  # fmt: skip
    assert peer["ratio"] == 2.0
    assert document["rows"][0]["verdict"] == "met"
