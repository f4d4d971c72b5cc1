from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from karrots.clock import stamp
from karrots.fleet.operations import abandoned, started_here


def test_our_own_operation_is_not_abandoned() -> None:
    operation = started_here("branch", "ada")
    assert (operation.pid, operation.verb, operation.holder) == (os.getpid(), "branch", "ada")
    assert not abandoned(operation)


def test_one_whose_process_ended_is() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert abandoned(replace(started_here("branch", "ada"), pid=child.pid))


def test_one_whose_number_a_younger_process_got_is() -> None:
    yesterday = stamp(datetime.now(UTC) - timedelta(days=1))
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        operation = started_here("branch", "ada")
        assert not abandoned(replace(operation, pid=child.pid))
        assert abandoned(replace(operation, pid=child.pid, started=yesterday))
    finally:
        child.communicate()


def test_another_computers_process_cannot_be_judged() -> None:
    assert not abandoned(replace(started_here("branch", "ada"), host="elsewhere", pid=1 << 22))
