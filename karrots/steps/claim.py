"""Making a cluster known: its record in the ledger, its branch in git."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from karrots.fleet import operations
from karrots.pipeline import Done, Needed, Step
from karrots.steps import state

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from karrots.fleet.ledger import View
    from karrots.fleet.record import Operation, Phase, Record
    from karrots.steps.context import Context


def operation_of(ctx: Context) -> Operation:
    """Held by who types the command, not by who owns the cluster; for longer than any of its waits."""
    identity = ctx.workspace.repo.identity()
    lease = operations.LEASE + timedelta(seconds=ctx.timeout)
    started = operations.started_here(ctx.run.verb, identity[1] if identity else "", lease=lease)
    return replace(started, id=ctx.run.id)


@dataclass(frozen=True)
class WhileOurs:
    """A step of an operation that may have been stopped for longer than its lease, and lost its cluster meanwhile."""

    step: Step[Context]

    @property
    def name(self) -> str:
        return self.step.name

    @property
    def title(self) -> str:
        return self.step.title

    def check(self, ctx: Context) -> Done | Needed:
        """Raises LostCluster."""
        keep_lease(ctx)
        return self.step.check(ctx)

    def run(self, ctx: Context) -> str | None:
        return self.step.run(ctx)


def keep_lease(ctx: Context) -> None:
    """A lease that is over is made longer, which only its holder can. Raises LostCluster."""
    held = ctx.record.operation
    if held is not None and held.id == ctx.run.id and operations.is_over(held):
        longer = replace(operation_of(ctx), started=held.started, fenced=held.fenced)
        ctx.change(operation=ctx.workspace.ledger.renew(ctx.record, longer).operation)


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

    `change` is what the command says anew of the record (a longer life, further overrides); `take_over` is the id of an
    operation that is past its lease and shall not hold the cluster any longer.
    """

    phase: Phase | None = None
    change: Mapping[str, Any] = field(default_factory=dict)
    take_over: str = ""
    name: str = "take"
    title: str = "take the cluster"

    def check(self, ctx: Context) -> Done | Needed:
        held = ctx.record.operation
        if held is not None and held.id == ctx.run.id:
            return Done("ours")
        return Needed(f"'{ctx.record.name}' for {ctx.run.verb}")

    def run(self, ctx: Context) -> str:
        held = ctx.workspace.ledger.begin(
            ctx.record.name,
            operation_of(ctx),
            phase=self.phase,
            cluster=ctx.record.id,
            take_over=self.take_over,
            command=operations.without_take_over(ctx.run.resume),
            say=ctx.run.warn,
        )
        ctx.record = replace(held, **self.change)
        ctx.goes_on = True
        state.fence(ctx.record)
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
