from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from karrots.errors import ExitCode
from karrots.report.streams import put
from karrots.report.system import refusal

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_no_room_says_where_ours_is(number: int) -> None:
    told = refusal(OSError(number, os.strerror(number), "/x/y"))
    assert told is not None
    assert told.code is ExitCode.FAILED
    assert told.message == "'/x/y' cannot be used"
    assert told.why == os.strerror(number)
    assert os.environ["KARROTS_HOME"] in told.hint


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOTDIR, errno.EMFILE])
def test_what_is_not_allowed_says_what_to_look_at(number: int) -> None:
    told = refusal(OSError(number, os.strerror(number), "/x/y"))
    assert told is not None
    assert told.hint == "ls -ld /x/y"
    without = refusal(OSError(number, os.strerror(number)))
    assert without is not None
    assert without.hint == "karrots doctor"


@pytest.mark.parametrize(
    "error", [FileNotFoundError(errno.ENOENT, "x"), OSError("odd"), BrokenPipeError(errno.EPIPE, "")]
)
def test_anything_else_is_a_mistake_of_ours(error: OSError) -> None:
    assert refusal(error) is None


def test_a_closed_pipe_is_no_reason_to_stop() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as stream:
        put(stream, "nobody reads this\n")
        put(stream, "nor this\n")


def test_a_full_device_is_told(tmp_path: Path) -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    stream = os.fdopen(descriptor, "w")
    with pytest.raises(OSError, match="No space left"):
        put(stream, "x\n")
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
    stream.close()
