"""What an operation tells while it works; a Reporter decides how it looks."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Event:
    def document(self) -> dict[str, Any]:
        return {"event": type(self).__name__, **asdict(self)}


@dataclass(frozen=True)
class OperationStarted(Event):
    verb: str
    cluster: str
    about: str
    run: str


@dataclass(frozen=True)
class StepStarted(Event):
    """`usual` is the median number of seconds this step took on this computer, None before the first time."""

    step: str
    title: str
    usual: float | None = None


@dataclass(frozen=True)
class StepProgress(Event):
    step: str
    detail: str


@dataclass(frozen=True)
class StepSkipped(Event):
    step: str
    title: str
    why: str


@dataclass(frozen=True)
class StepPlanned(Event):
    """A dry run's answer: whether the step would do something, and why."""

    step: str
    title: str
    needed: bool
    why: str


@dataclass(frozen=True)
class ChecksSeen(Event):
    """Each row: what was looked at, whether it is well, what was found, and the command that mends it."""

    rows: tuple[tuple[str, bool, str, str], ...]


@dataclass(frozen=True)
class StepFinished(Event):
    step: str
    title: str
    seconds: float
    detail: str = ""


@dataclass(frozen=True)
class StepFailed(Event):
    step: str
    title: str
    seconds: float
    message: str


@dataclass(frozen=True)
class Noted(Event):
    message: str


@dataclass(frozen=True)
class Warned(Event):
    message: str


@dataclass(frozen=True)
class OperationFinished(Event):
    verb: str
    cluster: str
    seconds: float
    usual: float | None
    summary: str
    next: tuple[str, ...] = ()


class Reporter(Protocol):
    def emit(self, event: Event) -> None: ...

    def close(self) -> None: ...
