"""How commits hang together, asked of git in one go for many branches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from karrots.adapters.git_command import Git, checked_id, understood

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# Of all branches together, newest first. Who is further behind is told to be at least so far.
MOST_COMMITS = 2000


def graph(root: Path, heads: Iterable[str], most: int = MOST_COMMITS) -> dict[str, tuple[str, ...]]:
    """The newest commits of these heads, each with its parents."""
    stdin = "".join(f"{head}\n" for head in heads).encode()
    told = Git.located(root).line("rev-list", "--parents", f"--max-count={most}", "--stdin", stdin=stdin)
    return understood("rev-list", lambda: dict(_line(line) for line in told.splitlines()))


def _line(line: str) -> tuple[str, tuple[str, ...]]:
    commit, *parents = map(checked_id, line.split())
    return commit, tuple(parents)


def newest_at(root: Path, commit: str, seconds: int) -> str | None:
    """The newest one on the first-parent line of `commit` that is not younger than a time in Unix seconds."""
    words = ("rev-list", "--max-count=1", "--first-parent", f"--before={seconds}", "--end-of-options", commit)
    return Git.located(root).line(*words) or None
