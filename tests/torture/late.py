"""A holder that is stopped for longer than its lease, and wakes when somebody else has its cluster.

Three processes: this one, the holder, and the one who takes over. All of it is decided by the task, so a task plays the
same way each time.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from karrots.adapters.git import Repository
from karrots.adapters.terraform_state import StateServer
from karrots.adapters.terraform_store import StateLocked, StateStore
from karrots.errors import KarrotsError
from karrots.fleet.ledger import InUse, Ledger
from karrots.fleet.operations import started_here
from tests.support.records import record
from tests.support.terraform import ask, lock, lock_info, state

if TYPE_CHECKING:
    from collections.abc import Callable

    from karrots.fleet.record import Operation, Record

OVER = timedelta(seconds=-1)
# What the holder is about to do when it is stopped.
ACTS = ("publish", "give back", "retire", "renew")
# Where: before it reads the ledger, or with its commit made and only the swap to do.
MOMENTS = ("before it reads", "before its swap")
# How far the other one comes meanwhile.
ENDS = ("works", "finishes", "destroys")
SERIAL = 5


def play(task: dict[str, Any]) -> dict[str, Any]:
    """What the holder heard when it woke, and what stood there before and after."""
    with suppress(KeyError):
        return ledger(task) if task["what"] == "ledger" else terraform(task)
    raise ValueError(f"not a task: {task}")


def ledger(task: dict[str, Any]) -> dict[str, Any]:
    known = Ledger(Repository.discover(Path(task["cwd"])), task["remote"])
    held = claimed(known, task["name"])
    holder = Child(lambda: hold(known, held, task))
    holder.wait_until_stopped()
    refused = other_is_refused(known, held)
    taker = Child(lambda: take_over(Ledger(Repository.discover(Path(task["other"])), task["remote"]), held, task))
    took = taker.answer()
    known.refresh()
    before = tip(known)
    holder.wake()
    heard = holder.answer()
    known.refresh()
    return {"heard": heard, "took": took, "refused": refused, "before": before, "after": tip(known)}


def claimed(known: Ledger, name: str) -> str:
    known.refresh()
    made = record(name, owner="ada@example.com")
    known.claim(name, lambda _: made)
    return name


def tip(known: Ledger) -> str:
    return str(known.view().commit)


def hold(known: Ledger, name: str, task: dict[str, Any]) -> str:
    mine = started_here("apply", "ada@example.com", lease=OVER)
    held = known.begin(name, mine)
    if task["moment"] == "before its swap":
        stop_before_the_swap()
    else:
        os.kill(os.getpid(), signal.SIGSTOP)
    act(known, held, mine, task["act"])
    return "it was let in"


def stop_before_the_swap() -> None:
    """Once: the commit is made, the ref not yet moved."""
    moves = ("push_swap", "update_ref")
    real = {name: getattr(Repository, name) for name in moves}

    def stopping(name: str) -> Callable[..., Any]:
        def stopped(*words: Any, **more: Any) -> Any:
            for each, original in real.items():
                setattr(Repository, each, original)
            os.kill(os.getpid(), signal.SIGSTOP)
            return real[name](*words, **more)

        return stopped

    for name in moves:
        setattr(Repository, name, stopping(name))


def act(known: Ledger, held: Record, mine: Operation, what: str) -> None:
    if what == "publish":
        known.save(replace(held, phase="ready", operation=None), operation=mine.id)
    elif what == "give back":
        known.save(replace(held, phase="failed", operation=None), operation=mine.id)
    elif what == "retire":
        known.retire(held, {"id": held.id, "by": "ada@example.com"})
    else:
        known.renew(held, replace(mine, until="2999-01-01T00:00:00Z"))


def other_is_refused(known: Ledger, name: str) -> str:
    """Past its lease or not, a living holder is not taken over without typing so."""
    known.refresh()
    try:
        known.begin(name, started_here("destroy", "bo@example.com"))
    except InUse as error:
        return error.hint
    return "it was let in"


def take_over(known: Ledger, name: str, task: dict[str, Any]) -> str:
    known.refresh()
    theirs = known.get(name).operation
    mine = started_here("destroy", "bo@example.com")
    begun = known.begin(name, mine, take_over=theirs.id if theirs else "")
    if task["end"] == "finishes":
        known.save(replace(begun, phase="ready", operation=None), operation=mine.id)
    elif task["end"] == "destroys":
        known.retire(begun, {"id": begun.id, "by": "bo@example.com", "destroyed": "2026-11-21T07:00:00Z"})
    return "took it over"


def terraform(task: dict[str, Any]) -> dict[str, Any]:
    """The same for the Terraform state: the stopped one still has its lock file locked, and its server listens."""
    folder = Path(task["cwd"])
    holder = Child(lambda: send_late(folder))
    holder.wait_until_stopped()
    refused = state_is_locked(folder)
    taker = Child(lambda: send_first(folder, writes=task["end"] != "works"))
    took = taker.answer()
    before = kept(folder)
    holder.wake()
    heard = holder.answer()
    return {"heard": heard, "took": took, "refused": refused, "before": before, "after": kept(folder)}


def kept(folder: Path) -> str:
    store = StateStore(folder)
    return f"{store.serial} {store.lineage}"


def state_is_locked(folder: Path) -> str:
    try:
        StateStore(folder, "second").acquire(lock_info("second"), "second")
    except StateLocked as error:
        return f"wait: {error.message}"
    return "it was let in"


def send_late(folder: Path) -> str:
    said: list[str] = []
    with StateServer(folder, "first", say=said.append) as server:
        assert lock(server, "first") == 200
        assert ask(server, "POST", state(SERIAL), query="?ID=first")[0] == 200
        os.kill(os.getpid(), signal.SIGSTOP)
        answers = [ask(server, "POST", state(SERIAL + 2), query="?ID=first")[0], lock(server, "again")]
    return "it was let in" if 200 in answers else said[0]


def send_first(folder: Path, *, writes: bool) -> str:
    StateStore(folder).fence(["first"])
    with StateServer(folder, "second") as server:
        assert lock(server, "second") == 200
        if writes:
            assert ask(server, "POST", state(SERIAL + 1), query="?ID=second")[0] == 200
    return "took it over"


class Child:
    """A process that answers with one line, what it raised included."""

    def __init__(self, act: Callable[[], str]) -> None:
        read, write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(read)
            text = "it died"
            try:
                text = act()
            except KarrotsError as error:
                text = f"exit {int(error.code)}: {error.message}"
            except BaseException as error:  # noqa: BLE001  (told to whoever asked)
                text = f"it broke: {error!r}"
            finally:
                os.write(write, json.dumps(text).encode())
                os._exit(0)
        os.close(write)
        self._read = read

    def wait_until_stopped(self) -> None:
        """Raises RuntimeError with what it said when it ended instead."""
        _, status = os.waitpid(self.pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            raise RuntimeError(f"the holder ended: {os.read(self._read, 10_000)!r}")

    def wake(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def answer(self) -> str:
        with os.fdopen(self._read, "rb") as answer:
            text = answer.read()
        os.waitpid(self.pid, 0)
        return str(json.loads(text or b'"it died"'))


def server() -> subprocess.Popen[str]:
    """A process that plays tasks (tests.torture.racers)."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.torture.racers"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
