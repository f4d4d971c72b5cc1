"""Runs a row: rounds of all contenders, one after another, in changing order."""

from __future__ import annotations

from subprocess import SubprocessError
from typing import TYPE_CHECKING

from benchmarks.row import KARROTS, Result, Wrong
from karrots.errors import KarrotsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.row import Bench, Contest, Reading, Row

FEWER = 3
FAILURES = (Wrong, KarrotsError, OSError, SubprocessError)


def measure(row: Row, bench: Bench, repeat: int, say: Callable[[str], None], calm: Callable[[], bool]) -> Result:
    """A row that cannot be set up is a failed row, and the others go on."""
    try:
        with row.stage(bench) as contest:
            say(f"{row.name}: 1 + {rounds(row, repeat)} rounds")
            return contend(row, contest, rounds(row, repeat), calm)
    except FAILURES as error:
        return Result(row, {}, {KARROTS: reason(error)})


def rounds(row: Row, repeat: int) -> int:
    return min(repeat, FEWER) if row.long else repeat * row.often


def contend(row: Row, contest: Contest, count: int, calm: Callable[[], bool]) -> Result:
    """The first round warms caches and is not counted; a peer that fails drops out, karrots' failure ends the row.

    Each second round goes backwards, so that nobody always profits from what ran before. `calm` waits for a quiet
    computer, and answers whether it is one.
    """
    runs: dict[str, list[Reading]] = {name: [] for name in contest.contenders}
    failures: dict[str, str] = {}
    disturbed = 0
    for turn in range(count + 1):
        disturbed += not calm() and turn > 0
        names = [name for name in contest.contenders if name not in failures]
        for name in names if turn % 2 == 0 else reversed(names):
            try:
                reading = contest.contenders[name]()
            except FAILURES as error:
                failures[name] = reason(error)
                continue
            if turn:
                runs[name].append(reading)
        if KARROTS in failures:
            break
    kept = {name: tuple(found) for name, found in runs.items() if name not in failures}
    return Result(row, kept, failures, disturbed)


def reason(error: Exception) -> str:
    why = getattr(error, "why", "")
    said = " ".join(f"{error}: {why}".split() if why else str(error).split())
    return said[:400] or type(error).__name__
