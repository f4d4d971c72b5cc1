"""The one door for writing files, and for reading those of a repository.

Each call is one effect, and leaves the old file or the new one, never a part.
"""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from karrots.effects import effect
from karrots.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


LARGEST = 1 << 20  # bytes; content is text that people write


def content(path: Path, largest: int = LARGEST) -> bytes:
    """A file of a repository: never through a link, which could lead anywhere, and never more than `largest`.

    Raises UsageError for what is no regular file, FileNotFoundError where there is nothing.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if path.is_symlink():
            raise _not_content(path, "it is a symbolic link, and what it leads to is not part of the fleet") from error
        raise
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _not_content(path, "it is not a regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as source:
            data = source.read(largest + 1)
    finally:
        os.close(descriptor)
    if len(data) > largest:
        raise _not_content(path, f"it is larger than {largest >> 20} MiB")
    return data


def _not_content(path: Path, why: str) -> UsageError:
    return UsageError(f"'{path}' cannot be read", why=why, hint=f"ls -ld {path}")


def write(path: Path, data: str | bytes, *, mode: int = 0o600, durable: bool = True) -> None:
    """Replace `path` as a whole. `durable`: on the disk when this returns, its name too.

    What only says who is at work need not be durable: a computer that lost its power has nobody at work.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    with effect("write", path):
        try:
            _fill(beside, data, mode, durable=durable)
            beside.replace(path)
        except BaseException:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
            raise
        if durable:
            sync_folder(path.parent)


def _fill(path: Path, data: str | bytes, mode: int, *, durable: bool) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode), "wb") as sink:
        os.fchmod(sink.fileno(), mode)
        sink.write(data.encode() if isinstance(data, str) else data)
        sink.flush()
        if durable:
            os.fsync(sink.fileno())


def append(path: Path, data: str, *, mode: int = 0o600) -> None:
    """Add to a log, durably; the file is made when it is not there."""
    with effect("append", path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as sink:
            sink.write(data.encode())
            sink.flush()
            os.fsync(sink.fileno())


def create(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """A file that is not there yet. O_EXCL also refuses a symlink that somebody puts there meanwhile."""
    with effect("create", path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as sink:
            sink.write(data)


def make_folder(path: Path, *, mode: int = 0o700) -> None:
    """One folder; fine when it is there."""
    with effect("mkdir", path):
        path.mkdir(mode=mode, exist_ok=True)


def make_folders(path: Path) -> None:
    """With its parents, for everybody to read: of a work tree, or what is exported."""
    with effect("mkdir", path):
        path.mkdir(parents=True, exist_ok=True)


def rename(old: Path, new: Path) -> None:
    with effect("rename", new):
        old.rename(new)


def link(path: Path, to: Path) -> None:
    """A symbolic link in the place of whatever file is there."""
    with effect("link", path):
        path.unlink(missing_ok=True)
        path.symlink_to(to)


def remove(path: Path) -> None:
    """Fine when it is gone."""
    with effect("unlink", path):
        path.unlink(missing_ok=True)


def remove_tree(path: Path, *, whatever: bool = False) -> None:
    """A folder with all in it; `whatever` cannot be deleted stays without a word."""
    with effect("rmtree", path):
        shutil.rmtree(path, ignore_errors=whatever)


def sync_folder(folder: Path) -> None:
    """Names in it are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
