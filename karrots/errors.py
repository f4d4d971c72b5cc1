"""What can go wrong, as data; printed at one boundary (karrots.app).

A message says what could not be done and to which object, `why` the cause in our own words, `hint` the next
command to type. Nothing below the boundary prints or exits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class ExitCode(IntEnum):
    """Documented exit statuses (docs/exit-codes.md)."""

    DONE = 0
    DIFFERENCES = 1
    USAGE = 2
    REFUSED = 3
    LOGIN_NEEDED = 4
    PREFLIGHT_FAILED = 5
    LOCKED = 6
    TIMED_OUT = 7
    FAILED = 8
    LEFTOVERS = 9
    NOT_FOUND = 10
    BUG = 70
    INTERRUPTED = 130


# A log-in in an address: all of it for web addresses, where the name alone may be a token, else the password.
LOGINS = ((re.compile(r"(https?://)[^/\s@'\"]+@"), r"\1"), (re.compile(r"(\w://[^/\s:@'\"]*):[^/\s@'\"]*@"), r"\1@"))


def redacted(text: str) -> str:
    """`text` without the log-ins in addresses."""
    for pattern, kept in LOGINS:
        text = pattern.sub(kept, text)
    return text


class KarrotsError(Exception):
    """Base of every expected failure."""

    code: ExitCode = ExitCode.FAILED

    def __init__(self, message: str, *, why: str = "", hint: str = "", log: Path | None = None) -> None:
        self.message, self.why, self.hint = redacted(message), redacted(why), redacted(hint)
        super().__init__(self.message)
        self.log = log


class UsageError(KarrotsError):
    """Bad input: a name, an option, a file of the user's."""

    code = ExitCode.USAGE


class Refused(KarrotsError):
    """A guard says no, or an answer is needed that nobody can give."""

    code = ExitCode.REFUSED


class LoginNeeded(KarrotsError):
    code = ExitCode.LOGIN_NEEDED


class PreflightFailed(KarrotsError):
    code = ExitCode.PREFLIGHT_FAILED


class Locked(KarrotsError):
    """Somebody else works on it, or was first."""

    code = ExitCode.LOCKED


class TimedOut(KarrotsError):
    """Not done in the time given; running the same command again goes on."""

    code = ExitCode.TIMED_OUT


class Failed(KarrotsError):
    code = ExitCode.FAILED


class Leftovers(KarrotsError):
    """Destroyed, but something of it is still there."""

    code = ExitCode.LEFTOVERS


class NotFound(KarrotsError):
    code = ExitCode.NOT_FOUND


class Interrupted(KarrotsError):
    code = ExitCode.INTERRUPTED


class ToolMissing(PreflightFailed):
    """A program karrots needs is not on this computer."""


@dataclass(frozen=True)
class Diagnostic:
    """One problem a tool reported in machine-readable form."""

    summary: str
    detail: str = ""
    address: str = ""
    file: str = ""
    line: int = 0


class ToolFailed(Failed):
    """A foreign program ended with an error."""

    def __init__(
        self,
        message: str,
        *,
        argv: Sequence[str],
        status: int,
        tail: str = "",
        diagnostics: Sequence[Diagnostic] = (),
        why: str = "",
        hint: str = "",
        log: Path | None = None,
    ) -> None:
        super().__init__(message, why=why or tail.strip(), hint=hint, log=log)
        self.argv = tuple(argv)
        self.status = status
        self.tail = redacted(tail)
        self.diagnostics = tuple(diagnostics)
