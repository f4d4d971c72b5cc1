"""Which loopback ports a cluster listens on.

A cluster keeps its ports for life, so they are drawn below the range from which the kernel hands out ports to outgoing
connections: one inside it can be taken by anybody between a stop and the next start.
"""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from karrots.errors import Failed

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

HOST = "127.0.0.1"
LOWEST = 15000
# Below this many ports under the kernel's range the ones above it, or a fixed range, are used.
ENOUGH = 1000
FIXED = (20000, 30000)
LINUX_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def draw(names: Sequence[str], key: str, taken: Container[int]) -> dict[str, int]:
    """A block of free neighbouring ports, one for each name; `key` decides where the search begins.

    Raises Failed when no block is free.
    """
    for first in _blocks(len(names), key):
        block = range(first, first + len(names))
        if not any(port in taken for port in block) and all(is_free(port) for port in block):
            return dict(zip(names, block, strict=True))
    raise Failed(
        f"no {len(names)} neighbouring free ports on {HOST}",
        why="all blocks of the engine's port range hold a port that is in use",
        hint="karrots engine list",
    )


def _blocks(size: int, key: str) -> Iterator[int]:
    low, high = span()
    count = (high - low) // size
    start = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") % count
    yield from (low + size * ((start + turn) % count) for turn in range(count))


def span() -> tuple[int, int]:
    """The range that ports are drawn from, end excluded."""
    first, last = ephemeral_range()
    if first - LOWEST >= ENOUGH:
        return LOWEST, first
    if 65535 - last >= ENOUGH:
        return last + 1, 65536
    return FIXED


def ephemeral_range() -> tuple[int, int]:
    """First and last port for outgoing connections (macOS has the range that IANA names)."""
    try:
        first, last = LINUX_RANGE.read_text().split()
    except OSError:
        return 49152, 65535
    return int(first), int(last)


def is_free(port: int, *, reuse: bool = False) -> bool:
    """`reuse` lets connections that are still closing pass, as the listeners of the cluster themselves do."""
    with socket.socket() as probe:
        if reuse:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def holder(port: int) -> str:
    """The process that listens on `port`, for people."""
    import psutil

    try:
        found = [c.pid for c in psutil.net_connections("tcp") if _listens(c, port) and c.pid]
        return f"process {found[0]} ({psutil.Process(found[0]).name()})" if found else "a program of another user"
    except psutil.Error:
        return "another program"


def _listens(connection: object, port: int) -> bool:
    address = getattr(connection, "laddr", None)
    return getattr(connection, "status", "") == "LISTEN" and bool(address) and getattr(address, "port", 0) == port
