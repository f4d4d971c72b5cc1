"""The backend by its protocol, over real loopback connections."""

from __future__ import annotations

import base64
import json
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from karrots.adapters import terraform_state
from karrots.adapters.terraform_state import StateServer, StateStore
from tests.support.terraform import ask, lock, lock_info, state, unlock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def server(tmp_path: Path, said: list[str]) -> Iterator[StateServer]:
    with StateServer(tmp_path / "one", "operation 1", say=said.append) as running:
        yield running


def test_a_life(server: StateServer) -> None:
    assert ask(server, "GET")[:2] == (204, b"")
    assert lock(server) == 200
    assert ask(server, "POST", state(1), query="?ID=one")[0] == 200
    status, body, headers = ask(server, "GET")
    assert (status, body) == (200, state(1))
    assert headers["Content-MD5"]
    assert ask(server, "POST", state(2, resources=2), query="?ID=one")[0] == 200
    assert unlock(server) == 200
    assert (server.store.serial, server.store.resources()) == (2, 2)
    assert ask(server, "DELETE")[0] == 200
    assert ask(server, "GET")[0] == 204


def test_only_loopback_is_bound(server: StateServer) -> None:
    assert server.environment()["TF_HTTP_ADDRESS"].startswith("http://127.0.0.1:")
    assert server._listener.server_address[0] == "127.0.0.1"


def test_each_server_has_its_own_password(server: StateServer, tmp_path: Path) -> None:
    with StateServer(tmp_path / "two", "x") as other:
        assert other.environment()["TF_HTTP_PASSWORD"] != server.environment()["TF_HTTP_PASSWORD"]


def test_a_dead_server_is_given_up_without_waiting(server: StateServer) -> None:
    """Terraform's own settings are 2 retries after 1 s and 2 s, for each of four requests of a run that is stopped."""
    settings = server.environment()
    assert (settings["TF_HTTP_RETRY_WAIT_MIN"], settings["TF_HTTP_RETRY_WAIT_MAX"]) == ("0", "0")


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "LOCK", "UNLOCK"])
@pytest.mark.parametrize("password", ["", "wrong", "größer"])
def test_nobody_else_gets_in(server: StateServer, method: str, password: str) -> None:
    assert ask(server, method, state(1), query="?ID=one", password=password)[0] == 401
    assert server.store.current() is None
    assert server.store.lock() is None


@pytest.mark.parametrize("header", ["", "Bearer x", "Basic !", "Basic " + base64.b64encode(b"karrots").decode()])
def test_no_password_at_all(server: StateServer, header: str) -> None:
    assert ask(server, "GET", headers={"Authorization": header})[0] == 401


def test_there_is_nothing_beside_the_state(server: StateServer) -> None:
    assert ask(server, "GET", query="/../other")[0] == 404


def test_a_held_lock_is_refused_with_its_description(server: StateServer) -> None:
    assert lock(server, "one") == 200
    status, body, _ = ask(server, "LOCK", json.dumps(lock_info("two")).encode())
    assert status == 423
    assert json.loads(body)["ID"] == "one"


def test_who_waits_is_told_once_for_whom(server: StateServer, said: list[str], tmp_path: Path) -> None:
    holder = StateStore(tmp_path / "one")
    holder.acquire(lock_info("theirs"), "operation 7")
    assert [lock(server), lock(server), lock(server)] == [423, 423, 423]
    assert len(said) == 1
    assert "operation 7" in said[0]
    assert server.blocked is not None
    assert "operation 7" in server.blocked.message
    holder.release()
    assert lock(server) == 200
    assert server.blocked is None


def test_what_stands_in_the_way_of_a_lock_is_not_asked_for_again(server: StateServer, said: list[str]) -> None:
    server.store.folder.mkdir(parents=True)
    (server.store.folder / "lock.json").write_text("{}")
    assert lock(server) == 412
    assert "cannot be read" in said[0]
    assert server.blocked is not None


def test_an_unlock_with_another_id_is_refused(server: StateServer) -> None:
    lock(server, "one")
    assert unlock(server, "two") == 423
    assert server.store.lock() is not None


def test_a_write_without_the_lock_is_refused(server: StateServer, said: list[str]) -> None:
    assert ask(server, "POST", state(1))[0] == 409
    assert "without holding the lock" in said[0]
    lock(server, "one")
    assert ask(server, "POST", state(1))[0] == 423
    assert ask(server, "POST", state(1), query="?ID=two")[0] == 423
    assert server.store.current() is None


def test_a_stale_serial_is_refused_with_the_reason(server: StateServer, said: list[str]) -> None:
    lock(server)
    ask(server, "POST", state(5), query="?ID=one")
    status, body, _ = ask(server, "POST", state(4), query="?ID=one")
    assert status == 409
    assert b"serial is 4" in body
    assert "serial is 4" in said[0]
    assert server.store.serial == 5


def test_another_lineage_is_refused_with_the_reason(server: StateServer, said: list[str]) -> None:
    lock(server)
    ask(server, "POST", state(5), query="?ID=one")
    assert ask(server, "POST", state(6, lineage="other"), query="?ID=one")[0] == 409
    assert "another cluster" in said[0]


@pytest.mark.parametrize("body", [b"", b"{}", b"no JSON", b"[" * 50_000])
def test_what_is_no_state_is_refused(server: StateServer, body: bytes) -> None:
    lock(server)
    assert ask(server, "POST", body, query="?ID=one")[0] == 400


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"ID": ""}', b"[" * 50_000])
def test_what_is_no_lock_is_refused(server: StateServer, body: bytes) -> None:
    assert ask(server, "LOCK", body)[0] == 400
    assert ask(server, "UNLOCK", body)[0] == 400


def test_a_body_that_was_damaged_on_the_way_is_refused(server: StateServer, said: list[str]) -> None:
    lock(server)
    assert ask(server, "POST", state(1), query="?ID=one", headers={"Content-MD5": "AAAA"})[0] == 400
    assert "damaged" in said[0]
    assert server.store.current() is None


def test_a_body_without_bounds_is_refused(server: StateServer, said: list[str]) -> None:
    lock(server)
    huge = str(terraform_state.MAXIMUM_BYTES + 1)
    body = b"x" * terraform_state.DRAINED_BYTES
    assert ask(server, "POST", body, query="?ID=one", headers={"Content-Length": huge})[0] == 413
    assert huge in said[0]
    assert ask(server, "POST", b"x", query="?ID=one", headers={"Content-Length": "-1"})[0] == 400


def test_a_request_without_a_length_is_refused(server: StateServer) -> None:
    place = ("127.0.0.1", server._listener.server_port)
    with socket.create_connection(place) as connection:
        head = f"POST /state HTTP/1.1\r\nAuthorization: {server._listener.authorization}\r\n\r\n"
        connection.sendall(head.encode())
        assert b" 411 " in connection.recv(4096)


def test_a_peer_that_hangs_up_in_the_middle_changes_nothing(server: StateServer) -> None:
    lock(server)
    place = ("127.0.0.1", server._listener.server_port)
    with socket.create_connection(place) as connection:
        head = (
            "POST /state?ID=one HTTP/1.1\r\nContent-Length: 1000\r\n"
            f"Authorization: {server._listener.authorization}\r\n\r\n"
        )
        connection.sendall(head.encode() + state(1)[:20])
    assert ask(server, "GET")[0] == 204
    assert ask(server, "POST", state(1), query="?ID=one")[0] == 200


def test_unknown_methods_are_refused(server: StateServer) -> None:
    assert ask(server, "PATCH", b"")[0] == 501


def test_writes_from_many_connections_leave_one_order(server: StateServer) -> None:
    lock(server)
    threads = [
        threading.Thread(target=ask, args=(server, "POST", state(serial)), kwargs={"query": "?ID=one"})
        for serial in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.store.serial == 19


def test_the_lock_goes_with_the_server(tmp_path: Path) -> None:
    with StateServer(tmp_path / "one", "operation 1") as server:
        lock(server)
    assert StateStore(tmp_path / "one").lock() is None


def test_a_server_that_ends_leaves_the_lock_of_another(tmp_path: Path) -> None:
    holder = StateStore(tmp_path / "one")
    holder.acquire(lock_info("theirs"), "operation 7")
    with StateServer(tmp_path / "one", "operation 1"):
        pass
    assert holder.lock() is not None
    holder.release()


def test_the_port_is_free_again(tmp_path: Path) -> None:
    with StateServer(tmp_path / "one", "x") as server:
        port = server._listener.server_port
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_a_disk_that_refuses_is_said(server: StateServer, said: list[str]) -> None:
    lock(server)
    (server.store.folder / "versions").rmdir()
    (server.store.folder / "versions").write_text("a file in the way")
    assert ask(server, "POST", state(1), query="?ID=one")[0] == 507
    assert "cannot be kept" in said[0]
    (server.store.folder / "versions").unlink()
    assert ask(server, "POST", state(1), query="?ID=one")[0] == 200


def test_an_operation_that_lost_its_cluster_is_refused(server: StateServer, tmp_path: Path, said: list[str]) -> None:
    assert lock(server) == 200
    assert ask(server, "POST", state(5), query="?ID=one")[0] == 200
    server.store.fence(["operation 1"])
    with StateServer(tmp_path / "one", "operation 2") as after:
        assert lock(after, "two") == 200
        assert ask(after, "POST", state(6), query="?ID=two")[0] == 200
        assert ask(server, "POST", state(7), query="?ID=one")[0] == 409
        assert unlock(server, "one") == 423
        assert lock(server, "three") == 412
        assert after.store.serial == 6
        assert unlock(after, "two") == 200
    assert said[0].startswith("the Terraform state is closed to operation 1: it was stopped for longer than its lease")


@pytest.mark.parametrize("length", ["9" * 5000, "-1", "+1", "1_0", "\u0663", "x", ""])
def test_a_length_that_is_none_is_refused(server: StateServer, length: str) -> None:
    assert ask(server, "POST", state(1), headers={"Content-Length": length.encode().decode("latin-1")})[0] == 400


@pytest.mark.parametrize("path", ["//[", "http://[/state", "/../state", "/state/", "*"])
def test_another_path_is_not_there(server: StateServer, path: str) -> None:
    with socket.create_connection(("127.0.0.1", server.address[0]), 10) as peer:
        token = base64.b64encode(f"karrots:{server.address[1]}".encode()).decode()
        peer.sendall(f"GET {path} HTTP/1.1\r\nAuthorization: Basic {token}\r\n\r\n".encode())
        assert b" 404 " in peer.recv(1 << 12)


def test_a_body_that_ends_early_is_refused_though_it_reads_as_a_state(server: StateServer, said: list[str]) -> None:
    assert lock(server) == 200
    with socket.create_connection(("127.0.0.1", server.address[0]), 10) as peer:
        token = base64.b64encode(f"karrots:{server.address[1]}".encode()).decode()
        fields = f"Authorization: Basic {token}\r\nContent-Length: 5000\r\n\r\n"
        peer.sendall(f"POST /state?ID=one HTTP/1.1\r\n{fields}".encode() + state(1))
        peer.shutdown(socket.SHUT_WR)
        assert b" 400 " in peer.recv(1 << 12)
    assert server.store.read() is None
    assert "cut short" in said[-1]
