"""What `--dry-run` answers: what was looked at, what Terraform would do, what it costs, how long it takes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from karrots import files, places
from karrots.adapters import infracost, terraform
from karrots.errors import KarrotsError
from karrots.fleet.record import State
from karrots.pipeline import Pipeline
from karrots.providers.base import Price
from karrots.report.events import ChecksSeen, Noted, StepPlanned
from karrots.steps import infrastructure, secrets, state
from karrots.steps.preflight import expected, refuse_problems

if TYPE_CHECKING:
    from karrots.adapters.terraform import Plan, Root
    from karrots.pipeline import Step
    from karrots.providers.base import Estimate
    from karrots.steps.context import Context

ALONE = State(backend="local", key="")
SHOWN = 5
BY_CONTROLLERS = "what the cluster's controllers make"
STATE_FILE = "terraform.tfstate"  # of Terraform's backend `local`


@dataclass(frozen=True)
class Planned:
    """The result of a dry run. `plan` counts by action and names what would end; `costs` is None where it is free.

    `secrets` says of each how the cluster reads it, and who gains access by that.
    """

    name: str
    branch: str
    commit: str
    checks: tuple[dict[str, Any], ...]
    steps: tuple[dict[str, Any], ...]
    plan: dict[str, Any]
    costs: dict[str, Any] | None
    secrets: tuple[dict[str, Any], ...] = ()


def foresee(steps: list[Step[Context]], visible: int, ctx: Context, *, found: bool) -> Planned:
    """The checks of the steps that can be looked at, a plan whose state is nobody's, then the rest by name.

    `found`: the cluster is in the ledger. Raises PreflightFailed, as the real run would, and what Terraform says of the
    root.
    """
    with ctx:
        looked = Pipeline(steps[:visible], ctx.run).dry_run(ctx)
        ctx.run.reporter.emit(ChecksSeen(tuple((c.what, c.ok, c.found, c.hint) for c in ctx.checks)))
        refuse_problems(ctx)
        plan, estimate = planned_alone(ctx, held(ctx) if found else None)
        ctx.run.write("looked")
    for step in steps[visible:]:
        looked.append(StepPlanned(step.name, step.title, needed=True, why=foreseen(step, plan)))
        ctx.run.reporter.emit(looked[-1])
    found_secrets = secrets.items(secrets.Terms.of(ctx.spec, ctx.record), secrets.content_of(ctx))
    for each in found_secrets:
        ctx.run.reporter.emit(Noted(secret_text(each)))
    for line in [] if estimate is None or found else costs_text(estimate):
        ctx.run.reporter.emit(Noted(line))
    return Planned(
        ctx.record.name, ctx.record.branch, ctx.commit, tuple(asdict(check) for check in ctx.checks),
        tuple(step.document() for step in looked), plan_document(plan), costs_document(estimate),
        tuple(asdict(each) for each in found_secrets),
    )  # fmt: skip


def held(ctx: Context) -> bytes | None:
    """The cluster's present Terraform state, read without its lock."""
    infrastructure.RenderRoot().run(ctx)
    root = infrastructure.rendered(ctx)
    root.init()
    found = root.state()
    return json.dumps(found).encode() if found else None


def planned_alone(ctx: Context, present: bytes | None) -> tuple[Plan, Estimate | None]:
    """And its price. In a folder of its own, with a copy of the state: nothing is locked, and nobody waits."""
    folder = places.private_folder(ctx.run.folder / "plan")
    alone = replace(ctx, record=replace(expected(ctx), state=ALONE))
    infrastructure.lay_out(alone, folder)
    if present is not None:
        files.write(folder / STATE_FILE, present, durable=False)
    login = state.login(ctx.record, ctx.workspace)
    root = terraform.Root(folder, terraform.locate(), login, infrastructure.narrator(ctx))
    try:
        root.init()
        plan = root.plan()
        return plan, estimated(ctx, root, plan)
    finally:  # both hold what is secret in the cluster's state
        for name in (STATE_FILE, terraform.PLAN_FILE):
            files.remove(folder / name)


def estimated(ctx: Context, root: Root, plan: Plan) -> Estimate | None:
    """By Infracost, where that is here and answers; else by the provider's own price list."""
    listed = ctx.provider.estimate(ctx.spec, ctx.record)
    if listed is None or not infracost.ready():
        return listed
    try:
        priced = infracost.price(root.outline(plan, ctx.record.region), root.folder)
    except KarrotsError as error:
        why = f"{error.message}: {error.why}" if isinstance(error, infracost.NoPrice) else error.message
        ctx.run.note(f"{why}; the price below is a list's")
        return listed
    unpriced = (*(f"{kind}, billed by use" for kind in priced.by_use), *priced.unknown, BY_CONTROLLERS)
    prices = tuple(Price(kind, hourly) for kind, hourly in priced.hourly.items())
    return replace(listed, prices=prices, currency=priced.currency, source=infracost.NAME, unpriced=unpriced)


def foreseen(step: Step[Context], plan: Plan) -> str:
    if step.name != "plan":
        return "would run"
    ending = [f"{change.action} {change.address}" for change in plan.destructive]
    more = [f"and {len(ending) - SHOWN} more"] if len(ending) > SHOWN else []
    return ", ".join([*ending[:SHOWN], *more, infrastructure.summary(plan)])


def plan_document(plan: Plan) -> dict[str, Any]:
    counts = {"add": plan.counts.add, "change": plan.counts.change, "remove": plan.counts.remove}
    return {**counts, "ends": [{"action": it.action, "address": it.address} for it in plan.destructive]}


def secret_text(each: secrets.Item) -> str:
    gains = f"; gains access: {each.gains}" if each.gains else ""
    return f"{each.label} ({each.path}:{each.line}): {each.state}, {each.how}{gains}"


def costs_text(estimate: Estimate) -> list[str]:
    parts = ", ".join(f"{price.what} {price.hourly:.3f}" for price in estimate.prices)
    least, most = estimate.minutes
    return [
        f"costs about {estimate.hourly:.2f} {estimate.currency} an hour: {parts}",
        f"({estimate.source}; without {', '.join(estimate.unpriced)})",
        f"such a cluster usually takes {least:.0f} to {most:.0f} minutes to make",
    ]


def costs_document(estimate: Estimate | None) -> dict[str, Any] | None:
    return None if estimate is None else {**asdict(estimate), "hourly": round(estimate.hourly, 4)}
