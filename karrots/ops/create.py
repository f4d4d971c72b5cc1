"""`karrots create`: a cluster from a cluster directory on the branch that is checked out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from karrots.errors import UsageError
from karrots.fleet.workspace import Workspace
from karrots.ops.bringup import Cluster, Options, bring_up, draft, resumable

if TYPE_CHECKING:
    from karrots.adapters.git import Head
    from karrots.fleet.record import Record
    from karrots.ops.foresee import Planned
    from karrots.ops.settings import Settings


def create(settings: Settings, name: str | None, options: Options) -> Cluster | Planned:
    workspace = Workspace.open(settings.start, settings.warn)
    directory = workspace.directory()
    branch, commit = on_a_branch(workspace.repo.head())
    warn_of_changes(settings, workspace, directory)
    record = draft(
        workspace, options, name=directory.rsplit("/", 1)[-1] if name is None else name,
        directory=directory, branch=branch, commit=commit, parent=None,
    )  # fmt: skip
    workspace.ledger.refresh()
    ours = resumable(workspace.ledger.find(record.name), record, take_over=options.take_over, command=settings.argv)
    if ours is None:
        warn_of_neighbours(settings, workspace, record)
    run = settings.run("create", record.name)
    return bring_up(settings, workspace, options, record, commit, run, ours, pushes=False)


def warn_of_neighbours(settings: Settings, workspace: Workspace, record: Record) -> None:
    """Two that were created from one directory act alike; only one that is branched has a fence."""
    others = [each.name for each in workspace.ledger.records() if each.directory == record.directory]
    if others:
        settings.warn(
            f"'{others[0]}' lives from {record.directory} too, and '{record.name}' will act on the outside world as it"
            " does: a copy with a fence is made by 'karrots branch'"
        )


def on_a_branch(head: Head) -> tuple[str, str]:
    """Raises UsageError on an unborn or detached HEAD."""
    if head.commit is None:
        raise UsageError(
            "the repository has no commit yet", why="a cluster follows commits", hint="git add . && git commit"
        )
    if head.branch is None:
        raise UsageError(
            f"HEAD is detached at {head.commit[:10]}",
            why="a cluster follows a branch, and none is checked out",
            hint="git switch BRANCH",
        )
    return head.branch, head.commit


def warn_of_changes(settings: Settings, workspace: Workspace, directory: str) -> None:
    from karrots.report.events import Warned

    changed = workspace.repo.changed(directory)
    if changed:
        shown = ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
        settings.reporter.emit(Warned(f"uncommitted changes are not part of it: {shown}"))
