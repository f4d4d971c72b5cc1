"""How a run is followed and stopped, with programs that do what Terraform does at its worst."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from karrots.adapters import process, terraform_run
from karrots.adapters.terraform_events import Stopping
from karrots.adapters.terraform_run import follow
from karrots.errors import ToolMissing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Goes on until there have been `sys.argv[1]` SIGINTs.
STUBBORN = """
import signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
print("begun", flush=True)
for seen in range(int(sys.argv[1])):
    signal.sigwait({signal.SIGINT})
    print("interrupt", seen + 1, flush=True)
print("ended", flush=True)
sys.exit(1)
"""

# Says one more line at a SIGUSR1, and ends.
WILLING = """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
print("begun", flush=True)
signal.sigwait({signal.SIGUSR1})
print("ended", flush=True)
"""

# Follows a stubborn program until it is killed itself.
FOLLOWER = """
import sys, threading
from pathlib import Path
from karrots.adapters.terraform_run import follow
folder = Path(sys.argv[1])
for _ in range(8):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
follow(
    [sys.executable, "-c", sys.argv[2], "2"], cwd=folder, env={}, log=folder / "log",
    on_start=lambda pid: print(pid, flush=True), on_line=lambda line: print(line, flush=True),
    on_stop=print, grace=600,
)
"""

# Interrupts itself when the program has begun, and once more, as a person would, when that has been told to stop.
INTERRUPTED = """
import signal, sys
from pathlib import Path
from karrots import effects
from karrots.adapters.terraform_run import follow
folder = Path(sys.argv[1])
effects.listen()

def on_line(line):
    print(line, flush=True)
    signal.raise_signal(signal.SIGINT)

follow(
    [sys.executable, "-c", sys.argv[2], "2"], cwd=folder, env={}, log=folder / "log",
    on_start=lambda pid: print(pid, flush=True), on_line=on_line,
    on_stop=lambda stopping: print(stopping, flush=True), grace=600,
)
"""

# Is killed when it has just learned the id of the program's process.
SHORT_LIVED = """
import os, signal, sys
from pathlib import Path
from karrots.adapters.terraform_run import follow
folder = Path(sys.argv[1])

def die(pid):
    print(pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

follow(["/bin/sh", "-c", "echo ran"], cwd=folder, env={}, log=folder / "log",
    on_start=die, on_line=print, on_stop=print, grace=600)
"""


class Run:
    """One `follow` with everything it said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines: list[str] = []
        self.stops: list[Stopping] = []
        self.pid = 0
        self.on_start: Callable[[int], None] = lambda _: None
        self.on_line: Callable[[str], None] = lambda _: None
        self.on_stop: Callable[[Stopping], None] = lambda _: None

    def __call__(self, *argv: str, grace: float = 600.0) -> int:
        return follow(
            argv,
            cwd=self.folder,
            env=process.environment(),
            log=self.folder / "log",
            on_start=self._start,
            on_line=self._line,
            on_stop=self._stop,
            grace=grace,
        )

    def _start(self, pid: int) -> None:
        self.pid = pid
        self.on_start(pid)

    def _line(self, line: str) -> None:
        self.lines.append(line)
        self.on_line(line)

    def _stop(self, stopping: Stopping) -> None:
        self.stops.append(stopping)
        self.on_stop(stopping)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def interrupt_at(text: str) -> Callable[[str], None]:
    def on_line(line: str) -> None:
        if line == text:
            signal.raise_signal(signal.SIGINT)

    return on_line


def test_lines_and_status(run: Run) -> None:
    assert run("sh", "-c", "echo one; echo two >&2; printf three; exit 7") == 7
    assert run.lines == ["one", "two", "three"]
    assert (run.folder / "log").read_bytes() == b"one\ntwo\nthree"


def test_a_log_goes_on_where_it_was(run: Run) -> None:
    run("echo", "first")
    run("echo", "second")
    assert run.lines == ["first", "second"]
    assert (run.folder / "log").read_text() == "first\nsecond\n"
    assert (run.folder / "log").stat().st_mode & 0o777 == 0o600


def test_output_that_is_no_text(run: Run) -> None:
    run("printf", r"\377\n")
    assert run.lines == ["\ufffd"]


def test_a_great_deal_of_output_arrives_whole(run: Run) -> None:
    run(sys.executable, "-c", "for n in range(200_000): print('line', n)")
    assert len(run.lines) == 200_000
    assert run.lines[-1] == "line 199999"


def test_an_interrupt_is_sent_once_and_waited_for(run: Run) -> None:
    run.on_line = interrupt_at("begun")
    with pytest.raises(KeyboardInterrupt):
        run(sys.executable, "-c", STUBBORN, "1")
    assert run.lines == ["begun", "interrupt 1", "ended"]
    assert run.stops == [Stopping(600.0)]
    assert not psutil.pid_exists(run.pid)


def test_what_it_said_before_we_could_stop_it_is_heard(run: Run) -> None:
    def end_and_interrupt(line: str) -> None:
        if line == "begun":
            os.kill(run.pid, signal.SIGUSR1)
            os.waitid(os.P_PID, run.pid, os.WEXITED | os.WNOWAIT)
            signal.raise_signal(signal.SIGINT)

    run.on_line = end_and_interrupt
    with pytest.raises(KeyboardInterrupt):
        run(sys.executable, "-c", WILLING)
    assert run.lines == ["begun", "ended"]
    assert run.stops == [Stopping(600.0)]


def test_however_often_we_are_interrupted_it_is_told_once(run: Run) -> None:
    """A second one would have made it end."""
    run.on_line = interrupt_at("begun")
    wishes = 3

    def again(_: Stopping) -> None:
        if len(run.stops) <= wishes:
            signal.raise_signal(signal.SIGINT)

    run.on_stop = again
    with pytest.raises(KeyboardInterrupt):
        run(sys.executable, "-c", STUBBORN, "2", grace=1.0)
    assert len(run.stops) == wishes + 1
    assert run.lines == ["begun", "interrupt 1"]


def test_ending_at_once_leaves_it_to_end_by_itself(tmp_path: Path) -> None:
    """It was told to stop already, so that our death tells it nothing more."""
    follower = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(tmp_path), STUBBORN], stdout=subprocess.PIPE, text=True
    )
    assert follower.stdout is not None
    followed = psutil.Process(int(follower.stdout.readline()))
    told = [line for line in follower.stdout if line != "begun\n"]
    assert told == ["Stopping(grace=600)\n", "interrupt 1\n"]
    follower.communicate()
    assert follower.returncode == 130
    assert followed.is_running()
    followed.send_signal(signal.SIGINT)
    psutil.wait_procs([followed])
    assert (tmp_path / "log").read_text() == "begun\ninterrupt 1\ninterrupt 2\nended\n"


def test_a_watcher_that_was_killed_does_not_keep_it_from_being_told(run: Run) -> None:
    def kill_the_watcher(line: str) -> None:
        if line == "begun":
            (watcher,) = (child for child in psutil.Process().children() if child.pid != run.pid)
            watcher.kill()
            raise KeyboardInterrupt

    run.on_line = kill_the_watcher
    with pytest.raises(KeyboardInterrupt):
        run(sys.executable, "-c", STUBBORN, "1")
    assert run.lines == ["begun", "interrupt 1", "ended"]


def test_what_does_not_end_in_time_is_killed(run: Run) -> None:
    run.on_line = interrupt_at("begun")
    with pytest.raises(KeyboardInterrupt):
        run(sys.executable, "-c", STUBBORN, "1000", grace=0.0)
    assert "ended" not in run.lines
    assert not psutil.pid_exists(run.pid)


def test_a_listener_that_breaks_stops_the_run_and_is_left_alone(run: Run) -> None:
    def broken(_: str) -> None:
        raise BrokenPipeError

    run.on_line = broken
    with pytest.raises(BrokenPipeError):
        run(sys.executable, "-c", STUBBORN, "1")
    assert run.lines == ["begun"]
    assert run.stops == []
    assert (run.folder / "log").read_text() == "begun\ninterrupt 1\nended\n"


def test_nothing_is_left_over(run: Run) -> None:
    before = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()  # noqa: PTH112, PTH208
    run("true")
    after = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()  # noqa: PTH112, PTH208
    assert after == before
    assert psutil.Process().children() == []


def test_our_death_is_one_interrupt_however_many_threads_we_have(tmp_path: Path) -> None:
    follower = subprocess.Popen(
        [sys.executable, "-c", FOLLOWER, str(tmp_path), STUBBORN], stdout=subprocess.PIPE, text=True
    )
    assert follower.stdout is not None
    followed = psutil.Process(int(follower.stdout.readline()))
    assert follower.stdout.readline() == "begun\n"
    follower.kill()
    follower.communicate()
    log = tmp_path / "log"
    while "interrupt" not in log.read_text():
        assert followed.is_running()
    assert log.read_text() == "begun\ninterrupt 1\n"
    followed.send_signal(signal.SIGINT)
    psutil.wait_procs([followed])
    assert log.read_text() == "begun\ninterrupt 1\ninterrupt 2\nended\n"


def test_nothing_runs_before_its_process_is_noted_and_watched(tmp_path: Path) -> None:
    words = [sys.executable, "-c", SHORT_LIVED, str(tmp_path)]
    pid = int(subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False).stdout)
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        pass  # the shell in the program's place sees that nobody will give the word
    assert (tmp_path / "log").read_text() == ""


def test_a_program_killed_before_it_begins_is_one_that_ended(run: Run) -> None:
    run.on_start = lambda pid: os.kill(pid, signal.SIGKILL)
    assert run("echo", "ran") == -signal.SIGKILL
    assert run.lines == []


def test_who_cannot_note_a_process_does_not_begin_it(run: Run) -> None:
    def refuse(_: int) -> None:
        raise OSError("no space left")

    run.on_start = refuse
    with pytest.raises(OSError, match="no space left"):
        run("echo", "ran")
    assert (run.folder / "log").read_text() == ""
    assert psutil.Process().children() == []


def test_a_program_that_is_not_there(run: Run) -> None:
    with pytest.raises(ToolMissing, match="no-such-program"):
        run("no-such-program")


def test_a_line_that_never_ends_is_not_kept_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terraform_run, "LONGEST_LINE", 1000)
    monkeypatch.setattr(terraform_run, "READ_BYTES", 600)
    lines: list[str] = []
    status = follow(
        [sys.executable, "-c", "print('x' * 5000); print('end')"], cwd=tmp_path, env={}, log=tmp_path / "log",
        on_start=lambda _: None, on_line=lines.append, on_stop=lambda _: None, grace=60,
    )  # fmt: skip
    assert status == 0
    assert "".join(lines) == "x" * 5000 + "end"
    assert max(map(len, lines)) <= 1600
