"""Commits, read through GitPython: never given a user's text as an option, ids and paths only."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from karrots.errors import ToolFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import git

_TRAILER = re.compile(r"([A-Za-z][A-Za-z0-9-]*): (.*)")


@dataclass(frozen=True)
class Commit:
    """`when` is the committer's time, in UTC."""

    id: str
    author: str
    email: str
    when: datetime
    subject: str
    trailers: Mapping[str, str] = field(default_factory=dict)


def commits(git_dir: Path, revision: str, path: str | None, most: int, *, first_parent: bool = False) -> list[Commit]:
    """Newest first; `revision` is a commit id or `ID..ID`. `first_parent`: a merge counts as one change."""
    from git.exc import GitError

    try:
        with _opened(git_dir) as repo:
            only = {"first_parent": True} if first_parent else {}
            walk = repo.iter_commits(revision, paths=[path] if path else [], max_count=most, **only)
            return [_commit(found) for found in walk]
    except (GitError, ValueError) as error:
        argv = ("git", "rev-list", revision)
        why = f"{type(error).__name__}: {error}"
        raise ToolFailed("the history cannot be read", argv=argv, status=0, why=why, hint="git fsck") from error


def _opened(git_dir: Path) -> git.Repo:
    import git

    repo = git.Repo(git_dir, expand_vars=False)
    # GIT_DIR is set because a hook that calls us may have left another one in our environment.
    repo.git.update_environment(
        GIT_DIR=str(git_dir), GIT_LITERAL_PATHSPECS="1", GIT_TERMINAL_PROMPT="0", GIT_OPTIONAL_LOCKS="0"
    )
    return repo


def _commit(found: git.Commit) -> Commit:
    message = found.message if isinstance(found.message, str) else found.message.decode("utf-8", "replace")
    return Commit(
        id=found.hexsha,
        author=found.author.name or "",
        email=found.author.email or "",
        when=found.committed_datetime.astimezone(UTC),
        subject=message.partition("\n")[0],
        trailers=dict(_trailers(message)),
    )


def _trailers(message: str) -> Iterator[tuple[str, str]]:
    *_, last = message.rstrip().split("\n\n")
    for line in last.splitlines():
        if match := _TRAILER.fullmatch(line):
            yield match[1], match[2]
