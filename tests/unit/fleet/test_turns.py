from __future__ import annotations

import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from karrots import places
from karrots.fleet import turns
from karrots.fleet.turns import turn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOLDER = """
import sys
from karrots.fleet.turns import turn
with turn("a", 60):
    print("mine", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder() -> Iterator[subprocess.Popen[str]]:
    """Another process whose turn it is."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "mine\n"
        yield other
        other.kill()


def test_one_at_a_time() -> None:
    inside, most, one = 0, 0, threading.Lock()

    def work() -> None:
        nonlocal inside, most
        with turn("a", 60):
            with one:
                inside += 1
                most = max(most, inside)
            with one:
                inside -= 1

    with ThreadPoolExecutor(8) as several:
        for each in [several.submit(work) for _ in range(24)]:
            each.result()
    assert (inside, most) == (0, 1)


def test_other_ledgers_are_not_waited_for(holder: subprocess.Popen[str]) -> None:
    with turn("b", 60):
        assert holder.poll() is None


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_turn_of_a_dead_one_is_over(holder: subprocess.Popen[str], number: int) -> None:
    holder.send_signal(number)
    with turn("a", 60):
        assert holder.wait() == -number


def test_one_that_does_not_move_is_not_waited_for(
    holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    holder.send_signal(signal.SIGSTOP)
    monkeypatch.setattr(turns, "STUCK_SECONDS", 0.1)
    with turn("a", 1e9):
        assert holder.poll() is None


def test_nor_longer_than_one_wants_to(holder: subprocess.Popen[str]) -> None:
    with turn("a", 0.1):
        assert holder.poll() is None


def test_where_no_file_can_be_made_one_goes_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "state").write_text("")
    monkeypatch.setattr(places, "state", lambda: tmp_path / "state")
    with turn("a", 60):
        assert (tmp_path / "state").is_file()
