from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from karrots.adapters import process
from karrots.errors import Failed, TimedOut, ToolFailed, ToolMissing

if TYPE_CHECKING:
    from pathlib import Path

# As git over http: the helper that talks to the network is a child, and it is the one that hangs.
WITH_A_HELPER = """
import signal, subprocess, sys, time
helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open("helper", "w").write(str(helper.pid))
def leave(*_):
    open("tidied", "w").close()
    sys.exit(1)
signal.signal(signal.SIGTERM, leave)
time.sleep(60)
"""


def test_what_does_not_answer_may_tidy_up_and_leaves_no_helper(tmp_path: Path) -> None:
    with pytest.raises(TimedOut, match="did not answer within 1 s"):
        process.run([sys.executable, "-c", WITH_A_HELPER], cwd=tmp_path, timeout=1)
    helper = int((tmp_path / "helper").read_text())
    assert not psutil.pid_exists(helper) or psutil.Process(helper).status() == psutil.STATUS_ZOMBIE
    assert (tmp_path / "tidied").exists(), "git removes its lock files when it is asked to end"


def test_what_is_deaf_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "TIDY_SECONDS", 0.1)
    deaf = "import os, signal, time; signal.signal(15, signal.SIG_IGN); open('pid', 'w').write(str(os.getpid()));"
    with pytest.raises(TimedOut):
        process.run([sys.executable, "-c", deaf + "time.sleep(60)"], cwd=tmp_path, timeout=1)
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize("start", [lambda argv: process.replace_with(argv, os.environ), process.run])
def test_a_file_that_is_no_program(start: object, tmp_path: Path) -> None:
    """It is there, and the system does not let it be run: an error of the file, not a bug of karrots."""
    assert callable(start)
    file = tmp_path / "kubectl"
    file.write_text("text")
    with pytest.raises(ToolFailed, match="kubectl could not be run") as caught:
        start([str(file)])
    assert caught.value.why == "Permission denied"
    with pytest.raises(ToolMissing):
        start([str(tmp_path / "none")])


def test_a_program_that_says_more_than_anybody_reads_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "MOST_OUTPUT", 1 << 20)
    with pytest.raises(Failed, match=r"yes .* says more than 1 MiB"):
        process.run(["yes", "endlessly"], timeout=60)


def test_a_program_that_never_stops_to_talk_is_not_waited_for_any_longer() -> None:
    with pytest.raises(TimedOut):
        process.run(["sh", "-c", "while :; do echo word; sleep 0.01; done"], timeout=0.5)


def test_what_is_given_and_said_slowly_arrives_whole() -> None:
    script = "read word; printf %s $word; sleep 0.1; printf ' %s' $word >&2; sleep 0.1; printf end"
    done = process.run(["sh", "-c", script], stdin=b"word\n")
    assert (done.stdout, done.stderr) == (b"wordend", b" word")


@pytest.mark.parametrize("size", [0, 1, process.AT_ONCE, process.AT_ONCE + 1, 1 << 20])
def test_a_program_that_is_slow_to_read_gets_all_of_it(size: int) -> None:
    reader = "import sys, time; time.sleep(0.1); print(len(sys.stdin.buffer.read()))"
    assert process.run([sys.executable, "-c", reader], stdin=b"x" * size, timeout=20).stdout == b"%d\n" % size


@pytest.mark.parametrize("size", [1, 1 << 20])
def test_a_program_that_does_not_read_at_all(size: int) -> None:
    assert process.run([sys.executable, "-c", ""], stdin=b"x" * size).status == 0


# The leader ends at once when it is asked to, and the others are killed after it: a kill is not waited for by itself.
WITH_MANY = """
import os, signal, subprocess, sys, time
open('leader', 'w').write(str(os.getpid()))
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for _ in range(100):
    subprocess.Popen(["sleep", "60"])
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
time.sleep(60)
"""


def test_when_it_has_ended_so_has_its_whole_group(tmp_path: Path) -> None:
    with pytest.raises(TimedOut):
        process.run([sys.executable, "-c", WITH_MANY], cwd=tmp_path, timeout=2)
    with pytest.raises(ProcessLookupError):
        os.killpg(int((tmp_path / "leader").read_text()), 0)
