"""As many Terraforms at once as the memory holds: a cloud's provider takes hundreds of megabytes for each of them."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from karrots import places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LOOK_SECONDS = 1.0
MOST = 64  # at once, however much memory there is


def free() -> int:
    """Bytes that programs may still have without others being pushed out."""
    import psutil

    return int(psutil.virtual_memory().available)


@contextmanager
def room(folder: Path, need: int, waiting: Callable[[], None], *, left: Callable[[], int] = free) -> Iterator[None]:
    """Hold one of the places that `left` bytes are enough for, one at least. The kernel gives it back at our end.

    `need` is what one run takes, in bytes; 0 for one that takes nothing worth a wait. `waiting` is called once.
    """
    if need == 0:
        yield
        return
    places.private_folder(folder)
    handle = _taken(folder, need, left)
    if handle is None:
        waiting()
    while handle is None:
        time.sleep(LOOK_SECONDS)
        handle = _taken(folder, need, left)
    try:
        yield
    finally:
        os.close(handle)


def _taken(folder: Path, need: int, left: Callable[[], int]) -> int | None:
    """A place with a number below how many there is room for now: those at work have their memory already."""
    for number in range(min(MOST, max(1, left() // need))):
        handle = os.open(folder / str(number), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        os.close(handle)
    return None
