"""What answers at an API server's address may be anything."""

from __future__ import annotations

import gzip
import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from karrots.adapters import flux, kube, kube_answers
from karrots.adapters.kube import Access, ApiRefused, ApiUnreachable, Kube
from tests.torture.fuzz_net import GOOD, Answering, endless, head, once, whole_answer

if TYPE_CHECKING:
    from collections.abc import Callable

PATH = "/apis/x/v1/y"


def asked(say: Callable[[Any], None], look: Callable[[Kube], object]) -> object:
    with closing(Answering(say)) as server:
        client = Kube(Access(server.address, ""), timeout=0.3)
        try:
            return look(client)
        finally:
            client.close()


def items(client: Kube) -> object:
    return list(client.list(PATH))


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (whole_answer(b"<html>", kind="text/html"), "<html>"),
        (whole_answer(b"<html>"), "no JSON"),
        (whole_answer(b"[" * 100_000), "nested"),
        (whole_answer(b"9" * 5000), "no JSON"),
        (whole_answer(b"[]"), "answered with"),
        (whole_answer(b'{"items": [null]}'), "list of objects"),
        (whole_answer(b'{"items": {"a": 1}}'), "list of objects"),
        (whole_answer(b'{"items": [{"metadata": {"name": 7}}]}'), "list of objects"),
        (whole_answer(b'{"items": [{"metadata": {"name": "x"}, "spec": []}]}'), "list of objects"),
        (whole_answer(b'{"metadata": [1]}'), "list of objects"),
        (whole_answer(gzip.compress(b"{}"), Content_Encoding="gzip"), "no JSON"),
    ],
)
def test_what_is_no_api_server_is_told_apart(answer: bytes, why: str) -> None:
    with pytest.raises(ApiUnreachable, match="is no API server") as caught:
        asked(once(answer), items)
    assert why in caught.value.why


@pytest.mark.parametrize(
    "say",
    [
        once(whole_answer(b"{}")[:-1]),
        endless(head(Content_Type="application/json", Content_Length=10 << 30), b" " * (1 << 20)),
        endless(head(Transfer_Encoding="chunked"), b"100000\r\n" + b" " * (1 << 20) + b"\r\n"),
        endless(b"", head("100 Continue") * 100),
        once(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000 + b"\r\n"),
        once(b""),
        once(b"\xff" * 100),
    ],
    ids=["short", "10 GiB announced", "chunks", "1xx", "headers", "nothing", "no HTTP"],
)
def test_an_answer_that_has_no_end_is_given_up(say: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kube_answers, "MOST_BYTES", 4 << 20)
    with pytest.raises(ApiUnreachable, match="does not answer"):
        asked(say, lambda client: client.get(PATH))


def test_a_list_that_has_no_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kube, "MOST_PAGES", 3)
    again = {"items": [{"metadata": {"name": "x"}}], "metadata": {"continue": "more"}}
    with pytest.raises(ApiUnreachable) as caught:
        asked(once(whole_answer(json.dumps(again).encode())), items)
    assert "has no end" in caught.value.why


@pytest.mark.parametrize("status", [301, 302, 307])
def test_no_redirect_is_followed(status: int) -> None:
    with pytest.raises(ApiRefused) as caught:
        asked(once(whole_answer(b"", f"{status} Moved", Location="/elsewhere")), lambda client: client.get(PATH))
    assert caught.value.status == status


def test_one_connection_serves_many_questions() -> None:
    """An answer that was read whole leaves its connection for the next one."""
    connections = 0

    def serve(peer: Any) -> None:
        nonlocal connections
        connections += 1
        body = json.dumps(GOOD).encode()
        for _ in range(3):
            peer.sendall(head(Content_Type="application/json", Content_Length=len(body)) + body)
            peer.recv(1 << 16)

    def look(client: Kube) -> object:
        return [client.get(PATH) for _ in range(3)]

    assert asked(serve, look) == [GOOD] * 3
    assert connections == 1


def test_flux_reads_objects_of_odd_forms() -> None:
    odd = {
        "metadata": {"name": "x"},
        "spec": {"dependsOn": [None, 7, {"name": 1}]},
        "status": {"conditions": [7, None]},
    }
    answer = whole_answer(json.dumps({"items": [odd]}).encode())
    state = asked(once(answer), flux.state)
    assert isinstance(state, flux.FluxState)
    assert {(found.ready, found.reason, found.revision) for found in state.objects} == {(None, "", "")}
