"""What a class of torture is: a world, runs by seed, and what came of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


class Wrong(Exception):
    """A promise was broken; the text says which, and what was seen instead."""


Run = Callable[[int], None]
"""One run by its seed; raises Wrong. The same seed does the same again."""

World = Callable[["Place"], AbstractContextManager[Run]]


@dataclass(frozen=True)
class Place:
    """Where a world may write: an empty folder of its own; `engine` holds the engine's real programs.

    `notes` takes figures seen on the way, by name, for those who read the table.
    """

    folder: Path
    engine: Path
    notes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Torture:
    """One row of the table.

    `wanted` runs are what docs/reliability.md asks of a long run, `usual` what `make torture` does, `slice` what
    `make test` does. `workers` runs may go at once, each in a world of its own.
    """

    name: str
    title: str
    promise: str
    world: World
    wanted: int
    usual: int
    slice: int
    workers: int = 1


@dataclass(frozen=True)
class Failure:
    seed: int
    what: str


@dataclass
class Row:
    """What came of a class."""

    torture: Torture
    runs: int = 0
    seconds: float = 0.0
    failures: list[Failure] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        if self.failures:
            return "FAILED"
        return "met" if self.runs >= self.torture.wanted else f"short: {self.torture.wanted} runs wanted"

    def add(self, other: Row) -> None:
        self.runs += other.runs
        self.seconds = max(self.seconds, other.seconds)
        self.failures += other.failures
        self.notes |= other.notes


def carry_out(torture: Torture, place: Place, seeds: Sequence[int], told: Callable[[Row], None]) -> Row:
    """All seeds, one after the other, in one world. `told` hears after each."""
    row = Row(torture, notes=place.notes)
    began = time.monotonic()
    with torture.world(place) as run:
        for seed in seeds:
            row.runs += 1
            try:
                run(seed)
            except Wrong as wrong:
                row.failures.append(Failure(seed, str(wrong)))
            row.seconds = time.monotonic() - began
            told(row)
    return row


def shares(seeds: Sequence[int], workers: int) -> Iterator[Sequence[int]]:
    """Seeds dealt out to workers."""
    for number in range(workers):
        dealt = seeds[number::workers]
        if dealt:
            yield dealt
