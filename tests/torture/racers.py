"""A process that has loaded karrots and forks: `python -m tests.torture.racers`, a task as a line of JSON each.

`crowd` starts many at one moment, each a `karrots branch` in a clone of its own, from the command line to the story
branch at the remote: Terraform and what comes after it are left out. `late` plays a holder that is stopped, loses its
cluster and wakes.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from tests.torture import late
from tests.torture.zygote import load

if TYPE_CHECKING:
    from collections.abc import Callable

    from karrots.ops.wait import Wait
    from karrots.pipeline import Step
    from karrots.steps.context import Context

PATIENCE_SECONDS = 300.0


def main() -> None:
    load()  # before the first fork, so that nobody pays for it again
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        task = json.loads(line)
        done: Any = crowd(task["members"]) if task["kind"] == "crowd" else late.play(task)
        answers.write(json.dumps(done) + "\n")
        answers.flush()


def crowd(members: list[dict[str, Any]]) -> list[int]:
    """Exit statuses, in the order of the members; each leaves what it said in its files `out` and `err`."""
    gate, hold = os.pipe()
    ended = [fork(partial(member_of, member, gate, hold)) for member in members]
    os.close(gate)
    os.close(hold)  # the end of the pipe is the word to start, for all at once
    return [waited_for(pid) for pid in ended]


def fork(act: Callable[[], int]) -> int:
    pid = os.fork()
    if pid == 0:
        status = 70
        try:
            status = act()
        finally:
            leave(status)
    return pid


def leave(status: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def waited_for(pid: int) -> int:
    """A negative one is the signal it died of; -9 also for one that did not end."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def member_of(member: dict[str, Any], gate: int, hold: int) -> int:
    os.close(hold)
    os.environ.update(member["env"])
    os.chdir(member["cwd"])
    for number, key in ((1, "out"), (2, "err")):
        file = os.open(member[key], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(file, number)
        os.close(file)
    os.read(gate, 1)
    only_git()
    from karrots import app

    return app.run(member["argv"])


def only_git() -> None:
    """Leave out what is before the claim and after the story branch."""
    from karrots.ops import bringup
    from karrots.pipeline import Done
    from karrots.steps.preflight import Preflight

    def passed(self: Preflight, ctx: Context) -> Done:
        return Done("left out")

    def nothing(wait: Wait) -> list[Step[Context]]:
        return []

    Preflight.check = passed  # type: ignore[method-assign]
    bringup.towards_ready = nothing


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    main()
