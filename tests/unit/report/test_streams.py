from __future__ import annotations

import os
import pty
from typing import TYPE_CHECKING, TextIO, cast

import pytest
from rich.console import Console

from karrots.report import streams

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def closed_terminal() -> Iterator[TextIO]:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as stream:
        os.close(ours)
        yield stream


def test_a_closed_terminal_is_written_to_in_peace(closed_terminal: TextIO) -> None:
    with pytest.raises(OSError, match="Input/output error"):
        os.write(closed_terminal.fileno(), b"seen by nobody")
    streams.put(closed_terminal, "seen by nobody")
    streams.put(closed_terminal, "nor is this")


def test_whoever_draws_on_a_closed_terminal_draws_on(closed_terminal: TextIO) -> None:
    console = Console(file=cast("TextIO", streams.Lasting(closed_terminal)), force_terminal=True)
    with console.status("working"):
        console.print("a line")


def test_a_full_disk_is_told() -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        with pytest.raises(OSError, match="No space left"):
            streams.put(full, "much")
        streams.forget(full)


def test_what_lasts_is_else_the_stream_itself(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as stream:
        lasting = streams.Lasting(stream)
        assert lasting.fileno() == stream.fileno()
        assert lasting.write("text") == 4
        assert (tmp_path / "file").read_text() == "text"
