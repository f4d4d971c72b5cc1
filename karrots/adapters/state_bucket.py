"""What is asked of the place in a cloud where Terraform states are kept, whichever cloud it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Fact:
    """One thing looked at. `command` is what to type, `mending` what a yes does; '' where nobody may decide for you."""

    what: str
    ok: bool
    found: str
    command: str = ""
    mending: str = ""


class StateBucket(Protocol):
    """Every call asks the cloud. Raises LoginNeeded, ToolMissing for a missing extra, and Failed."""

    @property
    def place(self) -> str:
        """For people."""

    def facts(self, *, thorough: bool) -> tuple[Fact, ...]:
        """Is it there, ours, with versions, encrypted, closed; `thorough` tries its locks too, with an object."""

    def mend(self, what: str) -> None:
        """Make good the fact of that name."""

    def holds(self, key: str) -> bool: ...

    def remove(self, key: str) -> None:
        """Fine when it is gone; its versions stay where versions are kept."""
