"""Making a cluster known: its record in the ledger, its branch in git."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from karrots.fleet import operations
from karrots.pipeline import Done, Needed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from karrots.fleet.ledger import View
    from karrots.fleet.record import Operation, Phase, Record
    from karrots.steps.context import Context


def operation_of(ctx: Context) -> Operation:
    return replace(operations.started_here(ctx.run.verb, ctx.record.owner), id=ctx.run.id)


@dataclass(frozen=True)
class ClaimName:
    """Publishes the record; `build` makes it from the ledger as it is at that moment, leasing the range."""

    build: Callable[[View], Record]
    name: str = "claim"
    title: str = "claim the name"

    def check(self, ctx: Context) -> Done | Needed:
        found = ctx.workspace.ledger.find(ctx.record.name)
        if found is not None and found.id == ctx.record.id and found.operation and found.operation.id == ctx.run.id:
            ctx.record = found
            return Done(f"'{found.name}' is ours")
        return Needed(f"'{ctx.record.name}' in the ledger")

    def run(self, ctx: Context) -> str:
        ctx.record = ctx.workspace.ledger.claim(
            ctx.record.name,
            lambda view: replace(self.build(view), operation=operation_of(ctx)),
            applied_tree=ctx.workspace.repo.tree_id(ctx.commit, ctx.record.directory),
            verb=ctx.run.verb,
        )
        return f"{ctx.record.name} · {ctx.record.network}"


@dataclass(frozen=True)
class TakeCluster:
    """The lease on a cluster that exists: one operation at a time. `phase` None leaves the phase as it is.

    `change` is what the command says anew of the record (a longer life, further overrides).
    """

    phase: Phase | None = None
    change: Mapping[str, Any] = field(default_factory=dict)
    name: str = "take"
    title: str = "take the cluster"

    def check(self, ctx: Context) -> Done | Needed:
        held = ctx.record.operation
        if held is not None and held.id == ctx.run.id:
            return Done("ours")
        return Needed(f"'{ctx.record.name}' for {ctx.run.verb}")

    def run(self, ctx: Context) -> str:
        held = ctx.workspace.ledger.begin(ctx.record.name, operation_of(ctx), phase=self.phase)
        ctx.record = replace(held, **self.change)
        return ctx.record.name


class PushBranch:
    """The story branch at the fork point: here, and where the fleet is shared."""

    name = "push"
    title = "git branch"

    def check(self, ctx: Context) -> Done | Needed:
        repo, branch = ctx.workspace.repo, ctx.record.branch
        if repo.branch_commit(branch) is None:
            return Needed(f"{branch} at {ctx.commit[:10]}")
        remote = ctx.workspace.remote
        if remote is not None and repo.remote_branch_commit(remote, branch) != repo.branch_commit(branch):
            return Needed(f"{branch} on {remote}")
        return Done(f"{branch} is there")

    def run(self, ctx: Context) -> str:
        repo, branch, remote = ctx.workspace.repo, ctx.record.branch, ctx.workspace.remote
        if repo.branch_commit(branch) is None:
            repo.create_branch(branch, ctx.commit)
        if remote is not None:
            repo.push_branch(remote, branch, repo.branch_commit(branch) or ctx.commit)
        return f"{branch} at {ctx.commit[:10]}" + (f", pushed to {remote}" if remote else "")
