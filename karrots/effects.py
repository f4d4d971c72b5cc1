"""Every effect on the world passes here: what an interrupt may not cut in two, and where tests break things.

The doors (process, files, kube, the state backend, the clock) wrap each effect in `effect(site)`. Two things come of
it. A first Ctrl-C waits until the effect in flight has ended. And a fault plan (karrots.faults) can be consulted; where
none is set, that costs one comparison.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

ENDED_AT_ONCE = "karrots: ended at once, as the second interrupt asked; the same command goes on from here\n"
INTERRUPTED = 130
FAULTS = "KARROTS_FAULTS"  # names a plan of karrots.faults
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


class Fault(Protocol):
    """What is to go wrong around one effect."""

    def before(self) -> None: ...

    def after(self) -> None: ...

    def garbled(self, data: bytes) -> bytes: ...

    def status(self, status: int) -> int: ...


class FaultPlan(Protocol):
    def next(self, site: str) -> Fault | None:
        """Counts the effect; the fault when it is this one's turn."""

    def skewed(self, moment: float) -> float:
        """Seconds since the epoch as a clock that is wrong would tell them."""


@dataclass
class _Now:
    """Of this process. `depth`: effects the main thread is in."""

    plan: FaultPlan | None = None
    depth: int = 0
    interrupts: int = 0
    pending: bool = False
    deaf: deaf | None = None


_now = _Now()


def arm(plan: FaultPlan | None) -> None:
    _now.plan = plan


def skewed(moment: float) -> float:
    return moment if _now.plan is None else _now.plan.skewed(moment)


class effect:  # noqa: N801  (reads as a statement: `with effect("file", path)`)
    """One effect. `kind` and `what` name it for fault plans: `run git push`, `write /…/journal.jsonl`.

    It is not cut in two by a first interrupt; with `whole` False (a question that changes nothing) it may be.
    """

    __slots__ = ("_counted", "_fault", "_site", "_whole")

    def __init__(self, kind: str, what: object = "", *, whole: bool = True) -> None:
        self._site = (kind, what)
        self._whole = whole
        self._fault: Fault | None = None
        self._counted = False

    def __enter__(self) -> Self:
        if self._whole and threading.current_thread() is threading.main_thread():
            self._counted = True
            _now.depth += 1
        try:
            if _now.plan is not None:
                self._fault = _now.plan.next(" ".join(map(str, self._site)))
                if self._fault is not None:
                    self._fault.before()
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._leave()
        if kind is not None:
            return
        if self._fault is not None:
            self._fault.after()
        if _now.pending and _now.depth == 0 and self._counted:
            _now.pending = False
            raise KeyboardInterrupt

    def _leave(self) -> None:
        if self._counted:
            _now.depth -= 1

    def garbled(self, data: bytes) -> bytes:
        """What came back, as the plan wants it to look."""
        return data if self._fault is None else self._fault.garbled(data)

    def status(self, status: int) -> int:
        """How a program ended, as the plan wants it."""
        return status if self._fault is None else self._fault.status(status)


def listen() -> None:
    """The first Ctrl-C, SIGTERM or closed terminal ends an operation cleanly; the second ends it at once."""
    _now.depth, _now.interrupts, _now.pending = 0, 0, False
    for name in SIGNALS:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _on_signal)


def _on_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    if _now.deaf is not None:
        if number != signal.SIGINT:
            _now.deaf.hear(number)
        return
    # A closed terminal sends SIGHUP right after the SIGTERM or Ctrl-C that came with it: no second wish.
    _now.interrupts += number != signal.SIGHUP or _now.interrupts == 0
    if _now.interrupts > 1:
        with suppress(OSError):
            os.write(2, ENDED_AT_ONCE.encode())
        os._exit(INTERRUPTED)
    if _now.depth:
        _now.pending = True
    else:
        raise KeyboardInterrupt


class deaf:  # noqa: N801  (reads as a statement: `with deaf() as listening:`)
    """While a program of the user's has the terminal, interrupts are its own.

    A Ctrl-C reaches it by itself; what was sent to us alone is handed on, as soon as there is somebody to hand it to.
    """

    def __init__(self) -> None:
        self._heir: Callable[[int], None] | None = None
        self._early: list[int] = []

    def hand_to(self, heir: Callable[[int], None]) -> None:
        self._heir = heir
        for number in self._early:
            heir(number)

    def hear(self, number: int) -> None:
        if self._heir is None:
            self._early.append(number)
        else:
            self._heir(number)

    def __enter__(self) -> Self:
        _now.deaf = self
        return self

    def __exit__(self, *_: object) -> None:
        _now.deaf = None
