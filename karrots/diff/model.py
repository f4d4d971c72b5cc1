"""What a comparison is made of: sides, their objects and where these come from, departures, scores.

Every text in here may be printed: a value of a Secret never enters it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Level = Literal["content", "rendered", "terraform", "live"]
LEVELS: tuple[Level, ...] = ("content", "rendered", "terraform", "live")
Change = Literal["added", "removed", "changed"]
Class = Literal["expected", "unexpected", "runtime"]
# Riskiest first, as they are shown.
Risk = Literal["deletes", "replaces", "opens", "exposes", ""]
RISKS: tuple[Risk, ...] = ("deletes", "replaces", "opens", "exposes", "")
# Of a three-way comparison: who left the fork point. `both` is both, and differently; '' where nobody asked.
Whose = Literal["mine", "theirs", "both", ""]


@dataclass(frozen=True, order=True, slots=True)
class ObjectKey:
    """`group` is '' for the core one, `namespace` '' where there is none. Its version is a setting, no part of this.

    At the levels without Kubernetes objects `kind` says what it is (`file`, `resource`, `variable`, `output` …).
    """

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        kind = f"{self.kind}.{self.group}" if self.group else self.kind
        return f"{kind}/{self.namespace}/{self.name}" if self.namespace else f"{kind}/{self.name}"


@dataclass(frozen=True)
class Origin:
    """Where a setting comes from, as far as it is known; '' and 0 where it is not.

    `path` is below the cluster directory. `kustomization` and `helm_release` are namespace/name of Flux's objects (the
    root's is flux-system/flux-system), `override` the key in the record, `manager` the field manager in a live object.
    """

    path: str = ""
    line: int = 0
    kustomization: str = ""
    helm_release: str = ""
    override: str = ""
    manager: str = ""


NOWHERE = Origin()


class Item(Protocol):
    """One object of a side.

    Items of both sides that share one of their `digests` are equal; others may still be. `value` gives the whole
    object, is called for few, and may read it again. `origin` says where the setting at a path is from.
    """

    @property
    def key(self) -> ObjectKey: ...

    @property
    def digests(self) -> tuple[bytes, ...]: ...

    def value(self) -> Mapping[str, Any]: ...

    def origin(self, path: tuple[str | int, ...] = ()) -> Origin: ...


@dataclass(frozen=True)
class Problem:
    """Something of a side that could not be looked at, so that it is in no score: a file, a kind, a chart."""

    side: str
    message: str
    path: str = ""
    line: int = 0
    hint: str = ""


@dataclass(frozen=True)
class Side:
    """`identity` maps names (cluster_name, cluster_domain …) to this cluster's values.

    `overrides` and `fence` are the record's. `items` begins anew at each call, and appends to the list it is given what
    it could not look at.
    """

    label: str
    items: Callable[[list[Problem]], Iterable[Item]] = field(repr=False)
    identity: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, str] = field(default_factory=dict)
    fence: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Departure:
    """One setting that differs, or a whole object when `path` is ''.

    `path` reads as people write it: spec.template.spec.containers[name=web].image. `a` and `b` are its values, '' for
    the side that has none. `classed` is the issue's class and `reason` why it is that. `risk` is what going from `a` to
    `b` would do, and `risk_reason` why.
    """

    level: Level
    key: ObjectKey
    path: str
    change: Change
    a: str
    b: str
    classed: Class
    reason: str
    origin_a: Origin = NOWHERE
    origin_b: Origin = NOWHERE
    risk: Risk = ""
    risk_reason: str = ""
    whose: Whose = ""


@dataclass(frozen=True)
class Score:
    """Each object weighs one; of one that differs, its share of equal settings counts as equal."""

    equal: float
    total: int

    @property
    def percent(self) -> float:
        """Two places, cut and not rounded: 100 only when nothing differs."""
        if self.equal >= self.total:
            return 100.0
        return min(math.floor(self.equal / self.total * 10_000) / 100, 99.99)


@dataclass(frozen=True)
class LevelResult:
    """`compared` is false when a side could not be looked at at all."""

    level: Level
    departures: tuple[Departure, ...]
    score: Score
    problems: tuple[Problem, ...] = ()
    compared: bool = True

    @property
    def differs(self) -> bool:
        return bool(self.departures)


@dataclass(frozen=True)
class Comparison:
    """`fork` is the fork point's commit when the two are related, '' else."""

    a: str
    b: str
    levels: tuple[LevelResult, ...]
    fork: str = ""

    @property
    def differs(self) -> bool:
        return any(level.differs for level in self.levels)

    @property
    def percent(self) -> float:
        """The lowest of its levels."""
        return min((level.score.percent for level in self.levels if level.compared), default=100.0)
