"""Taking a cluster away, and proving that nothing is left."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from karrots import files, places
from karrots.adapters import flux
from karrots.adapters.kube import ApiUnreachable, Kube
from karrots.errors import Failed, Leftovers, Refused, TimedOut
from karrots.fleet.receipt import receipt
from karrots.pipeline import Done, Needed
from karrots.providers.base import Footprint, Leftover
from karrots.report.text import count_text
from karrots.spec import json_file
from karrots.steps import state
from karrots.steps.certificates import asked_by
from karrots.steps.syncing import until

if TYPE_CHECKING:
    from pathlib import Path

    from karrots.fleet.workspace import Workspace
    from karrots.steps.context import Context

# A namespace takes about 5 s to go, whatever is in it; the control plane goes with it, so it is not waited for.
CONNECT_SECONDS = 2.0
DRAIN_SECONDS = 3.0  # a look is some dozen questions to a cloud
SHOWN = 3
NOT_OURS = "\nor, when all of it is others': karrots destroy {name} --leave-doubtful"


class Identify:
    """The cluster at the other end must say that it is the one of the record before anything in it is deleted."""

    name = "identify"
    title = "identify"

    def __init__(self) -> None:
        self._seen = ""

    def check(self, ctx: Context) -> Done | Needed:
        return Done(self._seen) if self._seen else Needed(f"is it {ctx.record.id}?")

    def run(self, ctx: Context) -> str:
        ctx.kube = reachable(ctx)
        ctx.footprint = remembered(ctx)
        if ctx.kube is None:
            self._seen = "no API server answers; Terraform's state and the record's id lead"
            return self._seen
        live = flux.live_identity(ctx.kube)
        if live is not None and live.get("cluster_id") != ctx.record.id:
            raise Refused(
                f"the cluster that answers for '{ctx.record.name}' is another one",
                why=f"it says cluster_id {live.get('cluster_id')!r}, the record says '{ctx.record.id}'",
                hint=f"karrots show {ctx.record.name}",
            )
        self._seen = f"cluster_id {ctx.record.id}" if live else "made, but never told its name"
        return self._seen


def remembered(ctx: Context) -> Footprint:
    """What the cluster held when its destroy began, also when that was an earlier run that did not finish."""
    file = places.footprint(ctx.record.id)
    if file.is_file():
        return read_footprint(file)
    found = ctx.provider.footprint(ctx.record, ctx.section)
    places.private_folder(file.parent)
    files.write(file, json.dumps(found.held))
    return found


def read_footprint(file: Path) -> Footprint:
    """Raises Failed for a damaged one: what it names is what the proof looks for."""
    try:
        held = json_file.load(files.content(file))
        wrong = next((item for items in held.values() for item in items if not isinstance(item, str)), None)
        if wrong is not None or not all(port.isdecimal() and int(port) < 1 << 16 for port in held.get("ports", ())):
            raise ValueError("an entry has another form than karrots gives it")  # noqa: TRY301
        return Footprint({kind: tuple(items) for kind, items in held.items()})
    except (ValueError, TypeError, AttributeError) as error:
        raise Failed(
            "what the cluster held cannot be read",
            why=f"{file}: {error}",
            hint=f"rm {file}, then run the same command again: it looks anew",
        ) from error


def reachable(ctx: Context) -> Kube | None:
    """A client when the API server answers within a moment. A half-dead local control plane is mended first."""
    if ctx.provider.access(ctx.record, ctx.outputs, ctx.section) is None:
        return None
    ctx.provider.tend(ctx.record)
    access = ctx.provider.access(ctx.record, ctx.outputs, ctx.section)
    if access is None:
        return None
    kube = Kube(access, timeout=10)
    ctx.resources.callback(kube.close)
    end = time.monotonic() + CONNECT_SECONDS
    while time.monotonic() < end:
        try:
            if kube.request("GET", "/api/v1/namespaces?limit=1")[0] == 200:
                return kube
        except ApiUnreachable:
            pass
        time.sleep(0.05)
    return None


class Freeze:
    name = "freeze"
    title = "freeze Flux"

    def check(self, ctx: Context) -> Done | Needed:
        if ctx.kube is None:
            return Done("nothing answers")
        return Done("suspended") if flux.frozen(ctx.kube) else Needed("no further commit")

    def run(self, ctx: Context) -> None:
        flux.freeze(ctx.api())


class RemoveWhatFluxMade:
    """While the controllers still run, so that what they made outside the cluster goes the way it came."""

    name = "prune"
    title = "remove what Flux made"

    def __init__(self) -> None:
        self._gave_up = False

    def check(self, ctx: Context) -> Done | Needed:
        if ctx.kube is None:
            return Done("nothing answers")
        if self._gave_up:
            return Done("as far as it went")
        left = flux.makers(ctx.kube)
        return Needed(count_text(len(left), "object") + " of Flux") if left else Done("nothing is left")

    def run(self, ctx: Context) -> str:
        ctx.removed = flux.delete_makers(ctx.api())
        try:
            until(lambda: not flux.makers(ctx.api()), ctx, "Flux has removed what it made")
        except TimedOut:
            return self._give_up(ctx)
        return f"{count_text(ctx.removed, 'object')} of Flux, with all they made"

    def _give_up(self, ctx: Context) -> str:
        """The cluster goes as a whole; what it may have left outside is the sweep's to find."""
        stuck = [o.label for o in flux.makers(ctx.api())]
        ctx.receipt["not_removed_by_flux"] = stuck
        ctx.run.warn(f"Flux did not finish removing {', '.join(stuck)}; they go with the cluster")
        self._gave_up = True
        return f"{len(stuck)} of {ctx.removed} not finished"


class Drain:
    """Takes away what controllers made outside of the cluster, before Terraform takes the network from under it.

    Their own objects go first, while they run. Where that does not come to an end, the cloud is asked directly.
    """

    name = "drain"
    title = "drain"

    def __init__(self) -> None:
        self._drained = ""

    def check(self, ctx: Context) -> Done | Needed:
        return Done(self._drained) if self._drained else Needed("what was made outside of the cluster")

    def run(self, ctx: Context) -> str:
        seen: set[Leftover] = set()
        if ctx.kube is not None and not self._ends(ctx, ctx.kube, seen):
            ctx.run.warn("the cluster's controllers did not take away what they made; the cloud is asked directly")
        if not self._ends(ctx, None, seen):
            raise TimedOut(
                f"what '{ctx.record.name}' made outside of it is still there after {ctx.timeout:.0f} s",
                why="\n".join(sorted(f"{item.kind}: {item.name}" for item in self._left)),
                hint=ctx.run.resume,
            )
        self._drained = count_text(len(seen), "thing") + " taken away" if seen else "nothing outside of it"
        return self._drained

    def _ends(self, ctx: Context, kube: Kube | None, seen: set[Leftover]) -> bool:
        end = time.monotonic() + ctx.timeout
        while True:
            try:
                self._left = ctx.provider.drain(ctx.record, kube, ctx.section)
            except ApiUnreachable:
                return False
            seen.update(self._left)
            if not self._left or time.monotonic() > end:
                return not self._left
            ctx.run.progress(", ".join(f"{item.kind} {item.name}" for item in self._left[:SHOWN]))
            time.sleep(DRAIN_SECONDS)


class RemoveState:
    """The state of a cluster that is gone, and the private kubeconfig: of no use to anybody."""

    name = "state"
    title = "remove the state"

    def check(self, ctx: Context) -> Done | Needed:
        kubeconfig = places.kubeconfig(ctx.record.id)
        there = [*state.left(ctx), *([str(kubeconfig)] if kubeconfig.exists() else [])]
        return Needed(", ".join(there)) if there else Done("no state")

    def run(self, ctx: Context) -> None:
        ctx.receipt["terraform"] = state.remove(ctx)
        files.remove(places.kubeconfig(ctx.record.id))


class Sweep:
    """Looks with the provider's own eyes, not with Terraform's."""

    name = "sweep"
    title = "sweep"

    def __init__(self) -> None:
        self._swept = False

    def check(self, ctx: Context) -> Done | Needed:
        return Done("nothing is left") if self._swept else Needed("look for leftovers")

    def run(self, ctx: Context) -> str:
        swept = ctx.provider.sweep(ctx.record, ctx.footprint, ctx.section)
        if swept.left:  # a Terraform that was killed before it could save its state knows nothing of what it made
            ctx.provider.reclaim(ctx.record, ctx.footprint, ctx.section)
            swept = ctx.provider.sweep(ctx.record, ctx.footprint, ctx.section)
        ctx.receipt["looked_for"] = dict(swept.looked_for)
        told = [f"{item.kind}: {item.name}" for item in swept.left]
        proven = [item for item in swept.left if not item.doubtful]
        if proven or (swept.left and not ctx.leave_doubtful):
            raise Leftovers(
                f"'{ctx.record.name}' is destroyed, but not all of it is gone",
                why="\n".join(told),
                hint=f"karrots destroy {ctx.record.name}" + ("" if proven else NOT_OURS.format(name=ctx.record.name)),
            )
        ctx.receipt["left"] = told
        self._swept = True
        return ", ".join(f"{kind} 0 of {count}" for kind, count in swept.looked_for.items())


class WriteReceipt:
    """The last act: the record goes, the receipt stays."""

    name = "receipt"
    title = "receipt"

    def check(self, ctx: Context) -> Done | Needed:
        gone = ctx.workspace.ledger.find(ctx.record.name)
        return (
            Done("in the ledger") if gone is None or gone.id != ctx.record.id else Needed("the record is still there")
        )

    def run(self, ctx: Context) -> str:
        signed = asked_by(ctx, ctx.record, ctx.content, ctx.content_directory)
        seen = {**ctx.receipt, **({"certificates": signed} if signed else {})}
        ctx.receipt = receipt(ctx.record, seen, removed=ctx.removed, seconds=ctx.run.seconds)
        ctx.workspace.ledger.retire(ctx.record, ctx.receipt)
        ctx.change(operation=None)
        forget(ctx.workspace, ctx.record.id)
        return f"gone/{ctx.record.name}-{ctx.record.id}.json"


def forget(workspace: Workspace, cluster_id: str) -> None:
    """What this computer remembers of a cluster whose receipt is written; a kill may have come before this."""
    workspace.known.let_go(cluster_id)
    for file in (places.footprint(cluster_id), places.kubeconfig(cluster_id)):
        if file.exists():
            files.remove(file)
