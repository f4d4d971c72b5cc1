"""Processes that outlive us, told apart by when they started: a pid alone may be somebody else's by now."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil

from karrots import computer
from karrots.adapters import process
from karrots.errors import Failed

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

LOOK_AGAIN = 0.005
# The kernel ends a killed process at once unless a device holds it.
KILL_TIME = 10.0

# What this very process started: only its parent can tell that a process has ended with all its threads.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class Known:
    """A process as it was started. `born` is what no other process has, after a restart of the computer either."""

    pid: int
    born: str
    argv: tuple[str, ...]

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Known:
        return cls(int(data["pid"]), str(data.get("born", "")), tuple(map(str, data["argv"])))


def start(argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path) -> Known:
    child = process.spawn(argv, cwd=cwd, env=env, log=log)
    _children[child.pid] = child
    return Known(child.pid, computer.born(child.pid, ended_too=True), tuple(argv))


def find(known: Known) -> psutil.Process | None:
    """The process, while any part of it is left; None when it is gone, or its pid is another's now."""
    try:
        found = psutil.Process(known.pid)
        same = computer.born(known.pid, ended_too=True) == known.born != ""
        return found if same and not _gone(found) else None
    except psutil.NoSuchProcess:
        return None


def alive(known: Known) -> bool:
    found = find(known)
    try:
        return found is not None and found.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _gone(found: psutil.Process) -> bool:
    """A process that has ended keeps its sockets until its last thread is gone: its first may be long a zombie."""
    child = _children.get(found.pid)
    if child is not None:
        return child.poll() is not None
    try:
        return found.status() == psutil.STATUS_ZOMBIE and found.num_threads() <= 1
    except psutil.NoSuchProcess:
        return True


def memory(known: Known) -> int:
    """Resident bytes; 0 for a process that is gone."""
    found = find(known)
    with suppress(psutil.Error):
        return int(found.memory_info().rss) if found else 0
    return 0


def kill(processes: Iterable[psutil.Process]) -> int:
    """SIGKILL all of them with their children, and wait until each is really gone. Counts them."""
    return len(_end(list(processes), signal.SIGKILL, KILL_TIME, last=True))


def terminate(processes: Iterable[psutil.Process], grace: float) -> int:
    """SIGTERM, and SIGKILL for those that are still there after `grace` seconds. Counts the latter."""
    stubborn = _end(list(processes), signal.SIGTERM, grace, last=False)
    return kill(stubborn)


def _end(processes: list[psutil.Process], number: signal.Signals, wait: float, *, last: bool) -> list[psutil.Process]:
    """With `last`: the processes ended, Failed when one is left. Without: those that are left."""
    for found in processes:
        _signal(found, number)
    end = time.monotonic() + wait
    left = _left(processes)
    while left and time.monotonic() < end:
        time.sleep(LOOK_AGAIN)
        left = _left(left)
    if last and left:
        raise Failed(
            f"process {left[0].pid} does not end",
            why="it got SIGKILL, and the kernel still holds it",
            hint="run the same command again",
        )
    return processes if last else left


def _left(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    return [found for found in processes if found.is_running() and not _gone(found)]


def _signal(found: psutil.Process, number: signal.Signals) -> None:
    """To its whole group: each was started as the leader of one, and git's children are in the git server's."""
    with suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
        if found.is_running():
            if os.getpgid(found.pid) == found.pid:
                os.killpg(found.pid, number)
            else:
                found.send_signal(number)
