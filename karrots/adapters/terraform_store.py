"""Terraform's state of one cluster, as a folder of versions.

Each write is a new file, on the disk before the pointer `current` names it, so that a kill at any moment leaves the
state before the write or the one after it. Terraform's own `local` backend rewrites its one file in place and loses it
when killed (https://github.com/hashicorp/terraform/issues/34266).

    current                          name of the version that counts
    versions/<serial>-<digest>.json  what Terraform sent, mode 0600: a state may hold secrets
    fenced.json                      operations that lost the cluster: what they still send is refused
    lock.json                        who works on it; the holder keeps the file locked, so a dead holder shows
    workers/<process id>.json        each Terraform that runs for a holder: it may outlive it and keep its last state
    guard                            serialises changes of this folder between processes
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import uuid
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from karrots import clock, computer, files
from karrots.adapters import terraform_document as document
from karrots.adapters.terraform_document import StateMalformed, StateRefused, parse
from karrots.adapters.terraform_values import Output, outputs
from karrots.errors import Failed, KarrotsError, Locked
from karrots.places import private_folder
from karrots.spec import json_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "Acquired", "Lock", "StateFenced", "StateLocked", "StateMalformed", "StateRefused", "StateStore", "Version",
    "Worker", "typed",
]  # fmt: skip

KEPT_VERSIONS = 50
# Terraform writes this file into its folder when it cannot send the state anywhere.
UNSAVED = "errored.tfstate"
WORKED_ON = "a Terraform of an operation that lost the cluster"
# The clock that start times are told by may be set meanwhile.
CREATED_TOLERANCE_SECONDS = 2.0
VERSION_NAME = re.compile(r"\d{10,}-[0-9a-f]{32}\.json$", re.ASCII)


class StateFenced(StateRefused):
    """An operation that lost its cluster, and learns it now."""

    def __init__(self, holder: str) -> None:
        super().__init__(
            f"the Terraform state is closed to {holder}",
            why="it was stopped for longer than its lease, and somebody took the cluster over",
        )


class StateLocked(Locked):
    """Somebody else works on this state."""

    def __init__(self, lock: Lock, file: Path, hint: str = "") -> None:
        hint = hint or "wait until it has ended, then run the same command again"
        if not lock.is_here:
            hint += f"; if {computer.described(lock.host, lock.host_id)} is gone: rm {file}"
        super().__init__(
            f"the Terraform state is locked by {lock.holder}",
            why=f"{lock.operation or 'an operation'} since {lock.since}, process {lock.pid} on {lock.host}",
            hint=hint,
        )
        self.lock = lock


@dataclass(frozen=True)
class Lock:
    """`info` is Terraform's own description of the lock, `holder` ours."""

    id: str
    holder: str
    host: str
    pid: int
    since: str
    info: dict[str, Any]
    host_id: str = ""

    @property
    def is_here(self) -> bool:
        return computer.is_this(self.host, self.host_id)

    @property
    def operation(self) -> str:
        return str(self.info.get("Operation", "")).removeprefix("OperationType").lower()


@dataclass(frozen=True)
class Worker:
    """A Terraform, working in `folder` for the process `owner`; `created` tells it from a later one of the same id."""

    pid: int
    created: float
    owner: int
    folder: str

    @property
    def is_alive(self) -> bool:
        return abs(_created(self.pid) - self.created) < CREATED_TOLERANCE_SECONDS


Noted = TypeVar("Noted", Lock, Worker)
NOTED: dict[type[Any], dict[str, type | tuple[type, ...]]] = {
    Lock: {"id": str, "holder": str, "host": str, "pid": int, "since": str, "info": dict, "host_id": str},
    Worker: {"pid": int, "created": (int, float), "owner": int, "folder": str},
}


@dataclass(frozen=True)
class Acquired:
    """The lock is ours; `dead` held it before and has died, `rescued` are states it left in files, taken over."""

    dead: Lock | None = None
    rescued: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Version:
    """One write; `digest` is the start of the SHA-256 of its bytes."""

    path: Path
    serial: int
    digest: str

    @property
    def written(self) -> datetime:
        return datetime.fromtimestamp(self.path.stat().st_mtime, UTC)


class StateStore:
    """One cluster's states on the disk; usable without Terraform and without the server.

    `holder` is the operation it is used for, which may be fenced meanwhile.

    Not for use from several threads, except through StateServer.
    """

    def __init__(self, folder: Path, holder: str = "") -> None:
        self.folder = folder
        self.holder = holder
        self._fence = folder / "fenced.json"
        self._versions = folder / "versions"
        self._pointer = folder / "current"
        self._lock = folder / "lock.json"
        self._workers = folder / "workers"
        self._held: int | None = None

    # Reading

    def read(self) -> bytes | None:
        """The state that counts, as Terraform sent it. Raises Failed when the disk gives back something else."""
        version = self._current_version()
        if version is None:
            return None
        try:
            data = version.path.read_bytes()
        except FileNotFoundError:
            data = b""
        if _digest(data) != version.digest:
            raise self._damaged(version.path)
        return data

    def current(self) -> dict[str, Any] | None:
        data = self.read()
        return None if data is None else parse(data)

    @property
    def serial(self) -> int | None:
        version = self._current_version()
        return version.serial if version else None

    @property
    def lineage(self) -> str | None:
        state = self.current()
        return str(state["lineage"]) if state else None

    def resources(self) -> int:
        """How many objects Terraform manages by this state."""
        return document.resources(self.current())

    def outputs(self) -> dict[str, Output]:
        return outputs(document.clear(self.current()).get("outputs") or {})

    def tool_version(self) -> str | None:
        """The version of Terraform or OpenTofu that wrote the state."""
        return (self.current() or {}).get("terraform_version")

    def versions(self) -> list[Version]:
        """Every version kept, oldest first."""
        if not self._versions.is_dir():
            return []
        found = [_version(path) for path in self._versions.iterdir() if VERSION_NAME.match(path.name)]
        return sorted(found, key=lambda version: version.serial)

    def lock(self) -> Lock | None:
        """Who works on the state; None also when the holder has died."""
        if not self._lock.exists():
            return None
        with self._guard():
            lock = self._read_lock()
            return lock if lock and self._is_held(lock) else None

    # Changing

    def put(self, data: bytes, lock_id: str) -> Version:
        """Keep `data` as the state from now on.

        Raises StateMalformed, StateLocked, or StateRefused for a missing lock, an older serial or another lineage.
        """
        state = parse(data)
        with self._guard():
            self._refuse_if_fenced()
            self._check_lock(lock_id)
            self._check_succession(state, data)
            return self._store(state["serial"], data)

    def adopt(self, path: Path) -> bool:
        """Take over a state that Terraform could not send and left in a file (`errored.tfstate`).

        Answers False when it is not newer than the state here. Raises as `put` does.
        """
        with self._guard():
            self._refuse_if_fenced()
            self._refuse_if_locked()
            return self._adopt(path)

    def forget(self) -> None:
        """No state counts any more; the versions stay."""
        with self._guard():
            self._refuse_if_fenced()
            self._refuse_if_locked()
            files.remove(self._pointer)
            files.sync_folder(self.folder)

    def remove(self) -> int:
        """Delete the folder with every version; answers the number of versions. Raises StateLocked."""
        if not self.folder.exists():
            return 0
        with self._guard():
            self._refuse_if_fenced()
            self._refuse_if_locked()
            count = len(self.versions())
            files.remove_tree(self.folder)
        return count

    def acquire(self, info: dict[str, Any], holder: str) -> Acquired:
        """Lock the state, as long as this object lives and until `release`.

        What a dead holder's Terraform could not send any more is taken over first. Raises StateLocked, and Failed when
        such a state cannot be taken over.
        """
        with self._guard():
            self.holder = holder
            self._refuse_if_fenced()
            before = self._read_lock()
            if before and self._is_held(before):
                raise StateLocked(before, self._lock)
            self.refuse_beside_a_terraform()
            rescued = tuple(self._rescue())
            self._write_lock(info, holder)
            return Acquired(before, rescued)

    def fence(self, holders: Iterable[str]) -> None:
        """From now on these operations change nothing here, although they live and may hold the lock.

        What a Terraform of theirs still does elsewhere is not undone by that, so it is waited for (`acquire`).
        """
        with self._guard():
            fenced = {*self._fenced(), *holders}
            files.write(self._fence, json.dumps(sorted(fenced)))
            lock = self._read_lock()
            if lock is not None and lock.holder in fenced:
                files.remove(self._lock)

    def begin_work(self, pid: int, folder: Path) -> None:
        """Note a Terraform that works for us in `folder`."""
        with self._guard():
            self._refuse_if_fenced()
            worker = Worker(pid, _created(pid), os.getpid(), str(folder))
            private_folder(self._workers)
            files.write(self._workers / f"{pid}.json", json.dumps(vars(worker)).encode(), durable=False)

    def end_work(self, pid: int) -> None:
        """It has ended, and what it left behind is safe."""
        files.remove(self._workers / f"{pid}.json")

    def release(self, lock_id: str | None = None) -> None:
        """Give back what this object holds; with an id, the lock of that id, which may also be a dead holder's.

        Raises StateLocked for the lock of somebody else.
        """
        if self._held is None and (lock_id is None or not self._lock.exists()):
            return
        with self._guard():
            lock = self._read_lock()
            if not self._owns():
                self._drop()
            if lock and (lock_id not in {None, lock.id} or not self._is_mine(lock)):
                raise StateLocked(lock, self._lock)
            files.remove(self._lock)
            self._drop()

    # Inside

    @contextmanager
    def _guard(self) -> Iterator[None]:
        path = self.folder / "guard"
        while True:
            private_folder(self._versions)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if not _is_same_file(descriptor, path):
                    continue  # somebody removed the folder while we waited
                yield
                return
            finally:
                os.close(descriptor)

    def _current_version(self) -> Version | None:
        try:
            name = self._pointer.read_bytes().decode("ascii", "replace").strip()
        except FileNotFoundError:
            return None
        if not VERSION_NAME.match(name):
            raise self._damaged(self._pointer)
        return _version(self._versions / name)

    def _adopt(self, path: Path) -> bool:
        data = path.read_bytes()
        here = self.current()
        state, data = _founded(data) if here is None else (parse(data), data)
        if here and state["serial"] <= here["serial"] and state["lineage"] == here["lineage"]:
            return False
        self._check_succession(state, data)
        self._store(state["serial"], data)
        return True

    def orphans(self) -> Iterator[tuple[Worker, Path]]:
        """Terraforms of the dead that have ended, each with the file that its last state would be in."""
        for worker in self._read_workers():
            if worker.owner != os.getpid() and not worker.is_alive:  # else its own run looks after it
                yield worker, Path(worker.folder) / UNSAVED

    def _rescue(self) -> Iterator[Path]:
        for worker, left in self.orphans():
            try:
                if left.exists():
                    self._adopt(left)
                    files.remove(left)
                    yield left
            except (KarrotsError, OSError) as error:
                raise Failed(
                    f"the Terraform state left in {left} cannot be taken over",
                    why=f"{error}: {getattr(error, 'why', '')}",
                    hint=f"look into {left}, move it away, then run the same command again",
                ) from error
            self.end_work(worker.pid)

    def _read_workers(self) -> list[Worker]:
        if not self._workers.is_dir():
            return []
        found = []
        for path in sorted(self._workers.glob("*.json")):
            with suppress(ValueError, TypeError):
                found.append(typed(Worker, json_file.load(path.read_bytes())))
        return found

    def _store(self, serial: int, data: bytes) -> Version:
        version = _version(self._versions / f"{serial:010d}-{_digest(data)}.json")
        files.write(version.path, data)
        files.write(self._pointer, version.path.name.encode())
        self._prune(version)
        return version

    def _prune(self, current: Version) -> None:
        for old in self.versions()[:-KEPT_VERSIONS]:
            if old != current:
                files.remove(old.path)

    def _check_lock(self, lock_id: str) -> None:
        lock = self._read_lock()
        if lock is None:
            raise StateRefused(
                "a Terraform state was sent without holding the lock", why="karrots never runs with -lock=false"
            )
        if lock.id != lock_id:
            raise StateLocked(lock, self._lock)

    def _check_succession(self, state: dict[str, Any], data: bytes) -> None:
        before = self.current()
        if before is None:
            return
        if state["lineage"] != before["lineage"]:
            raise StateRefused(
                "the Terraform state sent belongs to another cluster",
                why=f"its lineage is '{state['lineage']}', that of the state here '{before['lineage']}'",
            )
        # The same write may come twice: Terraform repeats a request whose answer got lost.
        if state["serial"] < before["serial"] or (state["serial"] == before["serial"] and data != self.read()):
            raise StateRefused(
                "the Terraform state sent is older than the one kept",
                why=f"its serial is {state['serial']}, that of the state here {before['serial']}",
            )

    def _fenced(self) -> set[str]:
        """A damaged list must not pass for an empty one."""
        try:
            return set(map(str, json_file.load(self._fence.read_bytes())))
        except FileNotFoundError:
            return set()
        except (ValueError, TypeError) as error:
            raise Failed(f"{self._fence} cannot be read", why=str(error), hint=f"rm {self._fence}") from error

    def _refuse_if_fenced(self) -> None:
        if self.holder and self.holder in self._fenced():
            raise StateFenced(self.holder)

    def refuse_beside_a_terraform(self) -> None:
        """One that lives works for an operation whose lock was fenced: two must not change the same things.

        Raises StateLocked.
        """
        for worker in self._read_workers():
            if worker.owner != os.getpid() and worker.is_alive:
                info = {"ID": str(worker.pid)}
                lock = Lock(info["ID"], WORKED_ON, computer.name(), worker.pid, clock.stamp(), info, computer.host_id())
                let_end = f"let it end, then run the same command again: kill -CONT {worker.owner} {worker.pid}"
                raise StateLocked(lock, self._lock, let_end)

    def _refuse_if_locked(self) -> None:
        lock = self._read_lock()
        if lock and self._is_held(lock):
            raise StateLocked(lock, self._lock)

    def _read_lock(self) -> Lock | None:
        try:
            written = self._lock.read_bytes()
            # An empty file is what is left of it after a power cut.
            return typed(Lock, json_file.load(written)) if written else None
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise Failed(
                f"the lock file {self._lock} cannot be read", why=str(error), hint=f"rm {self._lock}"
            ) from error

    def _write_lock(self, info: dict[str, Any], holder: str) -> None:
        self._drop()
        lock = Lock(str(info["ID"]), holder, computer.name(), os.getpid(), clock.stamp(), info, computer.host_id())
        files.write(self._lock, json.dumps(vars(lock), sort_keys=True).encode(), durable=False)
        self._held = os.open(self._lock, os.O_RDWR)
        fcntl.flock(self._held, fcntl.LOCK_EX)

    def _is_held(self, lock: Lock) -> bool:
        """Whether the holder lives (the system drops its file lock with it, however it ended), or its Terraform does.

        A holder on another computer, seen through a shared folder, counts as alive: file locks may not reach so far.
        """
        if self._owns() or not lock.is_here:
            return True
        descriptor = os.open(self._lock, os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return any(worker.owner == lock.pid and worker.is_alive for worker in self._read_workers())

    def _is_mine(self, lock: Lock) -> bool:
        """A dead holder's lock is anybody's."""
        return self._owns() or not self._is_held(lock)

    def _owns(self) -> bool:
        """Whether the lock is still ours; a fenced one was taken away, though its file is held."""
        return self._held is not None and _is_same_file(self._held, self._lock)

    def _drop(self) -> None:
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def _damaged(self, path: Path) -> Failed:
        older = [kept.path.name for kept in self.versions() if kept.path != path]
        hint = f"printf %s {older[-1]} > {self._pointer}  # the newest version beside it" if older else ""
        return Failed(f"the Terraform state {path} is damaged", why="its content is not what was written", hint=hint)


def _created(pid: int) -> float:
    """When a process started; never, when there is none or it has only not been waited for."""
    import psutil

    try:
        process = psutil.Process(pid)
        return float("-inf") if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except (psutil.Error, ValueError, OverflowError):  # the latter two for numbers that no process has
        return float("-inf")


def typed(kind: type[Noted], data: Any) -> Noted:
    """A note of ours from a file; raises TypeError when it has another form."""
    note = kind(**data)
    for name, wanted in NOTED[kind].items():
        if not isinstance(getattr(note, name), wanted):
            raise TypeError(f"{name} has the wrong type")
    return note


def _founded(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The first state of a cluster, with a lineage: Terraform gives it one no sooner than it can send it."""
    try:
        state = json.loads(data)
        if state["lineage"] == "":
            first = {"lineage": str(uuid.uuid4()), "serial": max(state["serial"], 1)}
            data = json.dumps(state | first, indent=2).encode()
    except (ValueError, TypeError, KeyError, RecursionError):
        pass  # parse says what is wrong with it
    return parse(data), data


def _version(path: Path) -> Version:
    serial, _, digest = path.stem.partition("-")
    return Version(path, int(serial), digest)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def _is_same_file(descriptor: int, path: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), path.stat())
    return False
