"""Those of one computer who want to write one ledger take turns, once they got in each other's way.

Every lost race costs a fetch, a commit and a push; a hundred who race lose nearly all of them. This is a courtesy and
not a lock: what counts is the swap of the ledger's ref. Who holds a turn and does not move is not waited for.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from contextlib import contextmanager
from random import SystemRandom
from typing import TYPE_CHECKING

from karrots import places

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Of one and the same holder; a turn is a fetch, a commit and a push, and takes seconds where a hundred wait.
STUCK_SECONDS = 30.0
# Of a hundred who wait, one looks soon enough; all of them looking all the time would take a core.
LONGEST_PAUSE = 0.4
MARK_BYTES = 64


@contextmanager
def turn(ledger: str, longest: float) -> Iterator[None]:
    """`ledger` is its address; after `longest` seconds, or where no file can be made, one goes without."""
    try:
        descriptor = os.open(_file(ledger), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        yield
        return
    try:
        if _wait(descriptor, longest):
            os.pwrite(descriptor, f"{os.getpid()} {time.monotonic_ns()}".ljust(MARK_BYTES).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _wait(descriptor: int, longest: float) -> bool:
    began = since = time.monotonic()
    seen, pause = b"", 0.02
    while time.monotonic() - began < longest:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, MARK_BYTES, 0)
            if holder != seen:
                seen, since = holder, time.monotonic()
            elif time.monotonic() - since > STUCK_SECONDS:
                return False
            time.sleep(SystemRandom().uniform(pause / 2, pause))
            pause = min(LONGEST_PAUSE, 1.5 * pause)
        except OSError:
            return False  # a file system without locks
        else:
            return True
    return False


def _file(ledger: str) -> Path:
    """Stays when the turn is over: who removes it would take it from those who wait."""
    digest = hashlib.sha256(os.fsencode(ledger)).hexdigest()[:16]
    return places.private_folder(places.state() / "turns") / digest
