from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from karrots import clock, computer
from karrots.fleet import operations
from karrots.fleet.operations import abandoned, after, described, ends, gives_way, is_over, started_here, way_on

if TYPE_CHECKING:
    from collections.abc import Iterator

    from karrots.fleet.record import Operation

NOBODY = 1 << 22


@pytest.fixture
def mine() -> Operation:
    return started_here("branch", "ada")


@pytest.fixture
def over(mine: Operation) -> Operation:
    return replace(mine, until=clock.stamp(clock.now() - timedelta(seconds=1)))


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as running:
        yield running
        running.kill()


def elsewhere(operation: Operation) -> Operation:
    return replace(operation, host="elsewhere", host_id="x" * 26)


def from_before(operation: Operation) -> Operation:
    """As an earlier version wrote it."""
    return replace(operation, host_id="", born="", until="")


def test_our_own_operation_is_not_abandoned(mine: Operation) -> None:
    assert (mine.pid, mine.verb, mine.holder, mine.host) == (os.getpid(), "branch", "ada", platform.node())
    assert (mine.host_id, mine.born) == (computer.host_id(), computer.born(os.getpid()))
    assert not abandoned(mine)
    assert not abandoned(from_before(mine))


def test_one_whose_process_ended_is(mine: Operation, child: subprocess.Popen[bytes]) -> None:
    theirs = replace(mine, pid=child.pid, born=computer.born(child.pid))
    assert not abandoned(theirs)
    child.kill()
    child.wait()
    assert abandoned(theirs)
    assert abandoned(from_before(theirs))


def test_one_that_is_stopped_is_not(mine: Operation, child: subprocess.Popen[bytes]) -> None:
    child.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, child.pid, os.WSTOPPED)
    assert not abandoned(replace(mine, pid=child.pid, born=computer.born(child.pid)))


def test_one_whose_number_another_process_got_is(mine: Operation, child: subprocess.Popen[bytes]) -> None:
    assert abandoned(replace(mine, pid=child.pid))
    before = replace(from_before(mine), pid=child.pid)
    assert not abandoned(before)
    assert abandoned(replace(before, started=clock.stamp(clock.now() - timedelta(days=1))))


@pytest.mark.parametrize("pid", [-1, 0, NOBODY, 1 << 80])
def test_numbers_that_no_process_has(mine: Operation, pid: int) -> None:
    assert abandoned(replace(mine, pid=pid))
    assert abandoned(replace(from_before(mine), pid=pid)) or pid == 0


def test_one_from_before_a_restart_is(mine: Operation) -> None:
    assert abandoned(replace(mine, born=f"another boot/{mine.born.partition('/')[2]}"))


def test_a_renamed_computer_still_knows_its_own(mine: Operation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "node", lambda: "renamed")
    assert abandoned(replace(mine, pid=NOBODY))
    assert not abandoned(replace(from_before(mine), pid=NOBODY)), "its name was all it had"


def test_another_computers_process_cannot_be_judged(mine: Operation) -> None:
    assert not abandoned(replace(elsewhere(mine), pid=NOBODY))
    assert not abandoned(replace(mine, host_id="x" * 26, pid=NOBODY)), "the name alone proves nothing"


def test_a_lease_has_an_end(mine: Operation, over: Operation) -> None:
    assert ends(mine) == clock.moment(mine.started) + operations.LEASE
    assert ends(from_before(mine)) == ends(mine)
    assert ends(started_here("branch", lease=timedelta(hours=5))) != ends(mine)
    assert not is_over(mine)
    assert is_over(over)


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-11-21", "2026-13-41T07:00:00Z", "9999-12-31T23:59:59+00:00"])
def test_times_that_cannot_be_read(mine: Operation, text: str) -> None:
    """One of the two is enough; without any the lease holds nobody back for ever."""
    assert ends(replace(mine, until=text)) == ends(mine)
    neither = replace(mine, until=text, started=text)
    assert ends(neither) is None
    assert is_over(neither)
    assert not abandoned(replace(from_before(neither), until=text))
    assert "a time that cannot be read" in described(neither)
    assert ends(replace(mine, until="", started="9999-12-31T23:59:59Z")) is None, "an end that no clock will show"


def test_who_gives_way(mine: Operation, over: Operation) -> None:
    dead = replace(mine, pid=NOBODY)
    assert gives_way(dead, "")
    for living in (mine, elsewhere(mine), elsewhere(dead), over, elsewhere(over)):
        assert not gives_way(living, "")
        assert not gives_way(living, "x" * 26), "the id of another"
        assert gives_way(living, living.id) == is_over(living)


def test_what_an_operation_fences_goes_on_with_the_cluster(mine: Operation, over: Operation) -> None:
    second, third = started_here("apply"), started_here("destroy")
    second = after(second, over)
    assert second.fenced == over.id
    assert after(third, replace(second, pid=NOBODY)).fenced == over.id, "the dead do not wake"
    assert after(third, second).fenced == f"{over.id} {second.id}"


def test_what_it_is_told_as(mine: Operation, over: Operation) -> None:
    assert described(mine) == (
        f"ada runs branch on {platform.node()}, process {os.getpid()}, since {mine.started}; "
        f"its lease is until {mine.until}"
    )
    assert described(over).endswith(f"; its lease was until {over.until}")
    assert described(replace(mine, host_id="x" * 26)).startswith(f"ada runs branch on another {platform.node()} (this")


def test_what_to_type_next(mine: Operation, over: Operation) -> None:
    assert way_on(mine, "qa", "") == f"wait until it is done: karrots show qa\nor stop it: kill {os.getpid()}"
    again = f"karrots destroy qa --yes --take-over {mine.id}"
    assert way_on(over, "qa", "karrots destroy qa --yes") == f"it still lives here; to go on without it: {again}"
    there = way_on(elsewhere(mine), "qa", "karrots destroy qa --yes")
    assert there == f"wait until it is done: karrots show qa\nor, when its lease is over: {again}"
    gone = way_on(elsewhere(over), "qa", "")
    assert gone.startswith(
        "make sure that nothing runs on elsewhere; to go on without it: karrots apply qa --take-over "
    )
    assert way_on(replace(over, id="$(reboot)"), "qa", "").endswith("--take-over '$(reboot)'")
