"""The result of `karrots diff`: what `-o json` shows, and what text and pages are made of.

Field names are a promise (tests/unit/report/test_document.py): fields are added, never renamed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from karrots.diff.model import RISKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from karrots.diff.model import Class, Departure, Level, LevelResult, ObjectKey
    from karrots.diff.sides import File, Setting

CLASSES: tuple[Class, ...] = ("unexpected", "expected", "runtime")


@dataclass(frozen=True)
class Side:
    """One side of a diff: `rev` and `directory` name the content, `cluster` is set when a cluster was named."""

    label: str
    rev: str
    directory: str
    tree: str
    cluster: str | None = None
    identity: dict[str, str] = field(default_factory=dict)
    overrides: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LevelScore:
    """`equal` of `total` objects; one that differs counts with its share of equal settings. The rest are departures.

    `compared` is false when a side could not be looked at at all; `percent` then says nothing.
    """

    level: str
    compared: bool
    percent: float
    equal: float
    total: int
    objects: int
    unexpected: int
    expected: int
    runtime: int


@dataclass(frozen=True)
class Trouble:
    """What could not be looked at, so that it is in no score. `side` is a label, '' for what is of both."""

    level: str
    side: str
    message: str
    path: str = ""
    line: int = 0
    hint: str = ""


@dataclass(frozen=True)
class Difference:
    """`patch` is git's text of the two subtrees; identity and overrides are what belongs to one cluster alone.

    `departures` come riskiest first within each object; `percent` is the lowest score of all levels. `fork` is the
    commit that both sides come from, '' where there is none.
    """

    a: Side
    b: Side
    files: tuple[File, ...]
    patch: str
    identity: tuple[Setting, ...]
    overrides: tuple[Setting, ...]
    percent: float = 100.0
    scores: tuple[LevelScore, ...] = ()
    departures: tuple[Departure, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    fork: str = ""

    @property
    def differs(self) -> bool:
        """Identity always differs between two clusters, and what a cluster makes for itself is no difference."""
        return bool(self.files or self.overrides) or any(each.classed != "runtime" for each in self.departures)

    @property
    def labels(self) -> tuple[str, str]:
        return self.a.label, self.b.label

    @property
    def levels(self) -> tuple[str, ...]:
        return tuple(each.level for each in self.scores)


@dataclass(frozen=True)
class Differences:
    """One parent beside several."""

    parent: str
    compared: tuple[Difference, ...]

    @property
    def differs(self) -> bool:
        return any(each.differs for each in self.compared)

    @property
    def percent(self) -> float:
        return min((each.percent for each in self.compared), default=100.0)


@dataclass(frozen=True)
class Group:
    """The departures of one object at one level."""

    level: Level
    key: ObjectKey
    departures: tuple[Departure, ...]

    @property
    def risk(self) -> str:
        return min((each.risk for each in self.departures), key=RISKS.index)

    @property
    def counts(self) -> dict[str, int]:
        """By class, without those that have none."""
        found = Counter(each.classed for each in self.departures)
        return {name: found[name] for name in CLASSES if found[name]}


def ordered(departures: Iterable[Departure]) -> list[Departure]:
    """By level as given; within it the object with the greatest risk first, and so within an object."""
    levels = [list(found) for _, found in groupby(departures, key=lambda each: each.level)]
    return [each for level in levels for group in _of_level(level) for each in group]


def _of_level(departures: Iterable[Departure]) -> Iterator[list[Departure]]:
    by_key: dict[ObjectKey, list[Departure]] = {}
    for each in departures:
        by_key.setdefault(each.key, []).append(each)
    found = [sorted(each, key=_rank) for each in by_key.values()]
    yield from sorted(found, key=lambda group: (_rank(group[0])[:2], group[0].key))


def _rank(each: Departure) -> tuple[int, int, str]:
    return RISKS.index(each.risk), CLASSES.index(each.classed), each.path


def groups(departures: Iterable[Departure]) -> list[Group]:
    """Of departures in order."""
    return [
        Group(level, key, tuple(found)) for (level, key), found in groupby(departures, key=lambda e: (e.level, e.key))
    ]


def score_of(result: LevelResult) -> LevelScore:
    counts = Counter(each.classed for each in result.departures)
    return LevelScore(
        result.level, result.compared, result.score.percent, round(result.score.equal, 4), result.score.total,
        len({each.key for each in result.departures}), *(counts[name] for name in CLASSES),
    )  # fmt: skip


def troubles_of(result: LevelResult) -> list[Trouble]:
    return [Trouble(result.level, p.side, p.message, p.path, p.line, p.hint) for p in result.problems]
