from __future__ import annotations

import os
import platform
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from karrots import computer, places
from karrots.errors import Failed

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def renamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """This computer has an id, and since then another name."""
    computer.host_id()
    monkeypatch.setattr(platform, "node", lambda: "renamed")


def test_asking_makes_nothing() -> None:
    assert computer.known_id() is None
    assert not computer.is_this("elsewhere", "x" * 26)
    assert not places.state().exists()


def test_an_id_is_made_once_and_is_private() -> None:
    with ThreadPoolExecutor(8) as several:
        found = {each.result() for each in [several.submit(computer.host_id) for _ in range(32)]}
    assert found == {computer.host_id()} == {computer.known_id()}
    assert [file.name for file in places.state().iterdir()] == ["host"]
    assert stat.S_IMODE((places.state() / "host").stat().st_mode) == 0o600


@pytest.mark.usefixtures("renamed")
def test_a_renamed_computer_is_the_same() -> None:
    assert computer.is_this("as-it-was-called", computer.host_id())


def test_a_record_without_an_id_is_known_by_its_name() -> None:
    assert computer.is_this(platform.node(), "")
    assert not computer.is_this("elsewhere", "")


def test_a_new_home_is_a_new_host_and_said_to_be() -> None:
    before = computer.host_id()
    (places.state() / "host").unlink()
    assert computer.host_id() != before
    assert not computer.is_this(computer.name(), before)
    said = computer.described(computer.name(), before)
    assert said.startswith(f"another {computer.name()} (this one has a new state folder")
    assert str(places.state()) in said


def test_another_computer_is_called_by_its_name() -> None:
    assert computer.described("elsewhere", "x" * 26) == "elsewhere"
    assert computer.described(computer.name(), computer.host_id()) == computer.name()


def test_two_machines_with_one_home_are_two(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "machine-id"
    monkeypatch.setattr(computer, "MACHINE_FILES", (str(tmp_path / "missing"), str(file)))
    file.write_text("one\n")
    first = computer.host_id()
    file.write_text("two\n")
    assert computer.host_id() != first


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe"])
def test_an_id_that_is_damaged_is_named(content: bytes) -> None:
    computer.host_id()
    (places.state() / "host").write_bytes(content)
    assert computer.known_id() is None
    with pytest.raises(Failed, match="does not hold this computer's id"):
        computer.host_id()


def test_a_process_is_told_from_every_other() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        began = computer.born(child.pid)
        assert began == computer.born(child.pid) != computer.born(os.getpid()) != ""
        assert not computer.is_gone(child.pid, began)
        assert computer.is_gone(os.getpid(), began), "its number is another's now"
        child.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert computer.born(child.pid) == "", "nobody has waited for it yet"
        assert computer.is_gone(child.pid, began)
    assert computer.is_gone(child.pid, began)


def test_a_stopped_process_is_there() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        began = computer.born(child.pid)
        child.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, child.pid, os.WSTOPPED)
        assert not computer.is_gone(child.pid, began)
        child.send_signal(signal.SIGKILL)


def test_a_restart_ends_every_process(monkeypatch: pytest.MonkeyPatch) -> None:
    began = computer.born(os.getpid())
    monkeypatch.setattr(computer, "_boot", lambda: "the next")
    assert computer.is_gone(os.getpid(), began)


def test_processes_of_another_container_are_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    began = computer.born(os.getpid())
    monkeypatch.setattr(computer, "_ids", lambda: "another")
    assert not computer.is_gone(1 << 22, began)


@pytest.mark.parametrize("began", ["", "nonsense", "/", "a/b"])
def test_what_was_not_written_by_us_is_survived(began: str) -> None:
    computer.is_gone(os.getpid(), began)


def test_where_there_is_no_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        began = computer._born_elsewhere(child.pid)
        assert began == computer._born_elsewhere(child.pid) != computer._born_elsewhere(os.getpid())
        monkeypatch.setattr(computer, "_boot", str)
        monkeypatch.setattr(computer, "_ids", str)
        monkeypatch.setattr(computer, "born", computer._born_elsewhere)
        assert not computer.is_gone(child.pid, began)
        child.send_signal(signal.SIGKILL)
    assert computer._born_elsewhere(child.pid) == ""
    assert computer.is_gone(child.pid, began)
