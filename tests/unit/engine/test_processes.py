from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import psutil
import pytest

from karrots import computer
from karrots.adapters import process
from karrots.engine import processes
from karrots.engine.processes import Known

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SLEEP = "import time; time.sleep(60)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open('deaf', 'w').close(); time.sleep(60)"
# The first thread ends, the second goes on: the process is a zombie that still holds what it has open.
HEADLESS = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
open('ready', 'w').close()
ctypes.CDLL(None).pthread_exit(None)
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Known]]:
    started: list[Known] = []

    def starter(program: str) -> Known:
        argv = (sys.executable, "-c", program)
        known = processes.start(argv, cwd=tmp_path, env=process.environment(), log=tmp_path / "log")
        started.append(known)
        return known

    yield starter
    processes.kill(found for known in started if (found := processes.find(known)))


def wait_for(file: Path) -> None:
    while not file.exists():
        os.sched_yield()


def test_what_was_started_is_found_and_killed(start: Callable[[str], Known]) -> None:
    known = start(SLEEP)
    found = processes.find(known)
    assert found is not None
    assert processes.alive(known)
    assert processes.memory(known) > 0
    assert processes.kill([found]) == 1
    assert not processes.alive(known)
    assert processes.find(known) is None
    assert processes.memory(known) == 0
    assert not psutil.pid_exists(known.pid)


def test_a_pid_that_is_anothers_now_is_not_ours(start: Callable[[str], Known]) -> None:
    known = start(SLEEP)
    earlier = replace(known, born=known.born + "0")
    assert processes.find(earlier) is None
    assert not processes.alive(earlier)
    assert processes.alive(known)


def test_the_identity_survives_the_file(start: Callable[[str], Known]) -> None:
    known = start(SLEEP)
    assert Known.read({"pid": known.pid, "born": known.born, "argv": list(known.argv)}) == known


def test_after_a_restart_the_same_pid_at_the_same_moment_is_anothers(start: Callable[[str], Known]) -> None:
    known = start(SLEEP)
    boot, _, rest = known.born.partition("/")
    assert processes.alive(known)
    assert not processes.alive(replace(known, born=f"{boot[::-1]}/{rest}"))


def test_a_state_of_before_there_was_such_a_mark_knows_nobody(start: Callable[[str], Known]) -> None:
    known = start(SLEEP)
    earlier = Known.read({"pid": known.pid, "since_boot": 12.5, "argv": list(known.argv)})
    assert processes.find(earlier) is None


def test_a_deaf_process_gets_the_other_signal(start: Callable[[str], Known], tmp_path: Path) -> None:
    known = start(DEAF)
    wait_for(tmp_path / "deaf")
    found = processes.find(known)
    assert found is not None
    assert processes.terminate([found], 0.1) == 1
    assert processes.find(known) is None


def test_one_that_listens_is_not_killed(start: Callable[[str], Known]) -> None:
    found = processes.find(start(SLEEP))
    assert found is not None
    assert processes.terminate([found], 10) == 0


def test_a_process_whose_first_thread_ended_is_dead_but_not_gone(start: Callable[[str], Known], tmp_path: Path) -> None:
    known = start(HEADLESS)
    wait_for(tmp_path / "ready")
    while psutil.Process(known.pid).status() != psutil.STATUS_ZOMBIE:
        os.sched_yield()
    assert not processes.alive(known)
    found = processes.find(known)
    assert found is not None
    processes.kill([found])
    assert processes.find(known) is None


def test_a_zombie_that_its_parent_leaves_lying_is_gone(tmp_path: Path) -> None:
    """The first process of a container often waits for nobody."""
    script = (
        "import subprocess, sys; child = subprocess.Popen(['true']); print(child.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as careless:
        assert careless.stdout is not None
        pid = int(careless.stdout.readline())
        zombie = psutil.Process(pid)
        while zombie.status() != psutil.STATUS_ZOMBIE:
            os.sched_yield()
        known = Known(pid, computer.born(pid, ended_too=True), ())
        assert processes.find(known) is None
        assert processes.kill([zombie]) == 1


def test_children_end_with_their_leader(start: Callable[[str], Known], tmp_path: Path) -> None:
    known = start(
        "import subprocess, time; child = subprocess.Popen(['sleep', '60']);"
        "open('child.new', 'w').write(str(child.pid)); import os; os.rename('child.new', 'child'); time.sleep(60)"
    )
    wait_for(tmp_path / "child")
    child = psutil.Process(int((tmp_path / "child").read_text()))
    found = processes.find(known)
    assert found is not None
    processes.kill([found])
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
        os.sched_yield()


def test_output_goes_to_the_log(start: Callable[[str], Known], tmp_path: Path) -> None:
    found = processes.find(start("import sys; print('out'); sys.stdout.flush(); raise SystemExit('err')"))
    while found and found.is_running() and found.status() != psutil.STATUS_ZOMBIE:
        os.sched_yield()
    assert (tmp_path / "log").read_text() == "out\nerr\n"


def test_a_clock_that_is_set_forward_ends_nobody(
    start: Callable[[str], Known], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = start(SLEEP)
    real = psutil.boot_time()
    monkeypatch.setattr(psutil, "boot_time", lambda: real + 90000)
    assert processes.alive(known)
