"""The lease an operation holds on a cluster while it works: who, where, since when, and whether that still runs."""

from __future__ import annotations

import os
import platform

from karrots.fleet.record import Operation, moment, new_id, timestamp

CLOCK_SLACK = 2.0  # seconds; `started` is cut to whole ones


def started_here(verb: str, holder: str = "") -> Operation:
    """A lease for this process; `holder` is the person, the user of the computer when git knows none."""
    import getpass

    return Operation(
        id=new_id(),
        verb=verb,
        holder=holder or getpass.getuser(),
        host=platform.node(),
        pid=os.getpid(),
        started=timestamp(),
    )


def abandoned(operation: Operation) -> bool:
    """Whether its process is gone from this computer; never said of one on another computer, which cannot be seen."""
    if operation.host != platform.node():
        return False
    import psutil

    try:
        born = psutil.Process(operation.pid).create_time()
    except psutil.NoSuchProcess:
        return True
    # A process born after the operation began only has its number.
    return born > moment(operation.started).timestamp() + CLOCK_SLACK
