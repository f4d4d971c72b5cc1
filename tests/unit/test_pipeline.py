"""Steps look, act and look again; the journal tells and decides nothing."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from karrots import computer, places
from karrots.errors import ExitCode, Failed, Interrupted, Refused
from karrots.pipeline import (
    RUNS_KEPT,
    Done,
    Needed,
    Pipeline,
    Run,
    journal_lines,
    past_runs,
    usual_seconds,
)
from karrots.report.events import StepFailed, StepFinished, StepPlanned, StepSkipped, StepStarted
from karrots.report.reporters import RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass
class World:
    """What the steps of these tests look at."""

    made: set[str] = field(default_factory=set)


@dataclass
class Make:
    """A step that makes one thing; `act` is what it does instead."""

    name: str
    act: Callable[[], object] | None = None

    @property
    def title(self) -> str:
        return f"make {self.name}"

    def check(self, world: World) -> Done | Needed:
        return Done("it is there") if self.name in world.made else Needed("it is missing")

    def run(self, world: World) -> str:
        if self.act is not None:
            self.act()
        else:
            world.made.add(self.name)
        return "a word on it"


def raising(error: BaseException) -> Callable[[], object]:
    def act() -> object:
        raise error

    return act


def begun(run_id: str = "01run", resume: str = "karrots create") -> tuple[Run, RecordingReporter]:
    reporter = RecordingReporter()
    return Run.begin(run_id, "create", "qa", reporter, resume=resume), reporter


def journal(run: Run) -> list[tuple[str, str]]:
    return [(str(line["what"]), str(line.get("step", ""))) for line in journal_lines(run.folder)]


def test_what_is_done_is_skipped_and_what_is_needed_is_made() -> None:
    run, reporter = begun()
    world = World({"a"})
    Pipeline([Make("a"), Make("b")], run).execute(world)
    assert world.made == {"a", "b"}
    assert [type(event) for event in reporter.events] == [StepSkipped, StepStarted, StepFinished]
    assert journal(run) == [("begun", ""), ("skipped", "a"), ("intent", "b"), ("done", "b"), ("finished", "")]


def test_running_again_goes_on_with_the_journal_deleted() -> None:
    world = World()
    run, _ = begun()
    with pytest.raises(Failed):
        Pipeline([Make("a"), Make("b", raising(Failed("no")))], run).execute(world)
    run.journal.unlink()
    again, reporter = begun("02run")
    Pipeline([Make("a"), Make("b")], again).execute(world)
    assert world.made == {"a", "b"}
    assert [event.step for event in reporter.of(StepSkipped) if isinstance(event, StepSkipped)] == ["a"]


def test_a_step_that_changed_nothing_has_failed() -> None:
    run, reporter = begun()
    with pytest.raises(Failed, match="ran without an error, but the world does not show it") as caught:
        Pipeline([Make("a", lambda: None)], run).execute(World())
    assert caught.value.why == "it is missing"
    assert [type(event) for event in reporter.events] == [StepStarted, StepFailed]


def test_a_failure_gets_the_log_and_the_command_that_goes_on() -> None:
    run, _ = begun()
    with pytest.raises(Refused) as caught:
        Pipeline([Make("a", raising(Refused("no")))], run).execute(World())
    assert (caught.value.hint, caught.value.log) == ("karrots create", run.folder)
    assert journal(run)[-1] == ("failed", "a")


def test_a_hint_of_its_own_is_kept() -> None:
    run, _ = begun()
    with pytest.raises(Refused) as caught:
        Pipeline([Make("a", raising(Refused("no", hint="do this")))], run).execute(World())
    assert caught.value.hint == "do this"


def test_an_interruption_says_where_it_was() -> None:
    run, _ = begun()
    with pytest.raises(Interrupted, match="create qa was interrupted at 'b'") as caught:
        Pipeline([Make("a"), Make("b", raising(KeyboardInterrupt()))], run).execute(World())
    assert caught.value.code is ExitCode.INTERRUPTED
    assert caught.value.hint == "karrots create"
    assert journal(run)[-1] == ("interrupted", "b")


def test_a_full_disk_is_told_as_what_it_is() -> None:
    run, _ = begun()
    with pytest.raises(Failed, match="'/x' cannot be used") as caught:
        Pipeline([Make("a", raising(OSError(28, "No space left on device", "/x")))], run).execute(World())
    assert caught.value.log == run.folder
    assert journal(run)[-1] == ("failed", "a")


def test_a_failure_is_told_even_when_the_journal_cannot_be_written() -> None:
    run, _ = begun()

    def lose_the_folder() -> None:
        run.journal.unlink()
        run.folder.rmdir()
        raise Failed("the first cause")

    with pytest.raises(Failed, match="the first cause"):
        Pipeline([Make("a", lose_the_folder)], run).execute(World())


def test_a_mistake_of_ours_is_not_dressed_up() -> None:
    run, _ = begun()
    with pytest.raises(ZeroDivisionError):
        Pipeline([Make("a", raising(ZeroDivisionError()))], run).execute(World())
    assert journal(run)[-1] == ("failed", "a"), "the journal has an end, or the run would look killed"


def test_a_dry_run_looks_and_does_not_act() -> None:
    run, reporter = begun()
    world = World({"a"})
    planned = Pipeline([Make("a"), Make("b")], run).dry_run(world)
    assert world.made == {"a"}
    assert [(step.step, step.needed) for step in planned] == [("a", False), ("b", True)]
    assert list(reporter.of(StepPlanned)) == planned


def test_a_run_is_private() -> None:
    run, _ = begun()
    assert stat.S_IMODE(run.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(run.journal.stat().st_mode) == 0o600


def test_a_line_that_a_kill_cut_short_is_passed_over() -> None:
    run, _ = begun()
    with run.journal.open("a") as file:
        file.write('{"at": 1, "wh')
    assert journal(run) == [("begun", "")]
    assert list(journal_lines(run.folder / "none")) == []


def test_old_runs_are_forgotten() -> None:
    for number in range(RUNS_KEPT + 5):
        begun(f"{number:04}")[0].write("finished")
    names = [folder.name for folder in past_runs()]
    assert len(names) == RUNS_KEPT
    assert names[0] == f"{RUNS_KEPT + 4:04}"


def test_runs_at_work_are_not_forgotten() -> None:
    """However many there are at once: their journals, plans and Terraform's own folders are in there."""
    for number in range(RUNS_KEPT + 5):
        begun(f"{number:04}")
    assert len(past_runs()) == RUNS_KEPT + 5
    just_made = places.private_folder(places.runs() / "0000-just-made")
    begun("9999")[0].write("finished")
    assert just_made.is_dir()


def test_a_killed_run_is_forgotten_but_not_the_state_it_holds() -> None:
    """Terraform left it there, and the next run takes it over."""
    gone = computer.born(os.getpid()) + "0"
    for name in ("0000", "0001"):
        begun(name)
        (places.runs() / name / "journal.jsonl").write_text(
            f'{{"at": 1, "what": "begun", "pid": 1, "born": "{gone}"}}\n'
        )
    left = places.private_folder(places.runs() / "0000" / "terraform") / "errored.tfstate"
    left.write_text("{}")
    for number in range(1000, 1000 + RUNS_KEPT):
        begun(f"{number}")[0].write("finished")
    assert left.is_file()
    assert not (places.runs() / "0001").exists()


def test_a_run_that_somebody_else_forgets_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(RUNS_KEPT + 1):
        begun(f"{number:04}")[0].write("finished")

    def gone(*_: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr("pathlib.Path.glob", gone)
    begun("9999")


def test_usual_seconds_are_medians_of_finished_runs() -> None:
    for number, seconds in enumerate((1.0, 3.0, 90.0)):
        written(f"{number:04}", "create", seconds, "finished")
    written("0100", "create", 1000.0, "failed")
    written("0101", "destroy", 1000.0, "finished")
    assert usual_seconds("create") == {"a": 3.0, "": 3.0}
    assert usual_seconds("branch") == {}


def written(run_id: str, verb: str, seconds: float, end: str) -> None:
    folder = places.private_folder(places.runs() / run_id)
    lines: list[dict[str, object]] = [
        {"at": 0, "what": "begun", "verb": verb, "cluster": "qa", "pid": os.getpid()},
        {"at": 1, "what": "done", "step": "a", "seconds": seconds},
        {"at": 2, "what": end, "seconds": seconds},
    ]
    (folder / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.mark.parametrize(
    "line",
    [
        b"\xff", b"[]", b"7", b"{}", b'{"at": 1}', b'{"what": "begun"}', b'{"at": "1", "what": "begun"}',
        b'{"at": 1, "what": 7}',
        b'{"at": 1, "what": "done", "seconds": "long"}', b'{"at": NaN, "what": "done"}',
        b'{"at": 1e300, "what": "done"}',
        b'{"at": 1, "what": "done", "step": []}', b"[" * 9999,
    ],
)  # fmt: skip
def test_a_line_of_another_form_is_passed_over(line: bytes, tmp_path: Path) -> None:
    good = b'{"at": 1, "what": "finished"}'
    (tmp_path / "journal.jsonl").write_bytes(line + b"\n" + good + b"\n")
    assert list(journal_lines(tmp_path)) == [json.loads(good)]
