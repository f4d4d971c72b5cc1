"""Git's machine-readable object formats: listings of trees, batches of objects."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from karrots.adapters.git_command import is_object_id
from karrots.adapters.git_names import clean_path
from karrots.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SYMLINK = 0o120000
GITLINK = 0o160000
EXECUTABLE = 0o100755


@dataclass(frozen=True)
class TreeFile:
    """A file of a tree: `data` is the content, a symlink's target, or nothing for a gitlink."""

    mode: int
    data: bytes

    @property
    def regular(self) -> bool:
        return self.mode not in {SYMLINK, GITLINK}


@dataclass(frozen=True)
class Tree:
    """A tree that is already in the object store, put somewhere as it is."""

    id: str


@dataclass(frozen=True)
class Entry:
    """A line of `git ls-tree --long`; `size` is -1 for what has none."""

    path: str
    mode: int
    kind: str
    id: str
    size: int


FACTS = re.compile(rb"[0-7]{6} (?:blob|tree|commit) [0-9a-f]{40}(?:[0-9a-f]{24})?")

Nested = dict[str, "bytes | Tree | Nested | None"]


def entries(listing: bytes) -> Iterator[Entry]:
    """Of `git ls-tree -z --long`."""
    for line in listing.split(b"\0"):
        if line:
            facts, _, path = line.partition(b"\t")
            mode, kind, identity, size = facts.split()
            if not is_object_id(os.fsdecode(identity)):
                raise ValueError("a line without the id of an object")
            yield Entry(
                os.fsdecode(path), int(mode, 8), kind.decode(), identity.decode(), -1 if size == b"-" else int(size)
            )


def batch(answer: bytes, count: int) -> list[bytes | None]:
    """The contents in an answer of `git cat-file --batch`, None for each that is missing.

    Raises ValueError when there are not `count` whole ones.
    """
    found = list(_batch(answer))
    if len(found) != count:
        raise ValueError(f"{len(found)} objects instead of {count}")
    return found


def _batch(answer: bytes) -> Iterator[bytes | None]:
    position = 0
    while position < len(answer):
        end = answer.index(b"\n", position)
        head = answer[position:end]
        if head.endswith((b" missing", b" ambiguous")):
            yield None
            position = end + 1
            continue
        size = int(head.rpartition(b" ")[2])
        if size < 0 or answer[end + 1 + size : end + 2 + size] != b"\n":
            raise ValueError("an object is not as long as it is said to be")
        yield answer[end + 1 : end + 1 + size]
        position = end + size + 2


def lines_of_tree(listing: bytes) -> dict[bytes, bytes]:
    """File name to `mode kind id`, of `git ls-tree -z`. Raises ValueError for lines of another form, or cut short."""
    *lines, rest = listing.split(b"\0")
    pairs = [line.partition(b"\t") for line in lines]
    if rest or not all(FACTS.fullmatch(facts) and name for facts, _, name in pairs):
        raise ValueError("a line is not that of a tree")
    return {name: facts for facts, _, name in pairs}


def nested(edits: Mapping[str, bytes | Tree | None]) -> Nested:
    """Edits by path as a tree of edits; UsageError when one edit lies inside another."""
    root: Nested = {}
    for path in sorted(edits):
        *folders, name = clean_path(path).split("/")
        node = root
        for folder in folders:
            below = node.setdefault(folder, {})
            if not isinstance(below, dict):
                raise UsageError(f"'{path}' lies inside another path that is written at the same time")
            node = below
        if not name or isinstance(node.get(name), dict):
            raise UsageError(f"'{path}' holds another path that is written at the same time")
        node[name] = edits[path]
    return root


def checked_tree(tree: Tree) -> bytes:
    if not is_object_id(tree.id):
        raise UsageError(f"'{tree.id}' is not the id of a tree")
    return b"040000 tree " + tree.id.encode()
