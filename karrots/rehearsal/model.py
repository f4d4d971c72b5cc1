"""What a rehearsal found, as data. Every text in here may be printed: no value of a Secret enters it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["ready", "failed", "waits", "not rehearsed", "suspended", "no word"]
Severity = Literal["error", "warning"]
# What going from the one content to the other does with an object.
Effect = Literal["appears", "changes", "vanishes"]


@dataclass(frozen=True)
class Item:
    """One of Flux's objects, and what became of it.

    `why` is the cause where it failed, or what it waits for. `path` is below the cluster directory, '' where the place
    is not known; `next` is what to type. `late`: it was Ready only when it was asked again.
    """

    kind: str
    namespace: str
    name: str
    outcome: Outcome
    reason: str = ""
    why: str = ""
    path: str = ""
    line: int = 0
    next: str = ""
    late: bool = False

    @property
    def label(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}"


@dataclass(frozen=True, order=True)
class Noticed:
    """Something wrong, or to be looked at, that is not the word of one of Flux's objects."""

    severity: Severity
    check: str
    path: str
    line: int
    object: str
    message: str
    next: str = ""


@dataclass(frozen=True, order=True)
class Changed:
    """An object that is not the same on both sides; `fields` are the settings that differ, `risk` why to look twice."""

    effect: Effect
    kind: str
    namespace: str
    name: str
    fields: tuple[str, ...] = ()
    risk: str = ""
    path: str = ""
    line: int = 0

    @property
    def label(self) -> str:
        return "/".join(filter(None, (self.kind, self.namespace, self.name)))


@dataclass(frozen=True, order=True)
class Image:
    name: str
    used_by: tuple[str, ...]


@dataclass(frozen=True, order=True)
class Held:
    """What a fence holds in a copy, and acts where there is none."""

    object: str
    hold: str
    reason: str
    path: str
    line: int


@dataclass(frozen=True)
class Against:
    """The other side of the effect, '' where there was none; `ready` is whether it came up itself."""

    name: str = ""
    commit: str = ""
    same: bool = False
    ready: bool = True
