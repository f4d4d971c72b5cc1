"""Merging without a work tree, and the one way a user's work tree is moved on: as `git merge --ff-only` would do it.

What comes of a merge is a tree in the object store, and names nothing. Conflicts are data.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from karrots.adapters import process
from karrots.adapters.git_command import Git, cause, checked_id, understood
from karrots.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from karrots.adapters.git import Repository

HUNK = re.compile(r"^<<<<<<< .*?^>>>>>>> [^\n]*\n?", re.MULTILINE | re.DOTALL)
LARGEST_SHOWN = 4000  # characters of one file's hunks
INFORMATION = "Auto-merging"
# Of a merge that is there to be looked at, never to be published.
STAND_IN = "A stand-in for a merge base\n"


@dataclass(frozen=True)
class Conflict:
    """`kind` is git's own word (`contents`, `modify/delete` …), `hunks` the text with markers."""

    path: str
    kind: str
    message: str
    hunks: str


@dataclass(frozen=True)
class Merged:
    """`tree` holds conflict markers when there are conflicts."""

    tree: str
    conflicts: tuple[Conflict, ...] = ()


def merged(repo: Repository, ours: str, theirs: str, names: Mapping[str, str]) -> Merged:
    """The merge of two commits that have a common one; `names` says what people call them."""
    git = Git.located(repo.root)
    words = ("merge-tree", "--write-tree", "-z", "--name-only", "--messages", "--end-of-options", ours, theirs)
    done = git.run(*words, check=False)
    if done.status not in (0, 1) or not done.stdout:
        raise process.failed(done)
    tree, said = understood("merge-tree", lambda: _read(os.fsdecode(done.stdout)))
    if done.status == 0:
        return Merged(tree)
    return Merged(tree, tuple(_conflicts(repo, tree, said, names)))


def without(repo: Repository, head: str, commit: str, names: Mapping[str, str]) -> Merged:
    """`head` with what `commit` brought to its first parent taken back: `git revert`, with `-m 1` for a merge.

    By stand-ins without history, as git before 2.40 cannot be told a merge base.
    """
    before = f"{commit}^1"
    if head == commit:
        return Merged(repo.tree_id(before) or "")
    base = _stand_in(repo, commit, ())
    ours, theirs = _stand_in(repo, head, (base,)), _stand_in(repo, before, (base,))
    told = {ours: names.get(head, head[:10]), theirs: f"before {commit[:10]}"}
    return merged(repo, ours, theirs, told)


def _stand_in(repo: Repository, commit: str, parents: Sequence[str]) -> str:
    return repo.commit_tree(repo.tree_id(commit) or commit, parents, STAND_IN)


def _read(answer: str) -> tuple[str, list[tuple[str, str, str]]]:
    """The tree, and of each message: path, kind, text. Raises ValueError for another form."""
    head, _, rest = answer.partition("\0")
    _, _, messages = rest.partition("\0\0")
    return checked_id(head), list(_messages(messages.split("\0")))


def _messages(fields: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    at = 0
    while at < len(fields) and fields[at]:
        count = int(fields[at])
        paths = fields[at + 1 : at + 1 + count]
        kind, text = fields[at + 1 + count : at + 3 + count]
        yield paths[0] if paths else "", kind, text.strip()
        at += 3 + count


def _conflicts(
    repo: Repository, tree: str, said: Sequence[tuple[str, str, str]], names: Mapping[str, str]
) -> Iterator[Conflict]:
    for path, kind, text in said:
        if kind.startswith("CONFLICT"):
            short = kind.removeprefix("CONFLICT (").removesuffix(")")
            yield Conflict(path, short, _named(text, names), _named(_hunks(repo, tree, path), names))


def _hunks(repo: Repository, tree: str, path: str) -> str:
    """Of a text; a file that is too large, binary or not there has none to show."""
    (data,) = repo.contents([f"{tree}:{path}"]) if "\n" not in path else (None,)
    if data is None or b"\0" in data:
        return ""
    shown = "".join(HUNK.findall(data.decode("utf-8", "replace")))
    return shown if len(shown) <= LARGEST_SHOWN else f"{shown[:LARGEST_SHOWN]}…\n"


def _named(text: str, names: Mapping[str, str]) -> str:
    for commit, name in names.items():
        text = text.replace(commit, name)
    return text


def disturbed(folder: Path) -> list[str]:
    """Files of a work tree that git follows and that are not as they were committed."""
    words = ("status", "--porcelain=v1", "-z", "--untracked-files=no", "--no-renames", "--ignore-submodules=dirty")
    told = Git.located(folder).run(*words).stdout
    return [os.fsdecode(line[3:]) for line in told.split(b"\0") if line]


def fast_forward(folder: Path, commit: str) -> None:
    """Move a work tree, its index and its branch on to `commit`. Raises Refused where git sees something in the way."""
    words = ("merge", "--ff-only", "--quiet", "--no-autostash", "--no-verify-signatures", "--end-of-options", commit)
    done = Git.located(folder).run(*words, check=False)
    if done.status != 0:
        raise Refused(
            f"git does not move the files in {folder} on to {commit[:10]}",
            why=cause(done),
            hint=f"git -C {folder} merge --ff-only {commit[:10]}",
        )
