"""What an API server answers, within bounds: size, time and form.

Whoever answers at an address may be a captive portal, a proxy, or somebody who wants our memory. A read timeout alone
bounds the time between two bytes, and none of them is bounded in number.
"""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from urllib3 import PoolManager
    from urllib3.connection import HTTPConnection
    from urllib3.response import BaseHTTPResponse

MOST_BYTES = 64 << 20  # a page of 500 large objects has some MiB
MOST_PAGES = 2_000
CHUNK = 1 << 16
WARNING = re.compile(r'^\d{3} \S+ "((?:[^"\\]|\\.)*)"')
LONGEST_WARNING = 4096


class TooMuch(OSError):
    """More than anybody needs, or for longer than anybody waits."""


def whole(response: BaseHTTPResponse, end: float) -> bytes:
    """The body; `end` is a time of the monotonic clock. Raises TooMuch.

    It is not decompressed: we ask for none, and a few KiB of gzip unfold to as many GiB.
    """
    parts: list[bytes] = []
    size = 0
    while piece := response.read1(CHUNK, decode_content=False):
        parts.append(piece)
        size += len(piece)
        if size > MOST_BYTES or time.monotonic() > end:
            response.close()
            raise TooMuch(
                f"the answer has more than {MOST_BYTES >> 20} MiB" if size > MOST_BYTES else "it takes too long"
            )
    response.drain_conn()  # nothing is left; the connection can be used again
    return b"".join(parts)


def decoded(data: bytes) -> Any:
    """Raises ValueError for what is no JSON."""
    try:
        return json.loads(data)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def warned(headers: Iterable[str]) -> tuple[str, ...]:
    """The texts of `Warning` headers (RFC 7234, 5.5): `299 - "text"`, in which quotes are escaped."""
    found = (WARNING.search(header[:LONGEST_WARNING]) for header in headers)
    return tuple(re.sub(r"\\(.)", r"\1", each[1]) for each in found if each)


def is_object(found: Any) -> bool:
    """A Kubernetes object as far as any reader of ours looks: groups where groups belong, and a name."""
    if not isinstance(found, dict):
        return False
    meta = found.get("metadata")
    if not isinstance(meta, dict) or not isinstance(meta.get("name"), str):
        return False
    texts = (meta.get("namespace", ""), meta.get("resourceVersion", ""))
    groups = (found.get("spec"), found.get("status"), found.get("data"))
    return all(isinstance(text, str) for text in texts) and all(isinstance(part, dict | None) for part in groups)


class Watched:
    """Connections of a pool that are cut when no head of an answer has come in time, whatever else came.

    http.client passes over any number of `100 Continue`, and a header may come one letter at a time.
    """

    def __init__(self, pool: PoolManager) -> None:
        self._connections: list[HTTPConnection] = []
        http, https = pool.pool_classes_by_scheme["http"], pool.pool_classes_by_scheme["https"]
        pool.pool_classes_by_scheme = {"http": self._noting(http), "https": self._noting(https)}

    def _noting(self, kind: type[Any]) -> type[Any]:
        connections = self._connections

        class Noted(kind.ConnectionCls):  # type: ignore[misc,name-defined]
            def connect(self) -> None:
                super().connect()
                connections[:] = [each for each in connections if each.sock is not None]
                connections.append(self)

        return type(kind.__name__, (kind,), {"ConnectionCls": Noted})

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        watch = threading.Timer(seconds, self._cut)
        watch.daemon = True
        watch.start()
        try:
            yield
        finally:
            watch.cancel()

    def _cut(self) -> None:
        for connection in self._connections:
            if connection.sock is not None:
                with suppress(OSError):  # below TLS, whose own way of ending waits for the other side
                    socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)
