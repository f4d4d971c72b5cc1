"""What a benchmark is made of: a row, its target, its contenders, and what came of them. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

KARROTS = "karrots"


class Wrong(Exception):
    """A run was over but its result is not what it should be: however fast, it does not count."""


class Unit(StrEnum):
    seconds = "s"
    bytes = "B"


class Verdict(StrEnum):
    met = "met"
    aim_short = "met, aim short"
    short = "short"
    wrong = "wrong"
    open = "-"


@dataclass(frozen=True)
class Target:
    """`most`: of our own median. `times`: how many times better than the first peer we must be.

    `aim` is written as `times` is; missing it is shown, and does not make the row short.
    """

    most: float | None = None
    times: float | None = None
    aim: float | None = None


@dataclass(frozen=True)
class Reading:
    """One run: seconds or bytes, and what else was seen in it, by name."""

    value: float
    beside: Mapping[str, float] = field(default_factory=dict)


Run = Callable[[], Reading]


@dataclass(frozen=True)
class Contest:
    """Runs that can be repeated; each checks its own result and raises Wrong. Targets speak of the first peer."""

    karrots: Run
    peers: Mapping[str, Run] = field(default_factory=dict)

    @property
    def contenders(self) -> dict[str, Run]:
        return {KARROTS: self.karrots, **self.peers}


@dataclass(frozen=True)
class Bench:
    """What every row may use: the folder of the engine's programs, and kwokctl (None, and why)."""

    engine: Path
    kwokctl: Path | None
    no_kwokctl: str = ""


@dataclass(frozen=True)
class Row:
    """`stage` sets the scene and takes it down. `often` multiplies the rounds of what takes no time.

    `long`: a round takes more than a minute, so fewer are enough.
    """

    name: str
    title: str
    unit: Unit
    target: Target
    stage: Callable[[Bench], AbstractContextManager[Contest]]
    often: int = 1
    long: bool = False
    beside_unit: Unit = Unit.seconds


def row(
    name: str,
    title: str,
    target: Target | None = None,
    *,
    unit: Unit = Unit.seconds,
    often: int = 1,
    long: bool = False,
    beside_unit: Unit | None = None,
) -> Callable[[Callable[[Bench], Iterator[Contest]]], Row]:
    """Makes a Row of a generator that yields the contest once."""

    def wrap(function: Callable[[Bench], Iterator[Contest]]) -> Row:
        stage = contextmanager(function)
        return Row(name, title, unit, target or Target(), stage, often, long, beside_unit or unit)

    return wrap


@dataclass(frozen=True)
class Result:
    """`runs` by contender, karrots first; `failures` by contender that dropped out.

    `disturbed`: rounds that began while something else kept the computer busy.
    """

    row: Row
    runs: Mapping[str, tuple[Reading, ...]]
    failures: Mapping[str, str] = field(default_factory=dict)
    disturbed: int = 0

    @property
    def failure(self) -> str:
        return self.failures.get(KARROTS, "")

    @property
    def peers(self) -> list[str]:
        return [name for name in {**self.runs, **self.failures} if name != KARROTS]

    def median(self, contender: str = KARROTS) -> float | None:
        values = [reading.value for reading in self.runs.get(contender, ())]
        return statistics.median(values) if values else None

    def ratio(self, peer: str) -> float | None:
        """How many times better karrots is: above 1 the peer takes more."""
        ours, theirs = self.median(), self.median(peer)
        return theirs / ours if ours and theirs is not None else None

    def beside(self, contender: str = KARROTS) -> dict[str, float]:
        runs = self.runs.get(contender, ())
        names = dict.fromkeys(name for reading in runs for name in reading.beside)
        return {name: statistics.median(r.beside[name] for r in runs if name in r.beside) for name in names}

    @property
    def verdict(self) -> Verdict:
        if self.failure or self.median() is None:
            return Verdict.wrong
        target = self.row.target
        if target == Target():
            return Verdict.open
        if not (self._below(target.most) and self._better(target.times)):
            return Verdict.short
        return Verdict.met if self._better(target.aim) else Verdict.aim_short

    def _below(self, most: float | None) -> bool:
        ours = self.median()
        return most is None or (ours is not None and ours <= most)

    def _better(self, times: float | None) -> bool:
        """A peer that failed proves nothing."""
        if times is None:
            return True
        ratio = self.ratio(self.peers[0]) if self.peers else None
        return ratio is not None and ratio >= times

    def document(self) -> dict[str, Any]:
        target = self.row.target
        return {
            "row": self.row.name,
            "title": self.row.title,
            "unit": str(self.row.unit),
            "target": {"most": target.most, "times": target.times, "aim": target.aim},
            "verdict": str(self.verdict),
            "disturbed": self.disturbed,
            "contenders": [self._contender(name) for name in (KARROTS, *self.peers)],
        }

    def _contender(self, name: str) -> dict[str, Any]:
        return {
            "name": name,
            "median": self.median(name),
            "ratio": None if name == KARROTS else self.ratio(name),
            "runs": [reading.value for reading in self.runs.get(name, ())],
            "beside": self.beside(name),
            "failure": self.failures.get(name, ""),
        }
