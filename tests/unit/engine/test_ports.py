from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karrots.engine import ports
from karrots.engine.ports import draw, holder, is_free, span
from karrots.errors import Failed

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("one", "two", "three")


def test_the_ports_are_below_those_of_outgoing_connections() -> None:
    drawn = draw(NAMES, "a", ())
    assert tuple(drawn) == NAMES
    assert max(drawn.values()) < ports.ephemeral_range()[0]
    assert len(set(drawn.values())) == len(NAMES)


def test_the_same_key_begins_at_the_same_ports() -> None:
    assert draw(NAMES, "a", ()) == draw(NAMES, "a", ())
    assert draw(NAMES, "a", ()) != draw(NAMES, "b", ())


@given(st.lists(st.text(min_size=1), min_size=1, max_size=30, unique=True))
def test_clusters_share_no_port(keys: list[str]) -> None:
    taken: set[int] = set()
    for key in keys:
        drawn = set(draw(NAMES, key, taken).values())
        assert not drawn & taken
        taken |= drawn


def test_a_port_that_somebody_listens_on_is_passed_over() -> None:
    wanted = draw(NAMES, "a", ())
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", wanted["two"]))
        stranger.listen()
        assert not is_free(wanted["two"])
        assert not is_free(wanted["two"], reuse=True)
        assert set(draw(NAMES, "a", ()).values()).isdisjoint(wanted.values())
        assert holder(wanted["two"]).startswith(f"process {os.getpid()} (")


def test_a_connection_that_is_closing_blocks_no_restart() -> None:
    port = draw(NAMES, "closing", ())["one"]
    with socket.create_server(("127.0.0.1", port)) as server:
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = server.accept()
        accepted.close()  # the side that closes first waits in TIME_WAIT
        client.close()
    assert is_free(port, reuse=True)


def test_used_up_ports_are_an_error() -> None:
    with pytest.raises(Failed, match="no 3 neighbouring free ports"):
        draw(NAMES, "a", range(1, 65536))


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [
        ("32768\t60999\n", (15000, 32768)),
        ("1024\t60000\n", (60001, 65536)),
        ("1024\t65535\n", (20000, 30000)),
        (None, (15000, 49152)),
    ],
)
def test_the_range_follows_the_kernel(
    kernel: str | None, expected: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "range"
    if kernel:
        file.write_text(kernel)
    monkeypatch.setattr(ports, "LINUX_RANGE", file)
    assert span() == expected
