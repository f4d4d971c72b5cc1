"""`karrots rebase`: the parent's later changes brought into a story's branch, and the copy seen Ready with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from karrots.errors import PreflightFailed
from karrots.ops import moving
from karrots.ops.apply import named
from karrots.ops.moving import BRINGS_BACK, FROM, Moved, Options, Plan
from karrots.ops.preview import Change, preview
from karrots.ops.promote import merged_tree, parent_of, refuse_one_branch, refuse_strangers
from karrots.ops.undone import brought_back, rolled_back
from karrots.steps import fencing
from karrots.steps.fencing import RaiseFence
from karrots.steps.moving import holds, standing

if TYPE_CHECKING:
    from karrots.fleet.record import Record
    from karrots.fleet.workspace import Workspace
    from karrots.ops.preview import Preview
    from karrots.ops.settings import Settings


@dataclass(frozen=True)
class Rebase(Moved):
    """What was, or would be, brought from the parent into the branch that `cluster` follows."""

    VERB: ClassVar[str] = "rebase"


def rebase(settings: Settings, name: str | None, options: Options) -> Rebase:
    workspace, record = named(settings, name, fresh=True)
    moving.refuse_busy(record)
    plan = planned(workspace, record)
    if options.dry_run:
        return moving.looked(Rebase, moving.asked(plan, workspace))
    moving.refuse_unmovable(workspace, plan)
    back = f"karrots rollback {record.name} --to {plan.branch.newest[:10]}"
    return moving.carry_out(Rebase, settings, workspace, plan, options, between=[RaiseFence()], back=back)


def planned(workspace: Workspace, record: Record) -> Plan:
    """A merge of the parent's branch, or that branch itself where the story has no commit of its own."""
    repo, parent = workspace.repo, parent_of(workspace, record, "karrots history {}   (its past is still there)")
    refuse_one_branch(record, parent)
    target, source = standing(workspace, record.branch), standing(workspace, parent.branch)
    if holds(repo, target.newest, source.newest):
        return Plan(record, target, None)
    refuse_strangers(workspace, target, source)
    names = {target.newest: target.branch, source.newest: source.branch}
    back = rolled_back(repo, record.id, target.newest, source.newest)
    theirs = brought_back(repo, source.newest, back, names)
    follows = theirs == source.newest and holds(repo, theirs, target.newest)
    tree = (repo.tree_id(theirs) or "") if follows else merged_tree(repo, target.newest, theirs, names, record, parent)
    commits = repo.commits_between(target.newest, source.newest)
    change = Change(workspace, record, target.newest, tree)
    seen = preview(change, parent.name, commits, brings_back=[commit.id for commit in back])
    refuse_unheld(workspace, record, seen)
    return Plan(
        record, target, seen, (target.newest, source.newest), f"Bring {parent.name} into {record.name}",
        {FROM: parent.name, BRINGS_BACK: " ".join(seen.brings_back)}, commit=theirs if follows else "",
    )  # fmt: skip


def refuse_unheld(workspace: Workspace, record: Record, seen: Preview) -> None:
    """Raises PreflightFailed for content that no fence could hold in the copy, as `branch` does."""
    if not any(file.path.startswith("flux/") for file in seen.files):
        return
    spec = workspace.spec_at(seen.tree, record.directory, record.overrides)
    loose = fencing.fence_of(workspace, spec, record, seen.tree, record.directory).unheld()
    if loose:
        raise PreflightFailed(
            f"'{record.name}' cannot take what came to '{seen.source}' meanwhile",
            why="\n".join(f"{each.path}:{each.line}: {each.label} {each.reason}" for each in loose[:3]),
            hint=f"karrots lint   (on the branch of '{seen.source}': what a copy must not share)",
        )
