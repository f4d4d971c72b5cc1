"""Putting up the fence of a copy before anything of its content comes into it, and keeping it as it should be."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from karrots import clock
from karrots.adapters import flux
from karrots.adapters.kube import group, parts, text
from karrots.fence import Decisions, Find, Owner, Sought, Terms, find
from karrots.fence import policies as objects
from karrots.fence.find import acts, namespaces
from karrots.fence.kinds import CRON_JOB, DAEMON_SET, MAKERS, Kind, Switch
from karrots.lint.tree import Tree
from karrots.lint.walk import walk
from karrots.pipeline import Done, Needed
from karrots.report.text import count_text
from karrots.steps.content import committed
from karrots.steps.syncing import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from karrots.adapters.kube import Kube, Object
    from karrots.fleet.record import Record
    from karrots.fleet.workspace import Workspace
    from karrots.lint.walk import Walk
    from karrots.spec.cluster import ClusterSpec
    from karrots.steps.context import Context

ADMISSION = f"/apis/{objects.GROUP}"
MUTATING = "mutatingadmissionpolicies"
MUTATING_VERSIONS = ("v1", "v1beta1")
COLLECTIONS = {
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
    "MutatingAdmissionPolicy": MUTATING,
    "MutatingAdmissionPolicyBinding": "mutatingadmissionpolicybindings",
}
NETWORK = "/apis/networking.k8s.io/v1"
PROVIDERS = "/apis/notification.toolkit.fluxcd.io/v1beta3/namespaces/{}/providers"
JOBS = "/apis/batch/v1/namespaces/{}/jobs"
DEPLOYMENTS = "/apis/apps/v1/namespaces/{}/deployments"
# Flux has to reach git and the API server, whoever else lives at such an address.
NOT_CLOSED = {flux.NAMESPACE, "kube-system", "kube-public", "kube-node-lease"}
MOST_PROBED = 20
# An API server learns the form of a new kind within 5 s, and refuses with 503 until then what is to be switched.
NOTIFIERS = ("Alert", "Provider", "Receiver")
LABELLED = ",".join(f"{key}={value}" for key, value in objects.MARK.items())


class RaiseFence:
    """Before the first sync; a cluster that was not branched has none."""

    name = "fence"
    title = "fence"

    def check(self, ctx: Context) -> Done | Needed:
        if ctx.record.parent is None:
            return Done("not a copy, so there is none")
        fence = Fence.of(ctx)
        stands = fence.stands(ctx.api()) and fence.holds(ctx.api())
        return Done("stands") if stands else Needed("keep the copy from acting as its parent does")

    def run(self, ctx: Context) -> str:
        fence = Fence.of(ctx)
        if not fence.stands(ctx.api()):
            fence.put_up(ctx.api())
        until(lambda: fence.holds(ctx.api()), ctx, "the fence is in force")
        until(lambda: fence.settle(ctx.api()), ctx, "what is there already is held, or let go")
        held = [each for each in fence.finds if fence.terms.decisions.held(each.kind, each.namespace, each.name)]
        return f"{count_text(len(held), 'thing')} of the content held"


@dataclass(frozen=True)
class KeepFence:
    """What was opened or closed, into the record."""

    said: Mapping[str, str]
    name: str = "keep"
    title: str = "write it down"

    def check(self, ctx: Context) -> Done | Needed:
        found = ctx.workspace.ledger.find(ctx.record.name)
        there = found is not None and self.said.items() <= found.fence.items() and ctx.record.fence == found.fence
        return (
            Done("in the ledger")
            if there
            else Needed(", ".join(f"{word} {state}" for word, state in self.said.items()))
        )

    def run(self, ctx: Context) -> str:
        ctx.workspace.ledger.save(ctx.change(fence={**ctx.record.fence, **self.said}), verb=ctx.run.verb)
        return "karrots/fleet"


class LetGo:
    """The lease ends; nothing else of the record changes."""

    name = "release"
    title = "let go of the cluster"

    def check(self, ctx: Context) -> Done | Needed:
        return Done("free") if ctx.record.operation is None else Needed("the lease")

    def run(self, ctx: Context) -> None:
        ctx.workspace.ledger.save(ctx.change(operation=None), verb=ctx.run.verb, operation=ctx.run.id)


def decisions_of(spec: ClusterSpec, record: Record | None) -> Decisions:
    return Decisions.of(spec.fence.open, spec.fence.closed, record.fence if record else {})


def terms_of(spec: ClusterSpec, record: Record, parent: Record | None) -> Terms:
    """The parent's own range too, where the copy is not in the same network."""
    own = (parent.network,) if parent and parent.network and spec.network.mode == "own" else ()
    return Terms(record.name, record.domain, decisions_of(spec, record), (*spec.fence.addresses, *own))


def sought_by(workspace: Workspace, spec: ClusterSpec, record: Record, terms: Terms) -> Sought:
    others = [each for each in workspace.known.records() if each.id != record.id]
    owners = tuple(Owner(each.name, each.domain, each.account) for each in others)
    return Sought(spec.variables, owners, terms.addresses, terms.decisions, record.domain)


def walked(workspace: Workspace, commit: str, directory: str) -> Walk:
    return walk(Tree(committed(workspace.repo, commit, directory), directory))


def fence_of(workspace: Workspace, spec: ClusterSpec, record: Record, content: str, directory: str) -> Fence:
    return _fence(workspace, spec, record, walked(workspace, content, directory))


def _fence(workspace: Workspace, spec: ClusterSpec, record: Record, content: Walk) -> Fence:
    terms = terms_of(spec, record, workspace.parent_of(record))
    return Fence(terms, sought_by(workspace, spec, record, terms), content)


class Fence:
    """One copy's fence: what stands in its API server."""

    def __init__(self, terms: Terms, sought: Sought, walked: Walk) -> None:
        self.terms = terms
        self.sought = sought
        self.finds = find(walked, sought)
        self._namespaces = namespaces(walked)
        self._served: str | None = None

    @classmethod
    def of(cls, ctx: Context) -> Fence:
        """Content is walked once for all the steps."""
        if ctx.walked is None:
            ctx.walked = walked(ctx.workspace, ctx.content, ctx.content_directory)
        return _fence(ctx.workspace, ctx.spec, ctx.record, ctx.walked)

    def unheld(self) -> list[Find]:
        """What nothing can hold, and nobody has said may be."""
        held = self.terms.decisions.held
        return [each for each in self.finds if each.hold == "nothing" and held(each.kind, each.namespace, each.name)]

    def _mutating(self, kube: Kube) -> str:
        if self._served is None:
            self._served = served(kube)
        return self._served

    # The objects

    def stands(self, kube: Kube) -> bool:
        """Each object is there as it should be, and no other."""
        mutating = self._mutating(kube)
        wanted = {_key(obj): _digest(obj) for obj in objects.policies(self.terms, mutating)}
        there = {key: _digest(obj) for _, key, obj in _present(kube, mutating)}
        closed = {_namespace(obj) for obj in _closed_now(kube)}
        return wanted == there and closed == set(self._to_close(kube)) and not self._unsettled(kube)

    def put_up(self, kube: Kube) -> None:
        mutating = self._mutating(kube)
        wanted = objects.policies(self.terms, mutating)
        for obj in wanted:
            kube.apply(_collection(obj), obj)
        names = {_key(obj) for obj in wanted}
        for path, key, _ in _present(kube, mutating):
            if key not in names:
                kube.delete(path)
        self._close_addresses(kube)

    def _close_addresses(self, kube: Kube) -> None:
        """Namespaces of content are made ahead, so that no pod is there before its policy."""
        wanted = self._to_close(kube)
        for name in wanted:
            metadata = {"name": name}
            kube.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
            kube.apply(f"{NETWORK}/namespaces/{name}/networkpolicies", objects.egress(self.terms, name))
        for obj in _closed_now(kube):
            if _namespace(obj) not in wanted:
                kube.delete(f"{NETWORK}/namespaces/{_namespace(obj)}/networkpolicies/{objects.PREFIX}")

    def _to_close(self, kube: Kube) -> list[str]:
        """Without those that say themselves what they reach: policies add up, and ours would open them."""
        if not self.terms.addresses:
            return []
        live = {text(group(each, "metadata").get("name")) for each in kube.list("/api/v1/namespaces")}
        own = {_namespace(each) for each in kube.list(f"{NETWORK}/networkpolicies") if _says_egress(each)}
        return sorted({*live, *self._namespaces} - own - NOT_CLOSED)

    # Whether it is in force: an API server learns a policy a moment after it was made

    def holds(self, kube: Kube) -> bool:
        return all(self._decides(kube, namespace, name) for namespace, name in self._probed()) and self._switches(kube)

    def _probed(self) -> Iterator[tuple[str, str]]:
        yield flux.NAMESPACE, objects.PREFIX
        jobs = ((each.namespace, each.name) for each in self.finds if each.kind == CRON_JOB.name)
        yield from itertools.islice(
            ((space, name) for space, name in jobs if space and "${" not in space + name), MOST_PROBED
        )

    def _decides(self, kube: Kube, namespace: str, name: str) -> bool:
        """Where there is no such namespace yet, nothing can be asked there."""
        status, said = tried(kube, JOBS.format(namespace), objects.probe_job(name))
        denied = status in (403, 422) and f"{objects.PREFIX}-jobs" in str(said)
        return status == 404 or denied == self.terms.decisions.held(CRON_JOB.name, namespace, name)

    def _switches(self, kube: Kube) -> bool:
        if not self._mutating(kube):
            return True
        held = self.terms.decisions.held
        status, said = tried(kube, DEPLOYMENTS.format(flux.NAMESPACE), objects.probe_deployment())
        stopped = status < 300 and group(said, "spec").get("replicas") == 0
        if stopped != held("Deployment", flux.NAMESPACE, f"{objects.PREFIX}-probe"):
            return False
        if not any(each.kind in NOTIFIERS for each in self.finds):
            return True
        status, said = tried(kube, PROVIDERS.format(flux.NAMESPACE), objects.probe_provider())
        stopped = status < 300 and group(said, "spec").get("suspend") is True
        return status == 404 or stopped == held("Provider", flux.NAMESPACE, f"{objects.PREFIX}-probe")

    # What was there before the fence, or before it was changed

    def settle(self, kube: Kube) -> bool:
        """Asks for one more admission of what is to be held, and gives back what is open; True when nothing is left.

        What runs meanwhile is stopped by its controller; a Job that a CronJob has made already runs to its end.
        """
        unsettled = self._unsettled(kube)
        for path, switch, obj in unsettled:
            note = _note(obj)
            patch = {} if note is None or self._is_held(switch, obj) else given_back(switch, note)
            kube.merge(path, patch)
            if patch and "spec" not in patch:
                flux.ask_all(kube, clock.now(), also_ready=True)
        return not (unsettled and self._unsettled(kube))

    def _unsettled(self, kube: Kube) -> list[tuple[str, Switch, Object]]:
        if not self._mutating(kube):
            return []
        switches = {switch.kind: switch for switch in objects.ALL_SWITCHES}
        living = ((path, switches[kind], obj) for path, kind, obj in _living(kube, tuple(switches)))
        return [found for found in living if self._is_unsettled(found[1], found[2])]

    def _is_unsettled(self, switch: Switch, obj: Object) -> bool:
        if self._is_held(switch, obj):
            return bool(group(obj, "spec").get(switch.field) != json.loads(switch.value))
        return _note(obj) is not None

    def _is_held(self, switch: Switch, obj: Object) -> bool:
        kind, namespace, name = switch.kind.name, _namespace(obj), _name(obj)
        acting = any(acts(kind, switch.kind.group, namespace, obj, self.sought))
        return acting and self.terms.decisions.held(kind, namespace, name)

    # What only the cluster knows

    def living(self, kube: Kube) -> list[Find]:
        """What acts in the cluster and does not stand in content: made by a chart, or by hand."""
        known = {(each.kind, each.namespace, each.name) for each in self.finds}
        kinds = dict.fromkeys([*(each.kind for each in (*MAKERS, *objects.ALL_SWITCHES)), DAEMON_SET])
        found: set[Find] = set()
        for _, kind, obj in _living(kube, tuple(kinds)):
            at = (kind.name, _namespace(obj), _name(obj))
            if at not in known and not _is_made_by_a_maker(obj):
                found.update(Find(*at, "", 0, *why) for why in acts(kind.name, kind.group, at[1], obj, self.sought))
        return sorted(found)


def served(kube: Kube) -> str:
    """The version of MutatingAdmissionPolicy that is served; '' when none is."""
    for version in MUTATING_VERSIONS:
        resources = parts((kube.get(f"{ADMISSION}/{version}") or {}).get("resources"))
        if any(each.get("name") == MUTATING for each in resources):
            return version
    return ""


def tried(kube: Kube, collection: str, obj: Mapping[str, Any]) -> tuple[int, Any]:
    """What the API server would say to that object; nothing is made."""
    return kube.request("POST", f"{collection}?dryRun=All", dict(obj))


def given_back(switch: Switch, note: str) -> Object:
    """As a merge patch. What cannot be told by a word, Flux takes from content again."""
    spec = {switch.field: _value(note)} if _value(note) is not None else {}
    return {"metadata": {"annotations": {objects.NOTE: None}}, **({"spec": spec} if spec else {})}


def _value(note: str) -> bool | int | str | None:
    if note.isdecimal():
        return int(note)
    return False if note == "false" else note if note == "ReadWrite" else None


def _living(kube: Kube, kinds: Sequence[Kind]) -> Iterator[tuple[str, Kind, Object]]:
    for each in kinds:
        head, _, plural = each.collection.rpartition("/")
        for obj in kube.list(each.collection):
            yield f"{head}/namespaces/{_namespace(obj)}/{plural}/{_name(obj)}", each, obj


def _present(kube: Kube, mutating: str) -> Iterator[tuple[str, tuple[str, str], Object]]:
    """The fence's own objects: where each is, what it is called, and itself."""
    for kind, plural in COLLECTIONS.items():
        version = mutating if kind.startswith("Mutating") else "v1"
        collection = f"{ADMISSION}/{version}/{plural}"
        for obj in kube.list(collection, labelSelector=LABELLED) if version else ():
            yield f"{collection}/{_name(obj)}", (kind, _name(obj)), obj


def _closed_now(kube: Kube) -> list[Object]:
    return list(kube.list(f"{NETWORK}/networkpolicies", labelSelector=LABELLED))


def _says_egress(policy: Object) -> bool:
    spec = group(policy, "spec")
    ours = objects.MARK.items() <= group(group(policy, "metadata"), "labels").items()
    return not ours and ("egress" in spec or "Egress" in (spec.get("policyTypes") or ()))


def _is_made_by_a_maker(obj: Object) -> bool:
    owners = parts(group(obj, "metadata").get("ownerReferences"))
    return any(owner.get("kind") == CRON_JOB.name for owner in owners)


def _collection(obj: Object) -> str:
    return f"/apis/{obj['apiVersion']}/{COLLECTIONS[obj['kind']]}"


def _key(obj: Object) -> tuple[str, str]:
    return obj["kind"], _name(obj)


def _digest(obj: Object) -> str:
    return text(group(group(obj, "metadata"), "annotations").get(objects.DIGEST))


def _note(obj: Object) -> str | None:
    found = group(group(obj, "metadata"), "annotations").get(objects.NOTE)
    return None if found is None else text(found)


def _name(obj: Object) -> str:
    return text(group(obj, "metadata").get("name"))


def _namespace(obj: Object) -> str:
    return text(group(obj, "metadata").get("namespace"))
