"""`karrots branch`: a copy of the cluster of this directory, on a git branch of its own."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from karrots import clock
from karrots.adapters import git_walk
from karrots.adapters.git_names import quoted
from karrots.errors import Locked, NotFound, UsageError
from karrots.fleet.names import check_branch, derived_name
from karrots.fleet.record import Parent
from karrots.fleet.workspace import Workspace
from karrots.ops.bringup import Cluster, Options, bring_up, draft, resumable
from karrots.ops.create import on_a_branch, warn_of_changes

if TYPE_CHECKING:
    from karrots.fleet.record import Record
    from karrots.ops.foresee import Planned
    from karrots.ops.settings import Settings


TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d)?)?")
DAY = len("2026-11-21")
FORMS = "2026-11-21 or 2026-11-21T07:00Z"


@dataclass(frozen=True)
class BranchOptions(Options):
    """`source` is the commit to branch from (default: what is checked out), `at` a commit or time of its past."""

    source: str | None = None
    at: str | None = None


def branch(settings: Settings, git_branch: str, name: str | None, options: BranchOptions) -> Cluster | Planned:
    workspace = Workspace.open(settings.start, settings.warn)
    directory = workspace.directory()
    check_branch(git_branch)
    commit, here = fork_point(workspace, options.source) if options.at is None else past(workspace, options)
    warn_of_changes(settings, workspace, directory)
    workspace.ledger.refresh()
    parent = parent_of(workspace, directory, here, commit)
    record = draft(
        workspace, options, name=derived_name(directory, git_branch) if name is None else name,
        directory=directory, branch=git_branch, commit=commit, parent=parent,
    )  # fmt: skip
    ours = resumable(workspace.ledger.find(record.name), record, take_over=options.take_over, command=settings.argv)
    if ours is None:
        refuse_taken_branch(workspace, git_branch)
        refuse_neighbour(workspace, git_branch)
    else:
        forked = ours.parent.commit if ours.parent else commit
        refuse_other_source(git_branch, options.source or options.at, commit, forked)
        commit = workspace.repo.branch_commit(git_branch) or forked
    run = settings.run("branch", record.name)
    return bring_up(settings, workspace, options, record, commit, run, ours, pushes=True)


def refuse_other_source(git_branch: str, source: str | None, commit: str, forked: str) -> None:
    """Raises UsageError when a repeated command names another commit than the branch was made from."""
    if source is not None and commit != forked:
        raise UsageError(
            f"the branch '{git_branch}' was made from {forked[:10]}, not from {quoted(source)}",
            why="its cluster exists, and a fork point does not change",
            hint="leave that option out, or choose another branch and cluster name",
        )


def fork_point(workspace: Workspace, source: str | None) -> tuple[str, str | None]:
    """The commit, and the branch it was taken from when that is known."""
    if source is None:
        here, commit = on_a_branch(workspace.repo.head())
        return commit, here
    commit_of = workspace.repo.resolve(source)
    if commit_of is None:
        raise NotFound(f"git knows no commit {quoted(source)}", hint="git branch --all")
    known = workspace.repo.branch_commit(source)
    return commit_of, source if known else workspace.repo.head().branch


def past(workspace: Workspace, options: BranchOptions) -> tuple[str, str]:
    """Where the branch we stand on was: at a commit of its past, or at a time. Raises UsageError, NotFound."""
    at = options.at or ""
    if options.source is not None:
        raise UsageError("--from and --at are two commits to branch from", hint="say one of the two")
    here, head = on_a_branch(workspace.repo.head())
    moment = time_of(at)
    commit = workspace.repo.resolve(at) if moment is None else git_walk.newest_at(workspace.repo.root, head, moment)
    if commit is None:
        why = f"it is no commit, and no time such as {FORMS}" if moment is None else f"'{here}' began later"
        raise NotFound(f"'{here}' was nowhere at {quoted(at)}", why=why, hint=f"git log --first-parent {here}")
    if commit != head and not workspace.repo.is_ancestor(commit, head):
        raise UsageError(
            f"{quoted(at)} is no part of the past of '{here}'",
            why="--at goes back on the branch that is checked out",
            hint=f"karrots branch … --from {at}",
        )
    return commit, here


def time_of(text: str) -> int | None:
    """The second a time names, in UTC where it says no zone, the last one of a day; None for what is no time."""
    if not TIME.fullmatch(text):
        return None
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{quoted(text)} is no time", why=str(error), hint=f"--at {FORMS}") from error
    if len(text) == DAY:
        moment += dt.timedelta(days=1, seconds=-1)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    if len(text) > DAY and moment > clock.now():
        raise UsageError(f"{quoted(text)} has not come yet", why="--at goes back", hint="karrots branch … (from now)")
    return int(moment.timestamp())


def parent_of(workspace: Workspace, directory: str, here: str | None, commit: str) -> Parent | None:
    """The cluster of this directory that follows the branch we stand on, else any: what it does, the copy would too."""
    candidates = [r for r in workspace.ledger.records() if r.directory == directory]
    preferred = sorted(candidates, key=lambda r: (r.branch != here, r.name != directory.rsplit("/", 1)[-1], r.created))
    return Parent(name=preferred[0].name, id=preferred[0].id, commit=commit) if preferred else None


def refuse_taken_branch(workspace: Workspace, git_branch: str) -> None:
    """Raises Locked for a branch that exists here or on the remote, saying whose it is."""
    repo, remote = workspace.repo, workspace.remote
    head = repo.branch_commit(git_branch)
    there = head is not None
    if head is None:
        head = repo.remote_branch_commit(remote, git_branch) if remote is not None else None
    if head is None:
        return
    user = following(workspace, git_branch)
    why = (
        f"cluster '{user.name}' of {user.owner} follows it since {user.created}"
        if user
        else last_commit(workspace, head)
    )
    raise Locked(
        f"git branch '{git_branch}' exists already" + ("" if there else f" on '{remote}'"),
        why=why,
        hint=f"git switch {git_branch} && karrots create   (a cluster for that branch)\nor choose another branch name",
    )


def refuse_neighbour(workspace: Workspace, git_branch: str) -> None:
    """Git keeps no branch below another one; found out before the name is claimed."""
    parts = git_branch.split("/")
    above = ["/".join(parts[:length]) for length in range(1, len(parts))]
    refs = workspace.repo.refs(*(f"refs/heads/{name}" for name in above), f"refs/heads/{git_branch}/")
    names = [ref.removeprefix("refs/heads/") for ref in refs]
    clash = next((name for name in names if name in above or name.startswith(f"{git_branch}/")), None)
    if clash is not None:
        raise UsageError(
            f"the branch '{git_branch}' cannot be made",
            why=f"git keeps no branch below another one, and '{clash}' exists",
            hint=f"choose another branch name, or rename that one: git branch -m {clash} …",
        )


def following(workspace: Workspace, git_branch: str) -> Record | None:
    return next((r for r in workspace.ledger.records() if r.branch == git_branch), None)


def last_commit(workspace: Workspace, head: str) -> str:
    commit = workspace.repo.commit(head)
    if commit is None:
        return f"its last commit is {head[:10]}, which is not in this clone: git fetch"
    return f"its last commit is {commit.id[:10]} of {commit.author}, {commit.when:%Y-%m-%d %H:%M} UTC"
