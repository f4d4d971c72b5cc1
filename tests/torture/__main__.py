"""`make torture`: every class, its runs, its failures with their seeds, in one table.

    python -m tests.torture [CLASS…] [--runs N | --times X | --long] [--seed S] [--replay SEED] [--output FILE]

Each worker of a class is a process of its own, with a home of its own, so that nothing of the user's can be touched
and a class that dies shows as one failure. Ends with status 1 when a promise was broken.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support import environment
from tests.torture import fast
from tests.torture.catalogue import ROWS
from tests.torture.frame import Failure, Place, Row, Torture, carry_out, shares

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FIRST_SEED = 1
ROOM = 8 * 2**30
ENDED = 143
TELL_SECONDS = 60.0
# Of one worker; what hangs is a failure too.
PATIENCE_SECONDS = 3 * 3600.0


def main(arguments: Sequence[str] | None = None) -> int:
    asked = parser().parse_args(arguments)
    if asked.worker:
        return work(asked)
    chosen = selected(asked.classes)
    engine = engine_programs()
    rows = []
    for torture in chosen:
        seeds = [asked.replay] if asked.replay is not None else seeds_of(torture, asked)
        rows.append(run(torture, seeds, engine, say))
        say(f"{torture.name}: {rows[-1].runs} runs, {len(rows[-1].failures)} failures, {rows[-1].seconds:.0f} s\n")
    text = table(rows)
    sys.stdout.write(text)
    if asked.output:
        Path(asked.output).write_text(text, "utf-8")
    return 1 if any(row.failures for row in rows) else 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m tests.torture", description="faults on purpose, by seed")
    made.add_argument("classes", nargs="*", help=", ".join(torture.name for torture in ROWS))
    made.add_argument("--runs", type=int, help="of each class")
    made.add_argument("--times", type=float, default=1.0, help="the usual number of runs, times this")
    made.add_argument("--long", action="store_true", help="as many runs as docs/reliability.md asks for")
    made.add_argument("--seed", type=int, default=FIRST_SEED, help="of the first run; the next one counts on")
    made.add_argument("--replay", type=int, help="this seed alone")
    made.add_argument("--output", help="write the table to a file as well")
    made.add_argument("--worker", help=argparse.SUPPRESS)
    made.add_argument("--seeds", help=argparse.SUPPRESS)
    made.add_argument("--folder", help=argparse.SUPPRESS)
    made.add_argument("--engine", help=argparse.SUPPRESS)
    return made


def selected(names: Sequence[str]) -> list[Torture]:
    known = {torture.name: torture for torture in ROWS}
    wrong = [name for name in names if name not in known]
    if wrong:
        sys.exit(f"no class '{wrong[0]}'; there are: {', '.join(known)}")
    return [known[name] for name in names] or list(ROWS)


def seeds_of(torture: Torture, asked: argparse.Namespace) -> list[int]:
    count = asked.runs or (torture.wanted if asked.long else max(1, round(torture.usual * asked.times)))
    return list(range(asked.seed, asked.seed + count))


def engine_programs() -> Path:
    from karrots.engine import binaries

    return binaries.ensure(lambda *_: None).folder


def say(text: str) -> None:
    """Progress is for terminals; elsewhere only whole lines."""
    if text.endswith("\n") or sys.stderr.isatty():
        sys.stderr.write(text)
        sys.stderr.flush()


def run(torture: Torture, seeds: Sequence[int], engine: Path, hear: Callable[[str], None]) -> Row:
    """All seeds, in as many processes as the class allows."""
    row, began = Row(torture), time.monotonic()
    with tempfile.TemporaryDirectory(
        prefix="karrots-torture-", dir=quick_folder(), ignore_cleanup_errors=True
    ) as folder:
        dealt = list(shares(seeds, torture.workers))
        workers = [Worker(torture, share, Path(folder) / str(n), engine) for n, share in enumerate(dealt)]
        threads = [threading.Thread(target=worker.follow, args=(hear,)) for worker in workers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for worker in workers:
            row.add(worker.row)
    row.seconds = time.monotonic() - began
    return row


def quick_folder() -> str | None:
    """In memory where there is room: what is tried here is when things are written, and not how long a disk takes."""
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() and shutil.disk_usage(memory).free > ROOM else None


class Worker:
    def __init__(self, torture: Torture, seeds: Sequence[int], folder: Path, engine: Path) -> None:
        self._torture, self._seeds, self._folder, self._engine = torture, seeds, folder, engine
        self.row = Row(torture)

    def follow(self, hear: Callable[[str], None]) -> None:
        (self._folder / "home").mkdir(parents=True)
        own = {fast.PROGRAMS: str(fast.programs())}
        given = {**environment.inherited(), **environment.settings(self._folder / "home"), **own}
        dealt = ",".join(map(str, self._seeds))
        words = ["--worker", self._torture.name, "--seeds", dealt, "--folder", str(self._folder)]
        argv = [sys.executable, "-m", "tests.torture", *words, "--engine", str(self._engine)]
        errors = self._folder / "errors"
        with errors.open("wb") as sink:
            child = subprocess.Popen(argv, env=given, stdout=subprocess.PIPE, stderr=sink, text=True)
        guard = threading.Timer(PATIENCE_SECONDS, child.terminate)
        guard.start()
        told = time.monotonic()
        with child:
            for line in child.stdout or ():
                before = len(self.row.failures)
                self._take(json.loads(line))
                for failure in self.row.failures[before:]:
                    hear(f"\r{failure_text(self._torture, failure)}\n")
                done = f"{self.row.runs} of {len(self._seeds)}, {len(self.row.failures)} failures"
                hear(f"\r{self._torture.name}: {done} ")
                if time.monotonic() > told + TELL_SECONDS:
                    told = time.monotonic()
                    hear(f"{self._torture.name}: {done} after {self.row.seconds:.0f} s\n")
        guard.cancel()
        hear("\r")
        status = child.returncode
        if status != 0:
            said = errors.read_text("utf-8", "replace")[-3000:]
            unseen = self._seeds[self.row.runs :] or self._seeds[-1:]
            self.row.failures.append(Failure(unseen[0], f"the class itself ended with {status}: {said}"))
        shutil.rmtree(self._folder, ignore_errors=True)

    def _take(self, told: dict[str, Any]) -> None:
        self.row.runs = told["runs"]
        self.row.seconds = told["seconds"]
        self.row.notes = told["notes"]
        self.row.failures = [Failure(seed, what) for seed, what in told["failures"]]


def work(asked: argparse.Namespace) -> int:
    """One worker: a line of JSON on stdout after each run."""
    torture = selected([asked.worker])[0]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(ENDED))  # a world takes away what it has started
    world = Path(asked.folder) / "world"
    world.mkdir()
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a world prints is not ours

    def tell(row: Row) -> None:
        failures = [(failure.seed, failure.what) for failure in row.failures]
        told = {"runs": row.runs, "seconds": row.seconds, "failures": failures, "notes": row.notes}
        out.write(json.dumps(told) + "\n")
        out.flush()

    seeds = [int(word) for word in asked.seeds.split(",")]
    tell(carry_out(torture, Place(world, Path(asked.engine)), seeds, tell))
    return 0


def table(rows: Sequence[Row]) -> str:
    lines = ["| class | promise | runs | failures | seconds | verdict |", "| --- | --- | --- | --- | --- | --- |"]
    for row in rows:
        torture = row.torture
        shown = (torture.title, torture.promise, row.runs, len(row.failures), f"{row.seconds:.0f}", row.verdict)
        lines.append("| " + " | ".join(map(str, shown)) + " |")
    notes = [f"- {row.torture.title}: {name}: {text}" for row in rows for name, text in sorted(row.notes.items())]
    failures = [failure_text(row.torture, failure) for row in rows for failure in row.failures]
    return "\n".join([*lines, *([""] if notes else []), *notes, *([""] if failures else []), *failures]) + "\n"


def failure_text(torture: Torture, failure: Failure) -> str:
    what = "\n    ".join(failure.what.splitlines())
    again = f"make torture CLASS={torture.name} SEED={failure.seed}"
    return f"{torture.name} seed {failure.seed}: {what}\n    again: {again}"


if __name__ == "__main__":
    sys.exit(main())
