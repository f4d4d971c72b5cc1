"""What `create`, `branch` and `apply` share: steps from a record to a Ready cluster."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from karrots import clock, computer
from karrots.adapters.git_names import quoted
from karrots.errors import KarrotsError, Refused, UsageError
from karrots.fleet import addresses, backends, operations
from karrots.fleet.ledger import InUse, LostCluster, NameTaken
from karrots.fleet.names import check_name
from karrots.fleet.record import Record, new_id
from karrots.ops.foresee import Planned, foresee
from karrots.ops.wait import Wait
from karrots.pipeline import Pipeline, Step
from karrots.providers import provider
from karrots.report.events import OperationFinished, OperationStarted
from karrots.steps.claim import ClaimName, PushBranch, TakeCluster, WhileOurs
from karrots.steps.context import Context
from karrots.steps.deploy_key import GiveDeployKey
from karrots.steps.fencing import RaiseFence
from karrots.steps.infrastructure import ApplyInfrastructure, ConfirmPlan, PlanInfrastructure, RenderRoot
from karrots.steps.keys import GiveKeys
from karrots.steps.preflight import Preflight
from karrots.steps.publish import Publish
from karrots.steps.secrets import agreement
from karrots.steps.syncing import AskFlux, Connect, InstallFlux, SyncFromBranch, WaitReady

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from karrots.fleet.ledger import View
    from karrots.fleet.record import Parent
    from karrots.fleet.workspace import Workspace
    from karrots.ops.settings import Settings
    from karrots.pipeline import Run

TTL = re.compile(r"([1-9][0-9]{0,4})([hdw])")
HOURS = {"h": 1, "d": 24, "w": 168}


@dataclass(frozen=True)
class Options:
    """Options of `create` and `branch`. `on` names another provider than the content's, `ttl` is like 8h, 3d, 2w.

    `take_over` is the id of an operation past its lease.
    """

    overrides: Mapping[str, str]
    ttl: str | None = None
    on: str | None = None
    wait: Wait = Wait.ready
    timeout: float | None = None
    dry_run: bool = False
    take_over: str = ""


@dataclass(frozen=True)
class Cluster:
    """The result of an operation on one cluster."""

    name: str
    id: str
    directory: str
    branch: str
    parent: str | None
    provider: str
    phase: str
    commit: str
    domain: str
    network: str
    server: str
    expires: str | None
    flux_ready: int
    flux_objects: int
    seconds: float


def expiry(ttl: str | None, begins: dt.datetime) -> str | None:
    """Raises UsageError for a time that is not like 8h, 3d or 2w."""
    if ttl is None:
        return None
    from datetime import timedelta

    match = TTL.fullmatch(ttl)
    if match is None:
        raise UsageError(f"{quoted(ttl)} is not a time to live", why="it is a number and h, d or w", hint="--ttl 3d")
    return clock.stamp(begins + timedelta(hours=int(match[1]) * HOURS[match[2]]))


def draft(
    workspace: Workspace,
    options: Options,
    *,
    name: str,
    directory: str,
    branch: str,
    commit: str,
    parent: Parent | None,
) -> Record:
    """The record as far as it can be known without the ledger; the range is leased when it is claimed."""
    spec = workspace.spec_at(commit, directory, options.overrides)
    settings = workspace.settings
    where = options.on or spec.provider
    provider(where)
    section = settings.providers.cloud(where)
    identity = workspace.repo.identity()
    now = clock.now()  # once: a clock that is set meanwhile must not shorten a life
    cluster_id = new_id(workspace.known.view().newest_id_gone(name))
    return Record(
        id=cluster_id,
        state=backends.chosen(section, cluster_id),
        name=check_name(name),
        directory=directory,
        branch=branch,
        parent=parent,
        provider=where,
        region=section.region if section else "",
        account=section.account_id if section else "",
        domain=f"{name}.{settings.domain}",
        owner=identity[1] if identity else "",
        created=clock.stamp(now),
        expires=expiry(settings.policies.ttl if options.ttl is None and parent else options.ttl, now),
        protected=name in settings.policies.protected,
        phase="creating",
        kubernetes=spec.kubernetes,
        overrides=dict(options.overrides),
        host=computer.name() if where == "local" else "",
    )


def leased(record: Record, workspace: Workspace, view: View) -> Record:
    """The computer gets its id only here: a command that is refused writes nothing."""
    pool = workspace.settings.addresses
    network = addresses.lease(pool.pool, pool.prefix, [r.network for r in view.records if r.network])
    return replace(record, network=network, host_id=computer.host_id() if record.host else "")


def resumable(found: Record | None, wanted: Record, *, take_over: str = "", command: str = "") -> Record | None:
    """The record in the ledger when it is our own earlier attempt (or the finished cluster) of the same command.

    Raises NameTaken when the name is somebody else's, Refused while it is on its way out.
    """
    if found is None:
        return None
    refuse_leaving(found)
    ours = (found.directory, found.branch, found.provider, found.owner)
    if ours != (wanted.directory, wanted.branch, wanted.provider, wanted.owner) or not _same_host(found, wanted):
        raise NameTaken(found)
    if found.operation is not None and not operations.gives_way(found.operation, take_over):
        command = operations.without_take_over(command)
        raise InUse(found.name, found.operation, take_over=take_over, command=command)
    return found


def _same_host(found: Record, wanted: Record) -> bool:
    """Clusters of clouds live on none."""
    return found.host == wanted.host if "" in {found.host, wanted.host} else computer.is_this(found.host, found.host_id)


def refuse_leaving(record: Record) -> None:
    """Raises Refused for a cluster whose destroy has begun: it is finished, not undone."""
    if record.phase == "destroying":
        raise Refused(
            f"cluster '{record.name}' is being destroyed",
            why="a destroy that has begun is finished, not undone",
            hint=f"karrots destroy {record.name}",
        )


def said_anew(record: Record, options: Options, found: Record) -> dict[str, Any]:
    """What a repeated command changes of the record that is there."""
    life = {"expires": record.expires} if options.ttl is not None else {}
    return {**life, "overrides": {**found.overrides, **record.overrides}}


def entrance(
    workspace: Workspace, record: Record, found: Record | None, change: Mapping[str, Any], take_over: str
) -> Step[Context]:
    """A new name is claimed; our own earlier attempt is taken up again."""
    if found is None:
        return ClaimName(lambda view: leased(record, workspace, view))
    return TakeCluster(phase="creating", change=change, take_over=take_over)


def towards_infrastructure(*, flux: bool) -> list[Step[Context]]:
    return [RenderRoot(), PlanInfrastructure(), ConfirmPlan(), ApplyInfrastructure(flux=flux), Connect()]


def towards_ready(wait: Wait) -> list[Step[Context]]:
    """Steps after the claim. `infra` leaves Flux out, `none` does not wait for it."""
    if wait is Wait.infra:
        return [*towards_infrastructure(flux=False), Publish("creating")]
    synced: list[Step[Context]] = [*towards_infrastructure(flux=True), InstallFlux(), GiveKeys(), GiveDeployKey()]
    synced += [RaiseFence(), SyncFromBranch()]
    return [*synced, WaitReady(), Publish("ready")] if wait is Wait.ready else [*synced, Publish("creating")]


def converge(wait: Wait) -> list[Step[Context]]:
    """Steps of `apply`: as above, and Flux is asked to look now."""
    steps = towards_ready(wait)
    at = next((i for i, step in enumerate(steps) if step.name == "sync"), None)
    return steps if at is None else [*steps[: at + 1], AskFlux(), *steps[at + 1 :]]


def bring_up(
    settings: Settings,
    workspace: Workspace,
    options: Options,
    record: Record,
    commit: str,
    run: Run,
    found: Record | None,
    *,
    pushes: bool,
) -> Cluster | Planned:
    """The whole way, for `create` and `branch`."""
    change = said_anew(record, options, found) if found else {}
    record = replace(found, **change) if found else record
    about = f"{record.provider} · {record.branch}@{commit[:7]} · {record.domain}"
    settings.reporter.emit(OperationStarted(run.verb, record.name, about, run.id))
    spec = workspace.spec_at(commit, record.directory, record.overrides)
    place = provider(record.provider)
    patience = place.PATIENCE.up if options.timeout is None else options.timeout
    context = Context(workspace, run, record, place, spec, commit, commit, settings.ask, patience, options.take_over)
    context.agree = settings.agree
    steps: list[Step[Context]] = [Preflight(), *agreement(context)]
    steps.append(entrance(workspace, record, found, change, options.take_over))
    steps += [PushBranch()] if pushes else []
    looked_at = len(steps)
    steps += towards_ready(options.wait)
    if options.dry_run:
        return foresee(steps, looked_at, context, found=found is not None)
    execute(steps, context)
    return finish(context)


def execute(steps: Sequence[Step[Context]], ctx: Context) -> None:
    """On failure what exists is kept, the record says so, and the lease ends."""
    pipeline = Pipeline([WhileOurs(step) for step in steps], ctx.run)
    ctx.run.expected = pipeline.usual_total()
    try:
        with ctx:
            pipeline.execute(ctx)
    except LostCluster:
        raise
    except Exception as error:
        release(ctx, error)
        raise


def release(ctx: Context, cause: Exception) -> None:
    """Give the lease back; the phase stays honest.

    Raises LostCluster where that was the cause of the failure.
    """
    try:
        ledger = ctx.workspace.ledger
        found = still_ours(ctx)
        if found is None:
            return
        freed = replace(found, operation=None, phase="failed" if found.phase == "creating" else found.phase)
        ledger.save(freed, verb=ctx.run.verb, operation=ctx.run.id)
    except LostCluster as lost:
        lost.log = lost.log or ctx.run.folder
        raise lost from cause
    except KarrotsError as error:
        ctx.run.warn(f"the record of '{ctx.record.name}' could not be updated: {error.message}")


def still_ours(ctx: Context) -> Record | None:
    """The record under our lease, None when we never had it. Raises LostCluster."""
    ledger, held = ctx.workspace.ledger, ctx.record.operation
    found = ledger.find(ctx.record.name)
    ours = found is not None and found.operation is not None and found.operation.id == ctx.run.id
    if held is not None and held.id == ctx.run.id and (operations.is_over(held) or not ours):
        return ledger.renew(ctx.record, held)
    return found if ours else None


def finish(ctx: Context) -> Cluster:
    record = ctx.record
    server = ctx.kube.access.server if ctx.kube else ""
    known = "is ready at" if record.phase == "ready" else "has its infrastructure (Flux was not waited for) at"
    summary = f"{record.name} {known} {record.domain}, API {server}"
    ctx.run.reporter.emit(
        OperationFinished(ctx.run.verb, record.name, ctx.run.seconds, ctx.run.expected, summary, next_commands(record))
    )
    return result(ctx)


def next_commands(record: Record) -> tuple[str, ...]:
    compare = (f"karrots diff {record.parent.name} {record.name}",) if record.parent else ()
    return (f"karrots run {record.name} -- kubectl get pods -A", *compare, f"karrots destroy {record.name}")


def result(ctx: Context) -> Cluster:
    record = ctx.record
    return Cluster(
        name=record.name,
        id=record.id,
        directory=record.directory,
        branch=record.branch,
        parent=record.parent.name if record.parent else None,
        provider=record.provider,
        phase=record.phase,
        commit=ctx.commit,
        domain=record.domain,
        network=record.network,
        server=ctx.kube.access.server if ctx.kube else "",
        expires=record.expires,
        flux_ready=ctx.flux.ready if ctx.flux else 0,
        flux_objects=len(ctx.flux.objects) if ctx.flux else 0,
        seconds=round(ctx.run.seconds, 3),
    )
