"""Faults on purpose, for tests: `KARROTS_FAULTS` names the effect that goes wrong and how (docs/reliability.md).

    KARROTS_FAULTS='at=17 when=after kind=kill' KARROTS_FAULTS_ALLOWED='yes, break things'

`at` counts effects of the process from 1 (0: none, count only); `match` counts only sites that match a pattern of
fnmatch; `when` is before, during or after; `seed` decides what a kind leaves open; `log` is a file that gets a line for
each effect; `skew` is the seconds that the clock is wrong by, from the start or, as `skew=FIRST,THEN@N`, from its N-th
reading on.
"""

from __future__ import annotations

import errno
import os
import random
import shlex
import signal
import threading
import time
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from karrots import effects
from karrots.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

SWITCH = "KARROTS_FAULTS_ALLOWED"
CONSENT = "yes, break things"
KINDS = ("kill", "error", "timeout", "full", "garbage", "died", "slow")
MOMENTS = ("before", "during", "after")
KEYS = ("at", "match", "when", "kind", "seed", "log", "skew")
# An effect takes some milliseconds; a kill "during" it falls somewhere into them.
DURING_SECONDS = 0.006
SLOW_SECONDS = 0.25
# What no text, number or JSON holds; and ends of lines are the only control characters it does.
NOISE = bytes({*range(0x20), *range(0x7F, 0x100)} - set(b"\t\n\r"))
ERRNO = {"error": errno.EIO, "timeout": errno.ETIMEDOUT, "full": errno.ENOSPC}


@dataclass(frozen=True)
class Fault:
    site: str
    kind: str
    when: str
    dice: random.Random = field(default_factory=random.Random, compare=False)

    def before(self) -> None:
        if self.when == "before":
            self._strike()
        elif self.when == "during" and self.kind == "kill":
            timer = threading.Timer(self.dice.uniform(0, DURING_SECONDS), _end)
            timer.daemon = True
            timer.start()

    def after(self) -> None:
        if self.when != "before":
            self._strike()

    def _strike(self) -> None:
        if self.kind == "kill":
            _end()
        elif self.kind == "slow":
            time.sleep(SLOW_SECONDS)
        elif self.kind in ERRNO:
            number = ERRNO[self.kind]
            raise OSError(number, os.strerror(number), self.site.partition(" ")[2])

    def garbled(self, data: bytes) -> bytes:
        """Cut short, or with noise in some places: a letter in place of another is seen by nobody."""
        if self.kind == "died":
            return b""
        if self.kind != "garbage" or not data:
            return data
        if self.dice.random() < 0.5:
            return data[: self.dice.randrange(len(data))]
        changed = bytearray(data)
        for _ in range(max(1, len(data) // 50)):
            changed[self.dice.randrange(len(data))] = self.dice.choice(NOISE)
        return bytes(changed)

    def status(self, status: int) -> int:
        return -signal.SIGKILL if self.kind == "died" else status


def _end() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Plan:
    """Faults of one process. Effects of all threads are counted as one row."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._at = int(settings.get("at", "0"))
        self._match = settings.get("match", "*")
        self._when = settings.get("when", "before")
        self._kind = settings.get("kind", "kill")
        self._seed = settings.get("seed", "0")
        self._log = Path(settings["log"]) if "log" in settings else None
        self._skew = _Skew.read(settings.get("skew", "0"))
        self._count = 0
        self._one = threading.Lock()

    def next(self, site: str) -> Fault | None:
        if not fnmatchcase(site, self._match):
            return None
        with self._one:
            self._count += 1
            count = self._count
            if self._log is not None:
                with self._log.open("a", encoding="utf-8", errors="replace") as log:
                    log.write(f"{count} {site}\n")
        if count != self._at:
            return None
        return Fault(site, self._kind, self._when, random.Random(f"{self._seed}/{count}"))  # noqa: S311

    def skewed(self, moment: float) -> float:
        with self._one:
            return self._skew.at(moment)


@dataclass
class _Skew:
    first: float
    then: float
    turn: int
    readings: int = 0

    @classmethod
    def read(cls, text: str) -> _Skew:
        both, _, turn = text.partition("@")
        first, _, then = both.partition(",")
        return cls(float(first), float(then or first), int(turn or 0))

    def at(self, moment: float) -> float:
        self.readings += 1
        return moment + (self.then if self.turn and self.readings >= self.turn else self.first)


def arm(environment: Mapping[str, str]) -> None:
    """Set the plan that the environment names.

    Raises UsageError for one without the consent, or that says something else than a plan says.
    """
    if environment.get(SWITCH) != CONSENT:
        raise UsageError(
            f"{effects.FAULTS} is set",
            why="it makes karrots fail on purpose, and is for tests",
            hint=f"unset {effects.FAULTS}",
        )
    effects.arm(parsed(environment[effects.FAULTS]))


def parsed(text: str) -> Plan:
    try:
        settings = dict(word.split("=", 1) for word in shlex.split(text))
        plan = Plan(settings)
    except ValueError as error:
        raise _not_a_plan(str(error)) from error
    known = {"kind": KINDS, "when": MOMENTS}
    for key, value in settings.items():
        if key not in KEYS or value not in known.get(key, (value,)):
            raise _not_a_plan(f"'{key}={value}' is not known")
    return plan


def _not_a_plan(why: str) -> UsageError:
    return UsageError(f"{effects.FAULTS} is no fault plan", why=why, hint=f"unset {effects.FAULTS}")
