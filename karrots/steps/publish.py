"""The end of an operation: the ledger says what is true now."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from karrots import clock
from karrots.adapters import terraform
from karrots.fleet.record import Applied
from karrots.fleet.workspace import CLUSTER_FILE
from karrots.pipeline import Done, Needed
from karrots.steps.claim import operation_of

if TYPE_CHECKING:
    from karrots.fleet.record import Phase
    from karrots.steps.context import Context


class PublishContent:
    """After a sync: the ledger names the commit Flux runs now, unless infrastructure has changed with it.

    Then `applied` stays what it is, and `karrots apply` is what brings it forward. A record that somebody else works
    on is left to them.
    """

    name = "publish"
    title = "publish"

    def check(self, ctx: Context) -> Done | Needed:
        found = ctx.workspace.known.find(ctx.record.name)
        if found is None or found.applied is None or found.operation is not None:
            return Done("not ours to change")
        if found.applied.commit == ctx.commit:
            return Done("in the ledger")
        changed = infrastructure_changes(ctx, found.applied.commit)
        if changed:
            return Done(f"{changed[0]} has changed: karrots apply {ctx.record.name}")
        return Needed("the commit that Flux runs")

    def run(self, ctx: Context) -> str:
        ledger = ctx.workspace.ledger
        held = ledger.begin(ctx.record.name, operation_of(ctx))
        applied = replace(held.applied, commit=ctx.commit, when=clock.stamp()) if held.applied else None
        tree = ctx.workspace.repo.tree_id(ctx.commit, held.directory)
        ledger.save(replace(held, applied=applied, operation=None), tree, verb=ctx.run.verb, operation=ctx.run.id)
        return f"karrots/fleet, applied {ctx.commit[:10]}"


def applied_commit(ctx: Context) -> str:
    """The commit Flux was seen at, unless it brought infrastructure that Terraform was not shown."""
    return ctx.content_commit if infrastructure_changes(ctx, ctx.content_commit) else ctx.commit


def infrastructure_changes(ctx: Context, applied: str) -> list[str]:
    """Files that Terraform reads and that differ between the applied commit and the present one."""
    directory = ctx.record.directory
    repo = ctx.workspace.repo
    changed = repo.changed_paths(f"{applied}:{directory}", f"{ctx.commit}:{directory}")
    return [path for _, path in changed if path == CLUSTER_FILE or path.startswith("terraform/")]


@dataclass(frozen=True)
class Publish:
    """The record, with the directory's tree that was applied; the lease ends with it.

    `phase` is ready only when somebody has seen Flux Ready.
    """

    phase: Phase
    name: str = "publish"
    title: str = "publish"

    def check(self, ctx: Context) -> Done | Needed:
        found = ctx.workspace.ledger.find(ctx.record.name)
        # A lease that is gone from the ledger but not from what we know was lost, and `run` finds out to whom.
        working = ctx.record.operation is not None or found is None or found.operation is not None
        if found is None or working or found.phase != self.phase or found.applied is None:
            return Needed("the record")
        return Done("in the ledger") if found.applied.commit == applied_commit(ctx) else Needed("the applied commit")

    def run(self, ctx: Context) -> str:
        tool = terraform.locate()
        commit = applied_commit(ctx)
        applied = Applied(commit=commit, tool=tool.kind, tool_version=tool.version, when=clock.stamp())
        protected = ctx.record.name in ctx.workspace.settings.policies.protected
        ended = replace(ctx.record, phase=self.phase, applied=applied, operation=None, protected=protected)
        tree = ctx.workspace.repo.tree_id(commit, ended.directory)
        ctx.workspace.ledger.save(ended, tree, verb=ctx.run.verb, operation=ctx.run.id)
        ctx.record = ended
        return f"karrots/fleet, applied {ctx.commit[:10]}"
