"""The lease an operation holds on a cluster while it works: who, where, since when, until when, and whether it lives.

A lease that is over holds nobody back by itself: its holder may only be slow. What it allows is to take the cluster
over by typing so. A holder that is seen to be dead is taken over at once.
"""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from karrots import clock, computer
from karrots.fleet.record import Operation, new_id

if TYPE_CHECKING:
    from datetime import datetime

LEASE = timedelta(hours=2)  # longer than any one step
CLOCK_SLACK = 2.0  # seconds; `started` is cut to whole ones
TAKE_OVER = "--take-over"


def started_here(verb: str, holder: str = "", *, lease: timedelta = LEASE) -> Operation:
    """A lease for this process; `holder` is the person, the user of the computer when git knows none."""
    import getpass

    now = clock.now()
    return Operation(
        id=new_id(),
        verb=verb,
        holder=holder or getpass.getuser(),
        host=computer.name(),
        host_id=computer.host_id(),
        pid=os.getpid(),
        born=computer.born(os.getpid()),
        started=clock.stamp(now),
        until=clock.stamp(now + lease),
    )


def is_here(operation: Operation) -> bool:
    return computer.is_this(operation.host, operation.host_id)


def abandoned(operation: Operation) -> bool:
    """Whether its process is gone from this computer; never said of one on another computer, which cannot be seen."""
    if not is_here(operation):
        return False
    return computer.is_gone(operation.pid, operation.born) if operation.born else _gone_by_the_clock(operation)


def ends(operation: Operation) -> datetime | None:
    """When its lease is over; None when the record holds no time that can be read."""
    return _read(operation.until) or _read(operation.started, LEASE)


def is_over(operation: Operation) -> bool:
    """A lease without a time that can be read counts as over, or nobody could ever end it."""
    end = ends(operation)
    return end is None or clock.now() >= end


def gives_way(operation: Operation, take_over: str) -> bool:
    """Whether another operation may take the cluster from this one; `take_over` is the id that somebody typed."""
    return abandoned(operation) or (take_over == operation.id and is_over(operation))


def after(operation: Operation, other: Operation) -> Operation:
    """`operation`, with those that it fences: the dead wake no more."""
    living = "" if abandoned(other) else other.id
    return replace(operation, fenced=" ".join(filter(None, (other.fenced, living))))


def taken_from(other: Operation) -> str:
    """Said before a cluster is taken over."""
    state = "that process is gone" if abandoned(other) else "its lease is over; whatever it still does is refused"
    return f"taking the cluster over from {other.holder}: {described(other)}; {state}"


def described(operation: Operation) -> str:
    where = computer.described(operation.host, operation.host_id)
    end = ends(operation)
    until = clock.stamp(end) if end else "a time that cannot be read"
    tense = "was" if is_over(operation) else "is"
    since = f"process {operation.pid}, since {operation.started}; its lease {tense} until {until}"
    return f"{operation.holder} runs {operation.verb} on {where}, {since}"


def way_on(operation: Operation, name: str, command: str) -> str:
    """What to type instead; `command` is the one that was refused."""
    words = f"{command or f'karrots apply {name}'} {TAKE_OVER} {shlex.quote(operation.id)}"
    if is_over(operation):
        seen = "it still lives here" if is_here(operation) else f"make sure that nothing runs on {operation.host}"
        return f"{seen}; to go on without it: {words}"
    if is_here(operation):
        return f"wait until it is done: karrots show {name}\nor stop it: kill {operation.pid}"
    return f"wait until it is done: karrots show {name}\nor, when its lease is over: {words}"


def without_take_over(command: str) -> str:
    """What was typed, but for a take-over that did not come about."""
    return re.sub(rf" {TAKE_OVER}[ =]\S+", "", command)


def _read(text: str, more: timedelta = timedelta(0)) -> datetime | None:
    try:
        return clock.moment(text) + more
    except (ValueError, OverflowError):
        return None


def _gone_by_the_clock(operation: Operation) -> bool:
    """For records from before there was `born`."""
    import psutil

    try:
        began = psutil.Process(operation.pid).create_time()
    except (psutil.Error, ValueError, OverflowError):
        return True
    # A process born after the operation began only has its number.
    started = _read(operation.started)
    return started is not None and began > started.timestamp() + CLOCK_SLACK
