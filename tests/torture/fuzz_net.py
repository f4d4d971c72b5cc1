"""Broken and hostile peers on loopback: one answers as an API server, one asks for Terraform's state."""

from __future__ import annotations

import base64
import gzip
import json
import socket
import threading
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

from karrots.errors import KarrotsError
from tests.torture import hostile
from tests.torture.cage import emptied
from tests.torture.frame import Torture, Wrong
from tests.torture.fuzz import alone, scratch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

    from karrots.adapters.terraform_state import StateServer

PATIENCE = 0.5  # seconds a client waits for an answer
SLACK = 2.0  # above that, until it is said to wait without end
ANNOUNCED = 10 << 30

# What answers


class Answering:
    """A server that says to everyone, and every time, what `say` says."""

    def __init__(self, say: Callable[[socket.socket], None]) -> None:
        self._say = say
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._over = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        self._over.set()
        with suppress(OSError):
            socket.create_connection(self._listener.getsockname(), 1).close()  # wakes accept
        self._listener.close()

    def _serve(self) -> None:
        while not self._over.is_set():
            with suppress(OSError), self._listener.accept()[0] as peer:
                peer.settimeout(PATIENCE + SLACK)
                if peer.recv(1 << 16):
                    self._say(peer)


def head(status: str = "200 OK", **fields: object) -> bytes:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode("latin-1", "replace")


def whole_answer(body: bytes, status: str = "200 OK", kind: str = "application/json", **fields: object) -> bytes:
    return head(status, Content_Type=kind, Content_Length=len(body), Connection="close", **fields) + body


GOOD: dict[str, Any] = {
    "kind": "KustomizationList", "apiVersion": "v1", "metadata": {"resourceVersion": "7", "continue": ""},
    "items": [
        {
            "metadata": {"name": "flux-system", "namespace": "flux-system", "generation": 1},
            "spec": {"suspend": False, "sourceRef": {"kind": "GitRepository"}, "dependsOn": [{"name": "a"}]},
            "status": {
                "conditions": [{"type": "Ready", "status": "False", "reason": "x", "message": "y"}],
                "lastAppliedRevision": "main@sha1:abc", "artifact": {"revision": "main@sha1:abc"},
            },
        }
    ],
}  # fmt: skip


def spoken(random: Random) -> Callable[[socket.socket], None]:  # noqa: C901  (one case per way is the plainest form)
    body = json.dumps(GOOD).encode()
    match random.randrange(15):
        case 0:
            return once(whole_answer(body[: random.randrange(len(body))]))
        case 1:
            return once(
                head(Content_Type="application/json", Content_Length=random.choice((ANNOUNCED, -1, "x", "9" * 400)))
                + body
            )
        case 2:
            return endless(head(Content_Type="application/json", Content_Length=ANNOUNCED), b"[" * (1 << 20))
        case 3:
            return endless(
                head(Content_Type="application/json", Transfer_Encoding="chunked"),
                b"100000\r\n" + b" " * (1 << 20) + b"\r\n",
            )
        case 4:
            return once(whole_answer(gzip.compress(b" " * (256 << 20), 1), Content_Encoding="gzip"))
        case 5:
            return once(whole_answer(random.choice(hostile.BROKEN_JSON)))
        case 6:
            return once(whole_answer(b"<html>log in</html>", kind=random.choice(("text/html", "application/json"))))
        case 7:
            return once(
                head(
                    f"{random.choice((301, 302, 307, 308))} Moved",
                    Location=random.choice(("/", "http://127.0.0.1:1/", "//x", "file:///etc/passwd", "")),
                )
            )
        case 8:
            return endless(b"", head("100 Continue") * 100)
        case 9:
            return slow(whole_answer(body))
        case 10:
            return once(
                b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * random.choice((50, 5000)) + b"X: " + b"y" * 100_000 + b"\r\n\r\n"
            )
        case 11:
            return once(hostile.mutated(random, whole_answer(body)))
        case 12:
            status = f"{random.choice((100, 199, 204, 299, 304, 401, 404, 409, 429, 500, 999))} x"
            return once(
                whole_answer(hostile.json_text(random, {"kind": "Status", "message": "no", "reason": "x"}), status)
            )
        case 13:
            return once(whole_answer(json.dumps({**GOOD, "metadata": {"continue": "again"}}).encode()))
        case _:
            return once(whole_answer(hostile.json_text(random, GOOD)))


def once(data: bytes) -> Callable[[socket.socket], None]:
    return lambda peer: peer.sendall(data)


def endless(first: bytes, again: bytes) -> Callable[[socket.socket], None]:
    def say(peer: socket.socket) -> None:
        peer.sendall(first)
        end = time.monotonic() + PATIENCE + 2 * SLACK
        while time.monotonic() < end:
            peer.sendall(again)

    return say


def slow(data: bytes) -> Callable[[socket.socket], None]:
    def say(peer: socket.socket) -> None:
        for at in range(len(data)):
            peer.sendall(data[at : at + 1])
            time.sleep(0.05)

    return say


def answers(random: Random) -> None:
    from karrots.adapters import flux, kube

    with closing(Answering(spoken(random))) as server:
        client = kube.Kube(kube.Access(server.address, ""), timeout=PATIENCE)
        looks: tuple[Callable[[], object], ...] = (
            lambda: told(flux.state(client)),
            lambda: client.get("/api/v1/namespaces/x"),
            lambda: flux.live_identity(client),
            lambda: flux.frozen(client),
            lambda: client.create("/api/v1/namespaces", {"metadata": {"name": "x"}}),
            lambda: client.merge("/api/v1/namespaces/x", {}),
            lambda: client.delete("/api/v1/namespaces/x"),
            lambda: flux.synced_as(client, flux.Sync(flux.GitAccess("http://x"), "main", "flux"), {}),
        )
        for look in random.sample(looks, 2):
            within(look)
        client.close()


def told(state: Any) -> None:
    """All that is made of it for people."""
    from karrots.adapters import flux

    flux.first_cause(state.failed)
    state.at("abc")
    for found in state.objects:
        if not all(isinstance(word, str) for word in (found.reason, found.message, found.revision, found.namespace)):
            raise Wrong(f"not text: {found}")


def within(look: Callable[[], object]) -> None:
    began = time.monotonic()
    with suppress(KarrotsError):
        look()
    took = time.monotonic() - began
    # A look may ask four times.
    if took > 4 * (PATIENCE + SLACK):
        raise Wrong(f"waited {took:.1f} s, though told to wait {PATIENCE} s for an answer")


# What asks


def requests(random: Random) -> None:
    from karrots.adapters.terraform_state import StateServer
    from tests.support.terraform import lock_info, state

    folder = emptied(scratch()) / "state"
    with StateServer(folder, "ada") as server:
        server.store.acquire(lock_info("one"), "ada")
        server.store.put(state(3), "one")
        for request in asked(random, server):
            _send(server, request)
        if server.store.read() not in (state(3), state(4)):
            raise Wrong("another state is there than was put")
        if b"HTTP/1.0 200" not in _send(server, _request(server, "GET", b"")):
            raise Wrong("the server does not serve any more")
        server.store.release("one")


def asked(random: Random, server: StateServer) -> Iterator[bytes]:
    from tests.support.terraform import lock_info, state

    method = random.choice(("GET", "POST", "LOCK", "UNLOCK", "DELETE", "PUT", "X" * 70_000, "", "\x00", "TRACE"))
    body = random.choice(
        (hostile.json_text(random, json.loads(state(4))), hostile.json_text(random, lock_info("one")), state(4))
    )
    length = random.choice(
        (None, len(body), 0, len(body) // 2, ANNOUNCED, -1, "x", "9" * 5000, "\u0663", "1_0", "+1", " 5 ")
    )
    path = random.choice(
        (
            "/state",
            "/state?ID=one",
            "/state?ID=two",
            "/",
            "/../state",
            "//[",
            "http://[/state",
            "/state?" + "a=b&" * 5000,
            "/state#x",
            "*",
            "/%00",
        )
    )
    if method in ("DELETE", "UNLOCK") or (method == "POST" and length == len(body)):
        path = "/state?ID=two"  # what a stranger may not do
    yield _request(server, method, body, path=path, length=length, known=random.random() < 0.8)
    yield hostile.mutated(random, _request(server, "POST", state(2), path="/state?ID=two"))
    yield random.choice(
        (
            b"",
            b"\r\n" * 1000,
            b"GET /state",
            b"\x16\x03\x01",
            b"GET /state HTTP/9.9\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        )
    )


def _request(
    server: StateServer, method: str, body: bytes, *, path: str = "/state", length: object = "", known: bool = True
) -> bytes:
    _, password = server.address
    token = base64.b64encode(f"karrots:{password}".encode()).decode()
    lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Authorization: {'Basic ' + token if known else 'é'}"]
    if length is not None:
        lines.append(f"Content-Length: {length if length != '' else len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "replace") + body


def _send(server: StateServer, data: bytes) -> bytes:
    with suppress(OSError), socket.create_connection(("127.0.0.1", server.address[0]), 5) as peer:
        peer.settimeout(5)
        with suppress(OSError):
            peer.sendall(data)
            peer.shutdown(socket.SHUT_WR)
        return peer.recv(1 << 16)
    return b""


ROWS: tuple[Torture, ...] = (
    Torture(
        "fuzz-answers", "answers of an API server, broken", "refused or read, in bounded time and memory",
        alone(answers), wanted=800, usual=200, slice=6, workers=2,
    ),
    Torture(
        "fuzz-requests", "requests to the server of Terraform's state, broken", "the state stays, the server serves on",
        alone(requests), wanted=2000, usual=600, slice=15,
    ),
)  # fmt: skip
