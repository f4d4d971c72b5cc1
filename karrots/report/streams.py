"""stdout and stderr as they may be found: closed, cut off by `head`, unable to show a sign."""

from __future__ import annotations

import errno
import os
import stat
import sys
from typing import Any, TextIO


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
    except OSError as error:
        if not _is_nobody_there(error, stream):
            raise
        forget(stream)


class Lasting:
    """`stream` for those who write to it directly: that its terminal or reader went away is not told to them."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        put(self._stream, text)
        return len(text)

    def flush(self) -> None:
        put(self._stream, "")


def _is_nobody_there(error: OSError, stream: TextIO) -> bool:
    """A closed terminal answers as a broken disk does, so what kind of file it is has to tell."""
    if isinstance(error, BrokenPipeError):
        return True
    return error.errno == errno.EIO and stat.S_ISCHR(os.fstat(stream.fileno()).st_mode)


def forget(stream: TextIO) -> None:
    """What is still buffered must not fail again when Python ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
