"""The end of an operation: the ledger says what is true now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from karrots.adapters import terraform
from karrots.fleet.record import Applied
from karrots.pipeline import Done, Needed
from karrots.steps.context import stamp, utc_now

if TYPE_CHECKING:
    from karrots.steps.context import Context


class Publish:
    """The record as ready, with the directory's tree that was applied; the lease ends with it."""

    name = "publish"
    title = "publish"

    def check(self, ctx: Context) -> Done | Needed:
        found = ctx.workspace.ledger.find(ctx.record.name)
        if found is None or found.operation is not None or found.phase != "ready" or found.applied is None:
            return Needed("the record")
        return Done("in the ledger") if found.applied.commit == ctx.commit else Needed("the applied commit")

    def run(self, ctx: Context) -> str:
        tool = terraform.locate()
        applied = Applied(commit=ctx.commit, tool=tool.kind, tool_version=tool.version, when=stamp(utc_now()))
        protected = ctx.record.name in ctx.workspace.settings.policies.protected
        ctx.change(phase="ready", applied=applied, operation=None, protected=protected)
        tree = ctx.workspace.repo.tree_id(ctx.commit, ctx.record.directory)
        ctx.workspace.ledger.save(ctx.record, tree, verb=ctx.run.verb, operation=ctx.run.id)
        return f"karrots/fleet, applied {ctx.commit[:10]}"
