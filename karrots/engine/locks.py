"""File locks between processes of this computer, which leave no file behind."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from karrots import places
from karrots.errors import Locked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOOK_AGAIN = 0.02


@contextmanager
def held(path: Path, what: str, *, wait: float = 120.0) -> Iterator[None]:
    """Hold the lock at `path` for the length of the block. The kernel drops it when its holder dies.

    Raises Locked, naming the holder, when it could not be had within `wait` seconds.
    """
    places.private_folder(path.parent)
    handle = _take(path, what, time.monotonic() + wait)
    try:
        yield
    finally:
        # removed while still held, so that a waiter who gets it sees that the file is gone and opens a new one
        with suppress(FileNotFoundError):
            path.unlink()
        os.close(handle)


def _take(path: Path, what: str, end: float) -> int:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if _try(handle) and _still_at(path, handle):
            os.ftruncate(handle, 0)
            os.write(handle, str(os.getpid()).encode())
            return handle
        holder = os.pread(handle, 32, 0).decode("ascii", "replace")
        os.close(handle)
        if time.monotonic() > end:
            raise Locked(
                f"{what} is locked by another karrots",
                why=f"process {holder or 'unknown'} works on it",
                hint="wait for it to end, then run the same command again",
            )
        time.sleep(LOOK_AGAIN)


def _try(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _still_at(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False
