"""`karrots apply` and `karrots sync`: bring a cluster to its branch's present content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from karrots.errors import NotFound, UsageError
from karrots.fleet.workspace import Workspace
from karrots.ops.bringup import Cluster, converge, execute, finish, refuse_leaving
from karrots.ops.create import on_a_branch
from karrots.providers import provider
from karrots.report.events import OperationFinished, OperationStarted
from karrots.steps.claim import TakeCluster
from karrots.steps.context import Context
from karrots.steps.keys import GiveKeys
from karrots.steps.preflight import Preflight
from karrots.steps.publish import PublishContent
from karrots.steps.syncing import AskFlux, Connect, WaitReady

if TYPE_CHECKING:
    from karrots.fleet.record import Record
    from karrots.ops.settings import Settings
    from karrots.ops.wait import Wait
    from karrots.pipeline import Step


@dataclass(frozen=True)
class Synced:
    """`seconds` from the command to everything Ready at `commit`."""

    name: str
    branch: str
    commit: str
    flux_ready: int
    flux_objects: int
    seconds: float


def apply(settings: Settings, name: str | None, *, wait: Wait, timeout: float | None, take_over: str = "") -> Cluster:
    """Infrastructure and Flux; `take_over` is the id of an operation past its lease."""
    workspace, record = named(settings, name, fresh=True)
    refuse_leaving(record)
    ctx = context_for(settings, workspace, record, "apply", timeout)
    ctx.take_over = take_over
    run = ctx.run
    settings.reporter.emit(OperationStarted("apply", record.name, f"{record.branch}@{ctx.commit[:7]}", run.id))
    steps: list[Step[Context]] = [Preflight(), TakeCluster(take_over=take_over), *converge(wait)]
    execute(steps, ctx)
    return finish(ctx)


def sync(settings: Settings, name: str | None, *, timeout: float | None) -> Synced:
    """Flux alone: look now, and wait."""
    workspace, record = named(settings, name, fresh=False)
    refuse_leaving(record)
    ctx = context_for(settings, workspace, record, "sync", timeout)
    run = ctx.run
    settings.reporter.emit(OperationStarted("sync", record.name, f"{record.branch}@{ctx.commit[:7]}", run.id))
    steps: list[Step[Context]] = [Connect(), GiveKeys(), AskFlux(), WaitReady(), PublishContent()]
    execute(steps, ctx)
    summary = f"{record.name} runs {record.branch}@{ctx.commit[:7]}"
    settings.reporter.emit(OperationFinished("sync", record.name, run.seconds, run.expected, summary))
    flux = ctx.flux
    return Synced(
        record.name, record.branch, ctx.commit, flux.ready if flux else 0, len(flux.objects) if flux else 0,
        round(run.seconds, 3),
    )  # fmt: skip


def named(settings: Settings, name: str | None, *, fresh: bool) -> tuple[Workspace, Record]:
    """The cluster of that name, or the one of this directory and branch. `fresh` asks the remote first."""
    workspace = Workspace.open(settings.start, settings.warn)
    ledger = workspace.ledger if fresh else workspace.known
    if fresh:
        ledger.refresh()
    if name is not None:
        return workspace, ledger.get(name)
    directory = workspace.directory()
    here, _ = on_a_branch(workspace.repo.head())
    found = [r for r in ledger.records() if r.directory == directory and r.branch == here]
    if not found:
        raise NotFound(
            f"no cluster of '{directory}' follows the branch '{here}'",
            hint="karrots ls   (the clusters there are)\nkarrots create   (one for this branch)",
        )
    if len(found) > 1:
        names = ", ".join(r.name for r in found)
        raise UsageError(f"several clusters follow '{here}': {names}", hint="name one of them")
    return workspace, found[0]


def context_for(settings: Settings, workspace: Workspace, record: Record, verb: str, timeout: float | None) -> Context:
    """The run begins here, when all that can be refused without one has been looked at."""
    commit = workspace.repo.branch_commit(record.branch)
    if commit is None:
        raise NotFound(
            f"the branch '{record.branch}' of cluster '{record.name}' is gone",
            why=f"it is not in '{workspace.repo.root}'",
            hint=f"git fetch {workspace.remote or 'origin'} {record.branch}:{record.branch}\n"
            f"or: karrots destroy {record.name}",
        )
    spec = workspace.spec_at(commit, record.directory, record.overrides)
    place, run = provider(record.provider), settings.run(verb, record.name)
    patience = place.PATIENCE.up if timeout is None else timeout
    ctx = Context(workspace, run, record, place, spec, commit, commit, settings.ask, patience)
    ctx.agree = settings.agree
    return ctx
