"""Rendered texts against a folder: compare first, then write only what differs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

from karrots.errors import Refused
from karrots.files import make_folders
from karrots.files import write as write_file

if TYPE_CHECKING:
    from collections.abc import Mapping

Outcome = Literal["created", "changed", "same"]


@dataclass(frozen=True)
class Written:
    path: str
    outcome: Outcome


def compare(files: Mapping[str, str], root: Path) -> list[Written]:
    """What `write` would do, sorted by path."""
    return [Written(path, _outcome(_inside(root, path), text)) for path, text in sorted(files.items())]


def write(files: Mapping[str, str], root: Path) -> list[Written]:
    """Write what differs, each file in one rename. Raises Refused for a path that leaves `root` or is a link."""
    results = compare(files, root)
    for result in results:
        if result.outcome != "same":
            _replace(root / result.path, files[result.path])
    return results


def _inside(root: Path, path: str) -> Path:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts:
        raise Refused(f"the path '{path}' leaves the folder it is written to")
    target = root
    for part in pure.parts:
        target = target / part
        if target.is_symlink():
            raise Refused(f"'{path}' is not written", why=f"{target} is a symbolic link", hint=f"rm {target}")
        if target.exists() and target.is_dir() == (target == root / pure):
            kind = "a folder" if target.is_dir() else "a file"
            raise Refused(f"'{path}' is not written", why=f"{target} is {kind}", hint=f"ls -ld {target}")
    return target


def _outcome(target: Path, text: str) -> Outcome:
    if not target.exists():
        return "created"
    data = text.encode()
    is_same = target.is_file() and target.stat().st_size == len(data) and target.read_bytes() == data
    return "same" if is_same else "changed"


def _replace(target: Path, text: str) -> None:
    make_folders(target.parent)
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
    write_file(target, text, mode=mode)


def _umask() -> int:
    """The process's umask, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
