"""`karrots destroy`: take a cluster away and prove that nothing is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from karrots.adapters import terraform
from karrots.errors import NotFound, Refused
from karrots.fleet.lineage import live_children
from karrots.fleet.record import is_id
from karrots.fleet.workspace import Workspace
from karrots.ops.bringup import execute
from karrots.providers import provider
from karrots.report.events import OperationFinished, OperationStarted
from karrots.steps import deploy_key
from karrots.steps.claim import TakeCluster
from karrots.steps.context import Context
from karrots.steps.deploy_key import RemoveDeployKey
from karrots.steps.infrastructure import DestroyInfrastructure, PlanRemoval, RenderRoot
from karrots.steps.removal import Drain, Freeze, Identify, RemoveState, RemoveWhatFluxMade, Sweep, WriteReceipt, forget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from karrots.adapters.git import Repository
    from karrots.fleet.record import Record
    from karrots.ops.settings import Settings
    from karrots.pipeline import Step


@dataclass(frozen=True)
class Receipt:
    """The proof: `looked_for` counts what the cluster held of each kind and is gone now.

    `left` names what is not provably the cluster's, and was left where it is because somebody said so.

    `resources` is what Terraform's state still held at the end.
    """

    cluster: str
    id: str
    destroyed: str
    looked_for: dict[str, int]
    left: tuple[str, ...]
    resources: int
    flux_objects_removed: int
    seconds: float
    place: str


def destroy(
    settings: Settings,
    name: str,
    *,
    named: bool,
    yes: bool,
    timeout: float | None,
    take_over: str = "",
    leave_doubtful: bool = False,
) -> Receipt:
    """`named`: the person gave the name; a cluster found from the directory is never destroyed by --yes alone.

    `take_over` is the id of an operation past its lease. `leave_doubtful`: what is not provably the cluster's may stay.
    """
    workspace = Workspace.open(settings.start, settings.warn)
    ledger = workspace.ledger
    ledger.refresh()
    record = found_or_gone(workspace, name)
    guard(record, ledger.records(), workspace.settings.policies.protected)
    within_reach(workspace, record)
    if not (named and yes) and settings.type_name(record.name) != record.name:
        raise Refused(
            f"cluster '{record.name}' is not destroyed",
            why="its name was not typed",
            hint=f"karrots destroy {record.name} --yes",
        )
    ctx = context_of_removal(settings, workspace, record, timeout)
    ctx.take_over, ctx.leave_doubtful = take_over, leave_doubtful
    deploy_key.may_be_asked(ctx)
    run = ctx.run
    about = f"{record.provider} · {record.branch} · {record.id}"
    settings.reporter.emit(OperationStarted("destroy", record.name, about, run.id))
    execute(removal(take_over), ctx)
    receipt = receipt_result(ctx.receipt, ctx.run.seconds)
    summary = f"{record.name} is gone: " + gone_text(receipt)
    settings.reporter.emit(
        OperationFinished("destroy", record.name, run.seconds, run.expected, summary, (f"git show {receipt.place}",))
    )
    return receipt


def removal(take_over: str = "") -> Sequence[Step[Context]]:
    return (
        TakeCluster(phase="destroying", take_over=take_over),
        Identify(),
        Freeze(),
        RemoveWhatFluxMade(),
        Drain(),
        RenderRoot(),
        PlanRemoval(),
        DestroyInfrastructure(),
        RemoveState(),
        Sweep(),
        RemoveDeployKey(),
        WriteReceipt(),
    )


def found_or_gone(workspace: Workspace, name: str) -> Record:
    """The record; a cluster already gone is said to be so, with its receipt, and forgotten on this computer."""
    try:
        return workspace.ledger.get(name)
    except NotFound as error:
        receipt = workspace.ledger.view().receipt(name)
        if receipt is None:
            raise
        if is_id(str(receipt.get("id"))):
            forget(workspace, str(receipt["id"]))
        raise NotFound(
            f"cluster '{name}' was destroyed at {receipt.get('destroyed')}",
            why=f"by {receipt.get('by')}; its receipt is in the ledger",
            hint=f"git show karrots/fleet:gone/{name}-{receipt.get('id')}.json",
        ) from error


def guard(record: Record, records: Sequence[Record], protected: Sequence[str]) -> None:
    """Raises Refused for protected clusters and for parents of live branches."""
    if record.protected or record.name in protected:
        raise Refused(
            f"cluster '{record.name}' is protected",
            why="karrots.yaml names it under policies.protected",
            hint=f"take '{record.name}' out of policies.protected, then: karrots apply {record.name}",
        )
    children = live_children(record, records)
    if children:
        names = ", ".join(child.name for child in children)
        raise Refused(
            f"cluster '{record.name}' is the parent of live branches: {names}",
            why="they compare with it and promote to it",
            hint="\n".join(f"karrots destroy {child.name}" for child in children),
        )


def within_reach(workspace: Workspace, record: Record) -> None:
    """Raises what would stop the removal half way (another computer, a protected cluster, no Terraform) before anything
    is touched.
    """
    place, section = provider(record.provider), workspace.section(record.provider)
    place.access(record, {}, section)
    place.refuse_destroy(record, section)
    terraform.locate()


def context_of_removal(settings: Settings, workspace: Workspace, record: Record, timeout: float | None) -> Context:
    """What was applied is read from the ledger, so that a deleted story branch is no hindrance."""
    rev, directory = applied_content(workspace.repo, record)
    spec = workspace.spec_at(rev, directory, record.overrides)
    commit = record.applied.commit if record.applied else ""
    run = settings.run("destroy", record.name)
    place = provider(record.provider)
    patience = place.PATIENCE.down if timeout is None else timeout
    ctx = Context(workspace, run, record, place, spec, commit, rev, settings.ask, patience)
    ctx.content_directory = directory
    return ctx


def applied_content(repo: Repository, record: Record) -> tuple[str, str]:
    applied = f"clusters/{record.name}/applied"
    if repo.tree_id("refs/heads/karrots/fleet", applied) is not None:
        return "refs/heads/karrots/fleet", applied
    return record.branch, record.directory


def gone_text(receipt: Receipt) -> str:
    """What is left of what: `processes 0 of 10, ports 0 of 18`."""
    counts = {**receipt.looked_for, "resources": receipt.resources}
    return ", ".join(
        f"{kind} 0 of {held}" if kind in receipt.looked_for else f"{kind} {held}" for kind, held in counts.items()
    )


def receipt_result(receipt: dict[str, Any], seconds: float) -> Receipt:
    return Receipt(
        cluster=receipt["cluster"],
        id=receipt["id"],
        destroyed=receipt["destroyed"],
        looked_for=dict(receipt.get("looked_for", {})),
        left=tuple(receipt["left"]),
        resources=int(receipt.get("terraform", {}).get("resources", 0)),
        flux_objects_removed=int(receipt["flux_objects_removed"]),
        seconds=round(seconds, 3),
        place=f"karrots/fleet:gone/{receipt['cluster']}-{receipt['id']}.json",
    )
