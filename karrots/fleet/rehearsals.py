"""Marks of rehearsals: whose a throw-away cluster and its ref are, for whoever comes after a kill.

A mark is there before anything else of its rehearsal, and goes last.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from karrots import computer, files, places
from karrots.adapters.git_names import rehearsal_namespace
from karrots.errors import UsageError
from karrots.spec import json_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ID = re.compile(r"[0-9a-z]{26}")
BRANCH = "rehearsal"
NAMESPACES = "refs/namespaces"


@dataclass(frozen=True)
class Mark:
    """`repository` is the git directory; `pid` and `born` are the process that rehearses (karrots.computer)."""

    id: str
    repository: str
    pid: int
    born: str

    @property
    def ref(self) -> str:
        return ref_of(self.id)

    @property
    def is_over(self) -> bool:
        return computer.is_gone(self.pid, self.born)


def ref_of(rehearsal_id: str) -> str:
    return f"{NAMESPACES}/{rehearsal_namespace(rehearsal_id)}/refs/heads/{BRANCH}"


def id_of(ref: str) -> str:
    """Whose a ref is; '' for one that is no rehearsal's."""
    found = ID.search(ref)
    return found[0] if found and ref == ref_of(found[0]) else ""


def begin(rehearsal_id: str, repository: Path) -> Mark:
    mark = Mark(rehearsal_id, str(repository), os.getpid(), computer.born(os.getpid()))
    places.private_folder(places.rehearsals())
    files.write(_file(rehearsal_id), json.dumps(asdict(mark), sort_keys=True) + "\n")
    return mark


def end(rehearsal_id: str) -> None:
    files.remove(_file(rehearsal_id))


def every() -> Iterator[Mark]:
    """Those that can be read; ids are names of files, so that a mark speaks of nothing but itself."""
    folder = places.rehearsals()
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        mark = _read(path)
        if mark is not None:
            yield mark


def ids(*, alive: bool = False) -> set[str]:
    """Of all that have a mark, or of those whose process lives."""
    return {mark.id for mark in every() if not (alive and mark.is_over)}


def _read(path: Path) -> Mark | None:
    try:
        found = json_file.load(files.content(path))
        mark = Mark(path.stem, str(found["repository"]), int(found["pid"]), str(found["born"]))
    except (OSError, UsageError, ValueError, KeyError, TypeError):
        return None
    return mark if ID.fullmatch(mark.id) else None


def _file(rehearsal_id: str) -> Path:
    return places.rehearsals() / f"{rehearsal_id}.json"
