"""The lock of a state that a cloud keeps: who holds it, by Terraform's own words, and whether that one is dead.

Terraform puts the name of a person and of a computer into such a lock, and no process. So while a Terraform of ours
holds it, we look up the lock's id and note it beside the process (Note). A lock whose id is in a note, and whose
process is gone from this computer, is nobody's.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from karrots import computer, files
from karrots.errors import Locked
from karrots.spec import json_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from karrots.errors import Diagnostic

# No lock has this id, for any backend: gcs counts generations of an object, the others write UUIDs.
NOBODY = "1"
REFUSED = "Error acquiring the state lock"
LOCK_INFO = "Lock Info:"
STALE_PLAN = "Saved plan is stale"
# What Terraform says between taking the lock and giving it back. Before it stands, among others, that it is being taken
# (`state_lock_acquire`), when that is slow; after it the sum of an apply, and its outputs.
UNDER_THE_LOCK = frozenset({
    "refresh_start", "refresh_complete", "planned_change", "resource_drift", "apply_start", "apply_progress",
    "apply_complete", "apply_errored", "provision_start", "provision_progress", "provision_complete",
    "provision_errored", "ephemeral_op_start", "ephemeral_op_progress", "ephemeral_op_complete",
})  # fmt: skip
FIELD = re.compile(r"^[\s│]*(ID|Operation|Who|Created):[ \t]+(\S.*?)\s*$", re.MULTILINE)
MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?(?: \+0000 UTC|Z)")


@dataclass(frozen=True)
class LockInfo:
    """`who` is a person at a computer; `created` is None where Terraform's words cannot be read."""

    id: str
    who: str = ""
    operation: str = ""
    created: datetime | None = None

    @property
    def host(self) -> str:
        return self.who.rpartition("@")[2]

    @property
    def since(self) -> str:
        return f"{self.created:%Y-%m-%dT%H:%M:%SZ}" if self.created else "a time that cannot be read"


class StateHeld(Locked):
    """Somebody else works on a state that a cloud keeps. `lock` is None when it does not say who.

    `command` goes on when the lock is taken over; `unlocking` ends a lock that cannot be read.
    """

    def __init__(self, place: str, lock: LockInfo | None, command: str, unlocking: str) -> None:
        wait = "wait until it has ended, then run the same command again"
        if lock is None:
            super().__init__(
                f"the Terraform state {place} is locked",
                why="its lock does not say by whom",
                hint=f"{wait}\nor, when you know that nobody works on it: {unlocking}",
            )
        else:
            super().__init__(
                f"the Terraform state {place} is locked by {lock.who or 'somebody'}",
                why=f"{lock.operation or 'an operation'} since {lock.since}, lock {lock.id}",
                hint=f"{wait}\nor, when you know that it is gone: {command} --take-over {lock.id}",
            )
        self.lock = lock


@dataclass(frozen=True)
class Note:
    """The lock of that id was taken by process `pid` of this computer, which began at `born`."""

    id: str
    pid: int
    born: str
    host: str
    host_id: str

    @property
    def is_of_the_dead(self) -> bool:
        return computer.is_this(self.host, self.host_id) and computer.is_gone(self.pid, self.born)


def told(text: str) -> LockInfo | None:
    """From what Terraform says of a lock in an error."""
    found = dict(FIELD.findall(text))
    if "ID" not in found:
        return None
    operation = found.get("Operation", "").removeprefix("OperationType").lower()
    return LockInfo(found["ID"], found.get("Who", ""), operation, moment(found.get("Created", "")))


def moment(text: str) -> datetime | None:
    match = MOMENT.search(text)
    if match is None:
        return None
    try:
        whole = datetime.strptime(f"{match[1]} {match[2]}", "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return whole.replace(microsecond=int((match[3] or "0").ljust(6, "0")))


def refusal(diagnostics: Sequence[Diagnostic]) -> str | None:
    """The error that says that the lock was not to be had; gcs says so in other words when there is no state yet."""
    said = (f"{each.summary}\n{each.detail}" for each in diagnostics)
    return next((text for text in said if text.startswith(REFUSED) or LOCK_INFO in text), None)


def held_since(line: str) -> datetime | None:
    """When a line of Terraform was written that it writes only while it holds the lock."""
    try:
        message: dict[str, Any] = json.loads(line)
        kind = message["type"]
        stale = kind == "diagnostic" and message["diagnostic"]["summary"] == STALE_PLAN
        return moment(message["@timestamp"]) if stale or kind in UNDER_THE_LOCK else None
    except (ValueError, LookupError, TypeError, RecursionError):
        return None


def is_by_then(lock: LockInfo, then: datetime) -> bool:
    """Whether a lock seen now was there `then` already, by the clock of this computer: nobody took it after."""
    return lock.host == computer.name() and lock.created is not None and lock.created <= then


def write_note(file: Path, lock_id: str, pid: int, born: str) -> None:
    note = Note(lock_id, pid, born, computer.name(), computer.host_id())
    files.write(file, json.dumps(asdict(note)), durable=False)


def read_note(file: Path) -> Note | None:
    """None also for one that cannot be read: it proves nothing."""
    try:
        return Note(**json_file.load(file.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
