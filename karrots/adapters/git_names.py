"""Which branch names, remote names and paths are let through to git."""

from __future__ import annotations

import re
from pathlib import Path

from karrots.adapters.git_command import Git, is_object_id
from karrots.errors import UsageError

BRANCH_LENGTH = 200
SHOWN_LENGTH = 60

_BRANCH = re.compile(r"[A-Za-z0-9._][A-Za-z0-9._/-]*")
_REMOTE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")


def quoted(text: str) -> str:
    """Somebody's text, fit for a message: one line, no control characters, not endless."""
    cut = text if len(text) <= SHOWN_LENGTH else text[: SHOWN_LENGTH - 1] + "…"
    return repr(cut)


def rehearsal_namespace(rehearsal_id: str) -> str:
    """Where the one branch is that a rehearsal sees (gitnamespaces(7)): nobody else's list of branches shows it."""
    return f"karrots-{rehearsal_id}"


def check_branch_name(name: str) -> str:
    """The name itself; UsageError when git would refuse it, or a shell, a host name or a path could trip over it.

    git alone accepts `$(id)`, `;` and backticks, therefore the stricter pattern.
    """
    problem = _branch_problem(name)
    if problem:
        raise UsageError(f"{quoted(name)} cannot be a branch name", why=problem, hint="karrots branch feature/my-story")
    return name


def _branch_problem(name: str) -> str:
    if not name:
        return "it is empty"
    if len(name) > BRANCH_LENGTH:
        return f"it has {len(name)} characters, {BRANCH_LENGTH} are allowed"
    if name.startswith("-"):
        return "it starts with '-', as options do"
    if not _BRANCH.fullmatch(name):
        return "only letters, digits and . _ / - are allowed"
    return _reserved(name) or _refused_by_git(name)


def _reserved(name: str) -> str:
    if name.lower().split("/")[0] == "karrots":
        return "karrots keeps its ledger below karrots/"
    if name.startswith("refs/"):
        return "it reads as the full name of a ref"
    if is_object_id(name):
        return "it reads as a commit id"
    return ""


def _refused_by_git(name: str) -> str:
    done = Git.located(Path("/")).run("check-ref-format", "--branch", name, check=False)
    return "" if done.status == 0 else "git does not allow it (a part that starts with '.', ends in '.lock' …)"


def check_remote_name(name: str) -> str:
    if not _REMOTE.fullmatch(name) or ".." in name or name.endswith(".lock"):
        raise UsageError(
            f"{quoted(name)} is not the name of a git remote",
            why="a remote is named as `git remote` shows it, not by its address",
            hint="git remote --verbose",
        )
    return name


def clean_path(path: str) -> str:
    """A path inside the repository without a closing slash, '' for its root; UsageError when it leads elsewhere."""
    if path in {"", "."}:
        return ""
    kept = path.removesuffix("/")
    if any(part in {"", ".", ".."} for part in kept.split("/")) or "\0" in kept or "\n" in kept:
        raise UsageError(
            f"{quoted(path)} is not a path inside the repository",
            why="it has an empty part, '.', '..' or a line break",
        )
    return kept
