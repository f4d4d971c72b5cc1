from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from karrots.adapters import terraform_room
from karrots.adapters.terraform_room import room

if TYPE_CHECKING:
    from pathlib import Path

NEED = 100


def unasked() -> None:
    pytest.fail("nobody should wait")


def test_as_many_as_the_memory_holds_and_the_next_one_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terraform_room, "LOOK_SECONDS", 0.01)
    waits, came = threading.Event(), threading.Event()

    def third() -> None:
        with room(tmp_path, NEED, waits.set, left=lambda: 250):
            came.set()

    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(room(tmp_path, NEED, unasked, left=lambda: 250))
        thread = threading.Thread(target=third)
        thread.start()
        assert waits.wait(10)
        assert not came.is_set()
    assert came.wait(10)
    thread.join()


def test_one_goes_however_little_is_left(tmp_path: Path) -> None:
    with room(tmp_path, NEED, unasked, left=lambda: 0):
        pass


def test_what_needs_nothing_is_not_counted(tmp_path: Path) -> None:
    with room(tmp_path / "none", 0, unasked, left=lambda: 0):
        assert not (tmp_path / "none").exists()


def test_what_is_free_is_asked_of_the_system() -> None:
    assert terraform_room.free() > 1 << 20
