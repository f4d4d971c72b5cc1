"""Terraform: render into the run's own folder, plan, apply what was shown."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from karrots import files, places
from karrots.adapters import kube, terraform, terraform_room
from karrots.adapters import terraform_document as document
from karrots.adapters import terraform_events as events
from karrots.errors import Refused
from karrots.fleet import backends, identity
from karrots.pipeline import Done, Needed
from karrots.providers.base import Origin
from karrots.render import terraform as rendering
from karrots.report.text import seconds_text
from karrots.steps import state
from karrots.steps.ahead import FenceAhead, FluxAhead
from karrots.steps.syncing import manifest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from karrots.adapters.terraform import Plan, Root
    from karrots.adapters.terraform_events import Event, Planned
    from karrots.fleet.record import Record
    from karrots.fleet.workspace import Workspace
    from karrots.providers.base import Leftover, Provider
    from karrots.spec.cluster import ClusterSpec
    from karrots.steps.ahead import Ahead
    from karrots.steps.context import Context


BACKEND_FILE = "karrots_override.tf"
IMPORT_FILE = "karrots_import.tf.json"
STOPPING = "Terraform finishes what it is doing, and its state is saved; a second Ctrl-C does not wait for that"


def identity_variables(
    record: Record, provider: Provider, workspace: Workspace, spec: ClusterSpec
) -> dict[str, object]:
    settings = workspace.section(record.provider)
    own = provider.variables(record, settings, workspace.repo.git_dir, origin_of(record, workspace, spec))
    return {**identity.terraform_variables(record), **own}


def origin_of(record: Record, workspace: Workspace, spec: ClusterSpec) -> Origin | None:
    if record.parent is None:
        return None
    return Origin(workspace.parent_of(record), spec, removing=record.phase == "destroying")


def identity_text(record: Record, provider: Provider, workspace: Workspace, spec: ClusterSpec) -> str:
    return json.dumps(identity_variables(record, provider, workspace, spec), indent=2, sort_keys=True) + "\n"


def is_rendered(spec: ClusterSpec, provider: Provider) -> bool:
    """Whether karrots renders the root; an ejected one is used as it is committed, but only where it was made for."""
    return spec.terraform == "rendered" or spec.provider != provider.NAME


class RenderRoot:
    """The run's own Terraform root: never the user's folder, so that two runs cannot meet."""

    name = "render"
    title = "render Terraform"

    def check(self, ctx: Context) -> Done | Needed:
        return Done("in the run's folder") if ctx.root is not None else Needed("the run's own root")

    def run(self, ctx: Context) -> str:
        folder = places.private_folder(ctx.run.folder / "terraform")
        lay_out(ctx, folder)
        ctx.root = open_root(ctx, folder)
        return f"{ctx.provider.NAME}, {len(list(folder.iterdir()))} files"


def lay_out(ctx: Context, folder: Path) -> None:
    """The root, the identity of the cluster, and the backend that its record says."""
    if is_rendered(ctx.spec, ctx.provider):
        for path, text in rendered_files(ctx).items():
            files.write(folder / path, text, durable=False)
    else:
        ctx.workspace.repo.export(ctx.content, f"{ctx.content_directory}/terraform", folder)
    identity_file = identity_text(ctx.record, ctx.provider, ctx.workspace, ctx.spec)
    files.write(folder / rendering.IDENTITY_FILE, identity_file, durable=False)
    files.write(folder / BACKEND_FILE, backends.override(backends.of(ctx.record)), durable=False)


def rendered_files(ctx: Context) -> dict[str, str]:
    """The root, with the versions of providers that are committed with the content."""
    backend = ctx.record.state.backend if ctx.record.state else "http"
    texts = rendering.render(ctx.spec, places.templates() / ctx.provider.NAME, backend)
    if ctx.spec.provider == ctx.provider.NAME:
        locked = ctx.workspace.repo.read(ctx.content, f"{ctx.content_directory}/terraform/{rendering.LOCK_FILE}")
        texts |= {rendering.LOCK_FILE: locked.decode()} if locked is not None else {}
    return texts


def open_root(ctx: Context, folder: Path) -> Root:
    login = state.login(ctx.record, ctx.workspace)
    return terraform.Root(folder, terraform.locate(), login, narrator(ctx), state=state.keeper(ctx))


def narrator(ctx: Context) -> Callable[[Event], None]:
    def on_event(event: Event) -> None:
        if ctx.ahead is not None:
            ctx.ahead.told(event)
        match event:
            case events.ResourceStarted(address=address, action=action):
                ctx.run.progress(f"{action} {address}")
            case events.ResourceProgress(address=address, seconds=seconds):
                ctx.run.progress(f"{address}, {seconds_text(seconds)}")
            case events.ProvisionerSaid(text=text) if not text.startswith("Executing:"):
                ctx.run.progress(text.strip())
            case events.Stopping():
                ctx.run.warn(STOPPING)

    return on_event


def summary(plan: Plan) -> str:
    """+3 ~1 -0, replaces and destroys named by the plan itself."""
    return f"+{plan.counts.add} ~{plan.counts.change} -{plan.counts.remove}"


class PlanInfrastructure:
    name = "plan"
    title = "plan"
    destroy = False

    def check(self, ctx: Context) -> Done | Needed:
        return Needed("terraform plan") if ctx.plan is None else Done(summary(ctx.plan))

    def run(self, ctx: Context) -> str:
        root = rendered(ctx)
        root.init()
        lost = self._mended(ctx) if self.destroy or ctx.goes_on else ()  # one that begins has no state to look into
        with room_of(ctx):
            ctx.plan = root.plan(destroy=self.destroy, replace=lost)
        return summary(ctx.plan)

    def _mended(self, ctx: Context) -> tuple[str, ...]:
        held = document.clear(rendered(ctx).state())
        return without_strangers(ctx, held) if self.destroy else mended(ctx, held)


class StateBehind(Refused):
    """There is more of the cluster than its Terraform state knows of."""


def without_strangers(ctx: Context, held: Mapping[str, Any]) -> tuple[str, ...]:
    """They would hold what Terraform destroys."""
    strangers = ctx.provider.unknown(ctx.record, held, ctx.section)
    if strangers:
        ctx.run.note(f"taken away as well, though no Terraform state knows of it: {named(strangers)}")
        ctx.provider.reclaim(ctx.record, ctx.footprint, ctx.section, held)
    return ()


def take_over(ctx: Context, held: Mapping[str, Any]) -> None:
    """Terraform would try to make them a second time, so it imports them.

    Raises StateBehind, before anything is changed, when it cannot.
    """
    strangers = ctx.provider.unknown(ctx.record, held, ctx.section)
    if not strangers:
        return
    rendered_root = is_rendered(ctx.spec, ctx.provider)
    wanted = ctx.provider.imports(ctx.record, strangers, ctx.section, ctx.spec) if rendered_root else {}
    if not wanted:
        raise StateBehind(
            f"the Terraform state of '{ctx.record.name}' does not know all that was made for it",
            why=f"a Terraform was killed before it could save its state; it had made: {named(strangers)}",
            hint=f"karrots destroy {ctx.record.name}\n{ctx.run.resume}",
        )
    ctx.run.note(f"made by a Terraform that was killed before it could save that, and taken over: {named(strangers)}")
    blocks = [{"to": address, "id": key} for address, key in sorted(wanted.items())]
    files.write(rendered(ctx).folder / IMPORT_FILE, json.dumps({"import": blocks}), durable=False)


def named(strangers: Sequence[Leftover]) -> str:
    return ", ".join(f"{it.kind} {it.name}" for it in strangers)


def mended(ctx: Context, held: Mapping[str, Any]) -> tuple[str, ...]:
    """What is whole after all is kept; gives the addresses of what is not there any more, to be made again."""
    take_over(ctx, held)
    if not document.resources(held):
        return ()
    for address in ctx.provider.untaint(ctx.record, held, ctx.section):
        ctx.run.note(f"{address} was left unfinished by a stopped run, and is whole: it stays")
        rendered(ctx).untaint(address)
    return ctx.provider.lost(ctx.record)


class PlanRemoval(PlanInfrastructure):
    name = "plan-destroy"
    title = "plan the removal"
    destroy = True


class ConfirmPlan:
    """A plan that destroys or replaces the cluster itself needs its own yes."""

    name = "confirm"
    title = "confirm"

    def __init__(self) -> None:
        self._answer = ""

    def check(self, ctx: Context) -> Done | Needed:
        risky = endangered(ctx)
        if not risky or self._answer:
            return Done(self._answer or "the cluster itself stays")
        return Needed(", ".join(f"{change.action} {change.address}" for change in risky))

    def run(self, ctx: Context) -> str:
        listing = "\n".join(f"  {c.action:8} {c.address}" for c in endangered(ctx))
        if not ctx.confirm(f"The plan for '{ctx.record.name}' ends the cluster:\n{listing}\nApply it?"):
            raise Refused("the plan was not applied", why="it destroys or replaces the cluster, and nobody said yes")
        self._answer = "said yes"
        return self._answer


def endangered(ctx: Context) -> tuple[Planned, ...]:
    return tuple(c for c in planned(ctx).destructive if c.address in ctx.provider.CLUSTER_RESOURCES)


class ApplyInfrastructure:
    """Applies the saved plan that was shown, never another; `flux`: Flux is wanted in the end, so it may come early."""

    name = "apply"
    title = "Terraform apply"

    def __init__(self, *, flux: bool) -> None:
        self._flux = flux
        self._done = False

    def check(self, ctx: Context) -> Done | Needed:
        plan = planned(ctx)
        if self._done:
            return Done(summary(plan)) if ctx.outputs else Needed("no outputs")
        if plan.has_changes:
            return Needed(summary(plan))
        ctx.outputs = outputs(ctx)
        return Done("nothing to change")

    def run(self, ctx: Context) -> str:
        warming = threading.Thread(target=kube.warm, daemon=True)  # the next step needs it, and here is time
        warming.start()
        with room_of(ctx), ahead(ctx) if self._flux else nullcontext():
            rendered(ctx).apply(planned(ctx))
        warming.join()
        self._done = True
        ctx.outputs = outputs(ctx)
        return summary(planned(ctx))


def room_of(ctx: Context) -> AbstractContextManager[None]:
    """Many at once must not take each other's memory: who finds none waits, and says so."""
    waiting = partial(ctx.run.progress, "waiting for memory: other Terraforms are at work on this computer")
    return terraform_room.room(places.state() / "terraform-room", ctx.provider.MEMORY, waiting)


@contextmanager
def ahead(ctx: Context) -> Iterator[None]:
    ctx.ahead = what_can_come_early(ctx)
    try:
        yield
    finally:
        if ctx.ahead is not None:
            ctx.ahead.end()
            ctx.ahead = None


def what_can_come_early(ctx: Context) -> Ahead | None:
    """The engine brings its own Flux; in a cloud it need not wait for Terraform's last word."""
    if ctx.provider.ANSWERS:
        return FenceAhead(ctx) if ctx.record.parent is not None else None
    manifest = manifest_of(ctx)
    return FluxAhead(ctx, manifest) if manifest is not None else None


def outputs(ctx: Context) -> dict[str, object]:
    return {name: output.value for name, output in rendered(ctx).outputs().items()}


class DestroyInfrastructure:
    name = "terraform-destroy"
    title = "Terraform destroy"

    def check(self, ctx: Context) -> Done | Needed:
        count = rendered(ctx).resources()
        return Needed(f"{count} resources in the state") if count else Done("the state holds nothing")

    def run(self, ctx: Context) -> str:
        plan = planned(ctx)
        with room_of(ctx):
            rendered(ctx).apply(plan)
        return f"-{plan.counts.remove}"


def rendered(ctx: Context) -> Root:
    assert ctx.root is not None, "RenderRoot comes first"  # noqa: S101
    return ctx.root


def planned(ctx: Context) -> Plan:
    assert ctx.plan is not None, "the plan comes first"  # noqa: S101
    return ctx.plan
