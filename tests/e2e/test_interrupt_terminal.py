"""Interrupts as a terminal sends them, while Terraform is at work: once, twice, and by going away."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import pexpect
import psutil
import pytest

from karrots.errors import ExitCode
from tests.support.command_line import PROGRAM
from tests.support.engine import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.conftest import World

pytestmark = pytest.mark.engine

# Comes last, says that it has begun, and ends when it may, or after a minute.
SLOW = """
resource "terraform_data" "slow" {{
  depends_on = [terraform_data.control_plane]
  provisioner "local-exec" {{
    command = "touch {folder}/begun; n=0; until [ -e {folder}/go ] || [ $n -gt 3000 ]; do sleep 0.02; n=$((n+1)); done"
  }}
}}
"""

# Terraform whose stop takes until it may: it hears an interrupt at once, counts it, and heeds the first one later.
UNHURRIED = """#!{python} -ES
import signal, subprocess, sys, time
from pathlib import Path
folder = Path("{folder}")
heard = []
def hear(*_):
    heard.append(True)
    with (folder / "told").open("a") as told:
        told.write("x")
if "apply" in sys.argv:
    signal.signal(signal.SIGINT, hear)
child = subprocess.Popen(["{terraform}", *sys.argv[1:]])
deadline = time.monotonic() + 90
while child.poll() is None:
    if heard and ((folder / "go").exists() or time.monotonic() > deadline):
        child.send_signal(signal.SIGINT)
        break
    time.sleep(0.02)
sys.exit(child.wait())
"""


class Terminal:
    """karrots with a terminal of its own, on which a person types."""

    def __init__(self, world: World, *words: str) -> None:
        self._child = pexpect.spawn(
            PROGRAM[0], [*PROGRAM[1:], *words], cwd=str(world.directory), env=world.env | {"TERM": "xterm"},
            encoding="utf-8", timeout=60, dimensions=(24, 200),
        )  # fmt: skip
        self.pid = self._child.pid

    def expect(self, text: str) -> None:
        self._child.expect_exact(text)

    def read(self) -> None:
        """What is there now; fails when it has ended."""
        with suppress(pexpect.TIMEOUT):
            self._child.expect(pexpect.EOF, timeout=0.05)
            pytest.fail(f"it ended too early: {self._child.before}")

    def type(self, text: str) -> None:
        self._child.send(text)

    def ended(self) -> int:
        self._child.expect(pexpect.EOF)
        self._child.close()
        status: int | None = self._child.exitstatus
        assert status is not None, f"ended by signal {self._child.signalstatus}"
        return status

    def go_away(self) -> None:
        """Not by pexpect's own close, which signals the program too."""
        self._child.ptyproc.fileobj.close()
        self._child.ptyproc.closed = self._child.closed = True

    def ended_unseen(self) -> int:
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)


@pytest.fixture(scope="module")
def slow(world: World) -> World:
    """The world with a root of its own whose last resource is slow."""
    world.karrots("eject")
    root = world.directory / "terraform"
    (root / "slow.tf").write_text(SLOW.format(folder=world.root))
    world.git("add", "-A", ".")
    world.git("commit", "-qm", "Slow")
    unhurried = world.root / "unhurried"
    places = {"python": sys.executable, "folder": world.root, "terraform": shutil.which("terraform")}
    unhurried.write_text(UNHURRIED.format(**places))
    unhurried.chmod(0o755)
    world.env["KARROTS_TERRAFORM"] = str(unhurried)
    return world


@pytest.fixture
def work(slow: World) -> Iterator[World]:
    for name in ("begun", "go", "told"):
        (slow.root / name).unlink(missing_ok=True)
    yield slow
    (slow.root / "go").touch()
    slow.karrots("destroy", "qa-int", "--yes")


def at_work(world: World, *words: str) -> Terminal:
    terminal = Terminal(world, "create", "qa-int", *words)
    while not (world.root / "begun").exists():
        terminal.read()
    return terminal


def terraforms(world: World) -> list[psutil.Process]:
    """Those that carry out a plan."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or ()
        if str(world.root / "unhurried") in words and "apply" in words:
            found.append(process)
    return found


def times_told(world: World) -> int:
    return len((world.root / "told").read_text())


def held(world: World) -> bool:
    """Whether the record says that somebody works on the cluster."""
    record = json.loads(world.git("show", "karrots/fleet:clusters/qa-int/record.json"))
    return record["operation"] is not None


def goes_on(world: World) -> str:
    """The same command again ends what was begun; answers what it said."""
    outcome = world.karrots("create", "qa-int", "-o", "json")
    assert outcome.document["phase"] == "ready"
    history = world.git("log", "--format=%s", "karrots/fleet", "--", ":/clusters/qa-int")
    claims = [line for line in history.splitlines() if "claim" in line]
    assert claims, history
    return outcome.err


def typed(terminal: Terminal) -> None:
    terminal.type("\x03")


def told(terminal: Terminal) -> None:
    os.kill(terminal.pid, signal.SIGTERM)


@pytest.mark.parametrize("interrupt", [typed, told])
def test_a_first_interrupt_lets_terraform_finish_and_says_how_to_go_on(
    work: World, interrupt: Callable[[Terminal], None]
) -> None:
    terminal = at_work(work)
    interrupt(terminal)
    terminal.expect("Terraform finishes what it is doing")
    (work.root / "go").touch()
    terminal.expect("was interrupted at 'apply'")
    terminal.expect("try  karrots create qa-int")
    assert terminal.ended() == ExitCode.INTERRUPTED
    assert not held(work)
    assert "taking" not in goes_on(work)


def test_a_terminal_that_goes_away_is_a_first_interrupt(work: World) -> None:
    terminal = at_work(work)
    terminal.go_away()
    eventually((work.root / "told").exists)
    (work.root / "go").touch()
    assert terminal.ended_unseen() == ExitCode.INTERRUPTED
    assert terraforms(work) == []
    assert not held(work)
    assert "taking" not in goes_on(work)


def test_a_second_interrupt_ends_at_once_and_terraform_saves_by_itself(work: World) -> None:
    terminal = at_work(work)
    terminal.type("\x03")
    terminal.expect("Terraform finishes what it is doing")
    terminal.type("\x03")
    terminal.expect("ended at once")
    assert terminal.ended() == ExitCode.INTERRUPTED
    assert len(terraforms(work)) == 1, "it still finishes what it is doing"
    again = Terminal(work, "create", "qa-int")
    again.expect("taking the cluster over")
    again.expect("the Terraform state is locked")
    (work.root / "go").touch()
    again.expect("took over the state lock")
    again.expect("took over the Terraform state left in")
    again.expect("qa-int is ready")
    assert again.ended() == ExitCode.DONE
    assert times_told(work) == 1


def test_an_interrupt_with_a_document_on_stdout(work: World) -> None:
    terminal = at_work(work, "-o", "json")
    terminal.type("\x03")
    terminal.expect("Terraform finishes what it is doing")
    (work.root / "go").touch()
    terminal.expect('"name": "Interrupted"')
    terminal.expect('"hint": "karrots create qa-int -o json"')
    assert terminal.ended() == ExitCode.INTERRUPTED


@pytest.fixture(scope="module")
def ready(slow: World) -> World:
    (slow.root / "go").touch()
    slow.karrots("create", "qa-up")
    return slow


def test_ctrl_c_instead_of_a_name(ready: World) -> None:
    before = ready.git("rev-parse", "karrots/fleet")
    terminal = Terminal(ready, "destroy", "qa-up")
    terminal.expect("Type its name: ")
    terminal.type("\x03")
    terminal.expect("interrupted")
    terminal.expect("try  karrots destroy qa-up")
    assert terminal.ended() == ExitCode.INTERRUPTED
    assert ready.git("rev-parse", "karrots/fleet") == before


def test_ctrl_c_ends_a_watch(ready: World) -> None:
    terminal = Terminal(ready, "status", "-w")
    terminal.expect("qa-up")
    terminal.type("\x03")
    assert terminal.ended() == ExitCode.DONE


def test_a_program_has_its_interrupts_to_itself(ready: World) -> None:
    script = "trap 'echo caught; exit 7' INT; echo ready; n=0; while [ $n -lt 1200 ]; do sleep 0.05; n=$((n+1)); done"
    terminal = Terminal(ready, "run", "qa-up", "--", "sh", "-c", script)
    terminal.expect("ready")
    terminal.type("\x03")
    terminal.expect("caught")
    assert terminal.ended() == 7


def test_a_program_hears_of_an_end_that_karrots_alone_was_told_of(ready: World) -> None:
    script = "trap 'echo caught; exit 7' TERM; echo ready; n=0; while [ $n -lt 1200 ]; do sleep 0.05; n=$((n+1)); done"
    terminal = Terminal(ready, "run", "qa-up", "--", "sh", "-c", script)
    terminal.expect("ready")
    os.kill(terminal.pid, signal.SIGTERM)
    terminal.expect("caught")
    assert terminal.ended() == 7


@pytest.mark.parametrize("keep", [False, True])
def test_an_interrupted_demo_says_what_it_leaves(ready: World, keep: bool) -> None:
    before = set(ready.processes())
    terminal = Terminal(ready, "demo", *(["--keep"] if keep else []))
    terminal.expect("Terraform apply")
    terminal.type("\x03")
    if keep:
        terminal.expect("kept: ")
    terminal.expect("was interrupted at 'apply'")
    assert terminal.ended() == ExitCode.INTERRUPTED
    left = list((ready.root / "tmp").glob("karrots-demo-*"))
    assert len(left) == int(keep)
    for folder in left:
        ready.karrots("destroy", "qa", "--yes", cwd=folder / "fleet/clusters/qa")
    assert set(ready.processes()) == before
