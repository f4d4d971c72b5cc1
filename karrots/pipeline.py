"""Operations are tuples of steps; a step looks, acts, and looks again.

Truth is what a step's `check` observes. The journal tells what was begun, for people, for timings and for a later
look; deleting it changes no outcome.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from karrots import clock, computer, files, places
from karrots.errors import Failed, Interrupted, KarrotsError, LoginNeeded, UsageError
from karrots.report.events import (
    Noted,
    StepFailed,
    StepFinished,
    StepPlanned,
    StepProgress,
    StepSkipped,
    StepStarted,
    Warned,
)
from karrots.report.system import refusal
from karrots.spec import json_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from karrots.report.events import Reporter

JOURNAL_BYTES = 16 * 2**20
JOURNAL_TEXTS = {"what", "step", "why", "message", "verb", "cluster", "resume"}
JOURNAL_NUMBERS = {"at", "seconds", "pid"}
LATEST = 2.5e11  # seconds; the clock of Python ends with the year 9999
RUNS_KEPT = 50
ENDS = ("finished", "failed", "interrupted", "looked")  # what the last line of a journal says
AGE_OF_THE_EMPTY = 3600.0  # seconds; a run makes its folder before its journal
RUNS_READ_FOR_TIMINGS = 20


@dataclass(frozen=True)
class Done:
    why: str


@dataclass(frozen=True)
class Needed:
    why: str


ContextT_contra = TypeVar("ContextT_contra", contravariant=True)


class Step(Protocol[ContextT_contra]):
    """`name` is stable and goes into journals, `title` is shown. `run` may return a few words on what came of it."""

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...

    def check(self, ctx: ContextT_contra, /) -> Done | Needed: ...

    def run(self, ctx: ContextT_contra, /) -> str | None: ...


@dataclass
class Run:
    """One execution of an operation: a private folder with a journal and the tools' logs."""

    id: str
    verb: str
    cluster: str
    folder: Path
    reporter: Reporter
    resume: str = ""
    began: float = field(default_factory=time.monotonic)
    current: str = ""
    expected: float | None = None

    @classmethod
    def begin(cls, run_id: str, verb: str, cluster: str, reporter: Reporter, *, resume: str = "") -> Run:
        """`resume` is the command that goes on after a failure."""
        folder = places.private_folder(places.runs() / run_id)
        run = cls(run_id, verb, cluster, folder, reporter, resume)
        run.write("begun", verb=verb, cluster=cluster, pid=os.getpid(), born=computer.born(os.getpid()), resume=resume)
        forget_old_runs()
        return run

    @property
    def journal(self) -> Path:
        return self.folder / "journal.jsonl"

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def write(self, what: str, **facts: Any) -> None:
        """One fsynced line; an intent is on disk before its effect."""
        line = json.dumps({"at": clock.seconds(), "what": what, **facts}, sort_keys=True)
        files.append(self.journal, line + "\n")

    def progress(self, detail: str) -> None:
        self.reporter.emit(StepProgress(self.current, detail))

    def note(self, message: str) -> None:
        self.reporter.emit(Noted(message))

    def warn(self, message: str) -> None:
        self.reporter.emit(Warned(message))


class Pipeline(Generic[ContextT_contra]):
    def __init__(self, steps: Sequence[Step[ContextT_contra]], run: Run) -> None:
        self._steps = steps
        self._run = run
        self._usual = usual_seconds(run.verb)

    def dry_run(self, ctx: ContextT_contra) -> list[StepPlanned]:
        """Checks alone; nothing is changed."""
        planned = []
        for step in self._steps:
            looked = step.check(ctx)
            planned.append(StepPlanned(step.name, step.title, isinstance(looked, Needed), looked.why))
            self._run.reporter.emit(planned[-1])
        return planned

    def execute(self, ctx: ContextT_contra) -> None:
        """Raises what a step raised, with the log and the command that goes on filled in."""
        try:
            for step in self._steps:
                self._one(step, ctx)
        except KeyboardInterrupt as error:
            self._run.write("interrupted", step=self._run.current)
            raise Interrupted(
                f"{self._run.verb} {self._run.cluster} was interrupted at '{self._run.current}'",
                why="what is done is kept",
                hint=self._run.resume,
                log=self._run.folder,
            ) from error
        except KarrotsError as error:
            self._tell_failure(error)
            raise
        except OSError as caught:
            known = refusal(caught)
            if known is None:
                raise
            self._tell_failure(known)
            raise known from caught
        except Exception as error:
            self._run.write("failed", step=self._run.current, message=type(error).__name__)
            raise
        self._run.write("finished", seconds=self._run.seconds)

    def _tell_failure(self, error: KarrotsError) -> None:
        with suppress(OSError):  # on a full disk the first failure is the one to tell
            self._run.write("failed", step=self._run.current, message=error.message)
        if isinstance(error, LoginNeeded) and self._run.resume not in error.hint:
            error.hint = f"{error.hint}\n{self._run.resume}"
        error.hint = error.hint or self._run.resume
        error.log = error.log or self._run.folder

    def usual_total(self) -> float | None:
        return self._usual.get("")

    def _one(self, step: Step[ContextT_contra], ctx: ContextT_contra) -> None:
        self._run.current = step.name
        looked = step.check(ctx)
        if isinstance(looked, Done):
            self._run.write("skipped", step=step.name, why=looked.why)
            self._run.reporter.emit(StepSkipped(step.name, step.title, looked.why))
            return
        self._run.write("intent", step=step.name, why=looked.why)
        self._run.reporter.emit(StepStarted(step.name, step.title, self._usual.get(step.name)))
        began = time.monotonic()
        try:
            detail = step.run(ctx)
            self._look_again(step, ctx)
        except BaseException as error:
            self._run.reporter.emit(StepFailed(step.name, step.title, time.monotonic() - began, str(error)))
            raise
        seconds = time.monotonic() - began
        self._run.write("done", step=step.name, seconds=seconds)
        self._run.reporter.emit(StepFinished(step.name, step.title, seconds, detail or ""))

    def _look_again(self, step: Step[ContextT_contra], ctx: ContextT_contra) -> None:
        looked = step.check(ctx)
        if isinstance(looked, Needed):
            raise Failed(f"'{step.title}' ran without an error, but the world does not show it", why=looked.why)


def journal_lines(folder: Path) -> Iterator[dict[str, Any]]:
    """What a run wrote; a line cut short by a kill is passed over."""
    try:
        data = files.content(folder / "journal.jsonl", JOURNAL_BYTES)
    except (OSError, UsageError):
        return
    for line in data.splitlines():
        try:
            entry = json_file.load(line)
        except ValueError:
            continue
        if _is_entry(entry):
            yield entry


def _is_entry(entry: Any) -> bool:
    """As `Run.write` makes them."""
    if not isinstance(entry, dict) or not {"at", "what"} <= entry.keys():
        return False
    return all(isinstance(entry[name], str) for name in JOURNAL_TEXTS & entry.keys()) and all(
        isinstance(entry[name], (int, float)) and abs(entry[name]) < LATEST for name in JOURNAL_NUMBERS & entry.keys()
    )


def past_runs() -> list[Path]:
    """Run folders, newest first (their names are ULIDs)."""
    folder = places.runs()
    return sorted((p for p in folder.iterdir() if p.is_dir()), reverse=True) if folder.is_dir() else []


def newest_run() -> str:
    """Its id; '' when there is none."""
    return next((folder.name for folder in past_runs()), "")


def usual_seconds(verb: str) -> dict[str, float]:
    """Median seconds per step of the verb's finished runs on this computer; '' is the whole."""
    from statistics import median  # `ls` imports this module and does not need it

    seen: dict[str, list[float]] = {}
    for folder in past_runs()[:RUNS_READ_FOR_TIMINGS]:
        lines = list(journal_lines(folder))
        if lines and lines[0].get("verb") == verb and lines[-1].get("what") == "finished":
            for name, seconds in _durations(lines):
                seen.setdefault(name, []).append(seconds)
    return {name: median(values) for name, values in seen.items()}


def _durations(lines: Iterable[dict[str, Any]]) -> Iterator[tuple[str, float]]:
    for entry in lines:
        if entry.get("what") == "done":
            yield str(entry.get("step")), float(entry.get("seconds", 0))
        if entry.get("what") == "finished":
            yield "", float(entry.get("seconds", 0))


def forget_old_runs() -> None:
    for folder in past_runs()[RUNS_KEPT:]:
        if may_be_forgotten(folder):
            files.remove_tree(folder, whatever=True)


def may_be_forgotten(folder: Path) -> bool:
    """Neither at work, nor just begun, nor the only place of a state that Terraform could not send."""
    from karrots.adapters.terraform_store import UNSAVED

    try:
        if any(folder.glob(f"*/{UNSAVED}")):
            return False
    except OSError:  # another karrots forgets it just now
        return False
    lines = list(journal_lines(folder))
    if not lines:
        return _age(folder) > AGE_OF_THE_EMPTY
    return lines[-1].get("what") in ENDS or not _is_at_work(lines[0])


def _is_at_work(first: dict[str, Any]) -> bool:
    pid = first.get("pid")
    return isinstance(pid, int) and not computer.is_gone(pid, str(first.get("born", "")))


def _age(folder: Path) -> float:
    try:
        return clock.seconds() - folder.stat().st_mtime
    except OSError:
        return 0.0
