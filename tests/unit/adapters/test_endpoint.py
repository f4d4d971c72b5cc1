"""What may stand between us and an API server, each for real on loopback."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from karrots.adapters.endpoint import Reach, reachable
from karrots.engine import certificates
from karrots.providers.endpoint import endpoint_check, private_check
from karrots.spec.cluster import load_cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from karrots.spec.cluster import ClusterSpec

SHORT = 0.3  # for what will not answer; what answers ends the wait


@pytest.fixture
def pki(tmp_path: Path) -> Path:
    certificates.make(tmp_path / "pki")
    return tmp_path / "pki"


@pytest.fixture
def ca(pki: Path) -> str:
    return (pki / "ca.crt").read_text()


@contextmanager
def listening(answer: Callable[[socket.socket], object]) -> Iterator[int]:
    """The port of a server that does `answer` with each connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


@contextmanager
def api_server(pki: Path) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / "apiserver.crt", pki / "apiserver.key")

    def shake_hands(connection: socket.socket) -> None:
        try:
            with context.wrap_socket(connection, server_side=True) as secure:
                secure.recv(1)
        except OSError:
            pass

    with listening(shake_hands) as port:
        yield port


def test_one_that_answers(pki: Path, ca: str) -> None:
    with api_server(pki) as port:
        for name in ("127.0.0.1", "localhost"):
            found = reachable(f"https://{name}:{port}", ca)
            assert found == Reach(f"https://{name}:{port}", "", "answers", "127.0.0.1")
            assert found.ok


def test_one_of_another_authority(pki: Path, tmp_path: Path) -> None:
    certificates.make(tmp_path / "other")
    with api_server(pki) as port:
        found = reachable(f"https://127.0.0.1:{port}", (tmp_path / "other/ca.crt").read_text())
        assert found.problem == "certificate"
        assert "does not come from the cluster's authority" in found.why
        assert reachable(f"https://127.0.0.1:{port}", "").problem == "certificate"


def test_one_of_another_name(pki: Path, ca: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def elsewhere(host: str, port: int, *_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", elsewhere)
    with api_server(pki) as port:
        found = reachable(f"https://other.example.com:{port}", ca)
    assert (found.problem, found.why) == ("certificate", "its certificate is not for 'other.example.com'")


def test_nobody_listens(ca: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    found = reachable(f"https://127.0.0.1:{port}", ca)
    assert (found.problem, found.why) == ("refused", f"nobody listens at 127.0.0.1:{port}")


def test_one_that_takes_connections_and_says_nothing(ca: str) -> None:
    done = threading.Event()
    with listening(lambda _: done.wait()) as port:
        found = reachable(f"https://127.0.0.1:{port}", ca, timeout=SHORT)
        done.set()
    assert (found.problem, found.why) == ("timeout", f"127.0.0.1:{port} does not answer")


def test_one_that_takes_no_connection(ca: str) -> None:
    """As behind a firewall that drops: the queue of those who want in is full."""
    waiting = []
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        address = server.getsockname()
        for _ in range(4):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(address)
            waiting.append(client)
        found = reachable(f"https://127.0.0.1:{address[1]}", ca, timeout=SHORT)
    for client in waiting:
        client.close()
    assert found.problem == "timeout"


def test_one_that_does_not_speak_tls(ca: str) -> None:
    with listening(lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" * 8)) as port:
        found = reachable(f"https://127.0.0.1:{port}", ca)
    assert found.problem in ("tls", "network"), found


def unknown(*_: Any) -> list[Any]:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def test_a_name_that_is_not_known(monkeypatch: pytest.MonkeyPatch, ca: str) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    found = reachable("https://nowhere.example.com", ca)
    assert found.problem == "name"
    assert found.why == "the name 'nowhere.example.com' is not known here: Name or service not known"


def test_a_name_that_no_resolver_would_be_asked_for(ca: str) -> None:
    assert reachable(f"https://{'x' * 64}.example.com", ca).problem == "name"


def test_a_resolver_that_is_silent(monkeypatch: pytest.MonkeyPatch, ca: str) -> None:
    done = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [done.wait()][:0])
    found = reachable("https://nowhere.example.com", ca, timeout=SHORT)
    done.set()
    assert found.problem == "timeout"
    assert "where 'nowhere.example.com' is" in found.why


def spec(api: str) -> ClusterSpec:
    text = (
        "apiVersion: karrots.dev/v1\nkind: Cluster\nprovider: eks\nkubernetes: '1.36'\nnodes: {default: {count: 2}}\n"
    )
    return load_cluster(f"{text}network: {{api: {api}}}\n", "cluster.yaml")


@pytest.mark.parametrize("provider", ["eks", "gke", "aks"])
def test_what_to_do_about_a_private_one(provider: str, monkeypatch: pytest.MonkeyPatch, ca: str) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    check = endpoint_check(provider, "https://x.example.com", ca, private=True)
    assert not check.ok
    assert check.hint.startswith("run karrots where the ")
    assert "network.api: public" in check.hint
    assert endpoint_check(provider, "https://x.example.com", ca, private=False).hint.startswith("a private cluster's")


def test_an_address_that_is_private_says_so_itself() -> None:
    assert Reach("https://x", "timeout", "", "10.0.3.4").private
    assert not Reach("https://x", "timeout", "", "3.4.5.6").private
    assert not Reach("https://x", "name", "").private


def test_one_that_answers_is_a_row_that_is_fine(pki: Path, ca: str) -> None:
    with api_server(pki) as port:
        check = endpoint_check("eks", f"https://127.0.0.1:{port}", ca, private=True)
    assert (check.ok, check.found) == (True, f"https://127.0.0.1:{port} answers from 127.0.0.1")


def test_a_private_cluster_before_it_is_made(pki: Path) -> None:
    assert private_check("eks", spec("public")) == []
    (refused,) = private_check("eks", spec("private"))
    assert not refused.ok
    with api_server(pki) as port:
        (seen,) = private_check("eks", spec("private"), f"https://127.0.0.1:{port}")
    assert seen.ok
    (gone,) = private_check("eks", spec("private"), f"https://127.0.0.1:{port}")
    assert not gone.ok
    assert "nobody listens" in gone.found
