"""stdout and stderr as they may be found: closed, cut off by `head`, unable to show a sign."""

from __future__ import annotations

import os
import sys
from typing import TextIO


def steady() -> None:
    """What a terminal cannot show is escaped, and output that the shell closed goes nowhere."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123  (open to the end)
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def put(stream: TextIO, text: str) -> None:
    """Write at once. A reader that went away has seen enough, and that is no reason to stop what is being done."""
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        forget(stream)


def forget(stream: TextIO) -> None:
    """What is still buffered must not fail again when Python ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
