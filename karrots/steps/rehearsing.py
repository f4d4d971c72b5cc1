"""A throw-away cluster that content comes up on, and what its API server and its Flux say of it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from karrots import clock
from karrots.adapters import flux, kube_kinds
from karrots.adapters.kube import Kube, group, text
from karrots.engine import cluster
from karrots.engine.folder import Request
from karrots.fence import policies
from karrots.fleet import identity, rehearsals
from karrots.lint.substitution import fill
from karrots.lint.walk import is_sync
from karrots.pipeline import Done, Needed
from karrots.rehearsal.causes import Served
from karrots.rehearsal.objects import Entry, Key, Trial, inventory, plain
from karrots.rehearsal.places import owner_label
from karrots.rehearsal.watch import Watch
from karrots.report.text import count_text
from karrots.spec.flux_components import is_component
from karrots.steps.context import Context
from karrots.steps.fencing import ADMISSION, COLLECTIONS, served, tried
from karrots.steps.syncing import POLL_SECONDS, TEND_SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from karrots.adapters.flux import FluxObject
    from karrots.fleet.record import Record
    from karrots.fleet.workspace import Workspace
    from karrots.lint.build import Object
    from karrots.lint.walk import Scope
    from karrots.rehearsal.places import Places
    from karrots.spec.cluster import ClusterSpec

NAME = "rehearsal"
MAKERS = ("Kustomization", "HelmRelease")
COLLECTIONS_OF = {"Kustomization": flux.KUSTOMIZATIONS, "HelmRelease": flux.HELM_RELEASES}
CONNECTIONS = 4
ELSEWHERE = "karrots-rehearsal"


@dataclass(frozen=True)
class Content:
    """One side: a commit of a directory, and what it is told that it is."""

    commit: str
    directory: str
    spec: ClusterSpec


@dataclass
class Seen:
    """What one side came to. `objects` are those in the inventories, as the API server has them."""

    watch: Watch
    unsaid: list[FluxObject] = field(default_factory=list)
    entries: dict[Key, Entry] = field(default_factory=dict)
    objects: dict[Key, dict[str, Any]] = field(default_factory=dict)

    @property
    def well(self) -> bool:
        return not self.unsaid and not self.watch.failing()


@dataclass
class Rehearsing(Context):
    """`shown` is the record whose identity content gets; the cluster itself is the engine's, whatever content says."""

    mark: rehearsals.Mark | None = None
    shown: Record | None = None
    seen: dict[str, Seen] = field(default_factory=dict)
    trials: list[Trial] = field(default_factory=list)
    end: float = 0.0

    @property
    def ref(self) -> str:
        assert self.mark is not None, "begun() comes first"  # noqa: S101
        return self.mark.ref


@contextmanager
def begun(workspace: Workspace, cluster_id: str) -> Iterator[rehearsals.Mark]:
    """Whatever happens, nothing of it is left; a kill leaves the mark, by which doctor finds the rest."""
    mark = rehearsals.begin(cluster_id, workspace.repo.git_dir)
    try:
        yield mark
    finally:
        cluster.down(cluster_id)
        workspace.repo.set_refs({mark.ref: None})
        rehearsals.end(cluster_id)


class BringUp:
    name = "engine"
    title = "a throw-away cluster"

    def check(self, ctx: Rehearsing) -> Done | Needed:
        found = cluster.inspect(ctx.record.id)
        return Done("runs") if found is not None and found.alive else Needed("on the engine")

    def run(self, ctx: Rehearsing) -> str:
        request = Request(ctx.record.id, NAME, ctx.workspace.repo.git_dir)
        return cluster.up(request, ctx.run.progress).server


class KeepToItself:
    """Flux would apply to another cluster where content gives it the way: such objects are suspended as they come."""

    name = "keep to itself"
    title = "keep to this cluster"

    def check(self, ctx: Rehearsing) -> Done | Needed:
        return Done("in force") if self._holds(ctx.api()) else Needed("a policy")

    def run(self, ctx: Rehearsing) -> str:
        version = served(ctx.api())
        for obj in elsewhere_policy(version) if version else ():
            ctx.api().apply(f"{ADMISSION}/{version}/{COLLECTIONS[obj['kind']]}", obj)
        until(lambda: self._holds(ctx.api()), ctx, "the rehearsal keeps to its own cluster")
        return "spec.kubeConfig is not followed"

    def _holds(self, kube: Kube) -> bool:
        status, said = tried(kube, PROBED, PROBE)
        return status < 300 and group(said, "spec").get("suspend") is True


PROBED = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/default/kustomizations"
PROBE: dict[str, Any] = {
    "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
    "kind": "Kustomization",
    "metadata": {"name": f"{ELSEWHERE}-probe"},
    "spec": {
        "interval": "1h",
        "prune": False,
        "sourceRef": {"kind": "GitRepository", "name": "none"},
        "kubeConfig": {"secretRef": {"name": "none"}},
    },
}


def elsewhere_policy(version: str) -> list[dict[str, Any]]:
    """The objects that suspend what would apply elsewhere."""
    rules = [
        {"apiGroups": [kind_group], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"], "resources": [plural]}
        for kind_group, plural in (
            ("kustomize.toolkit.fluxcd.io", "kustomizations"), ("helm.toolkit.fluxcd.io", "helmreleases"),
        )
    ]  # fmt: skip
    condition = "has(object.spec.kubeConfig) && (!has(object.spec.suspend) || !object.spec.suspend)"
    patch = "[JSONPatch{op: 'add', path: '/spec/suspend', value: true}]"
    spec = {
        "failurePolicy": "Fail",
        "reinvocationPolicy": "IfNeeded",
        "matchConstraints": {"resourceRules": rules},
        "matchConditions": [{"name": "elsewhere", "expression": condition}],
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": patch}}],
    }
    head = {"apiVersion": f"{policies.GROUP}/{version}", "metadata": {"name": ELSEWHERE}}
    return [
        {**head, "kind": "MutatingAdmissionPolicy", "spec": spec},
        {**head, "kind": "MutatingAdmissionPolicyBinding", "spec": {"policyName": ELSEWHERE}},
    ]


@dataclass
class Play:
    """Flux is given one side's commit, and is waited for until it has said all there is to say."""

    side: str
    content: Content
    name: str
    title: str

    def check(self, ctx: Rehearsing) -> Done | Needed:
        seen = ctx.seen.get(self.side)
        if seen is None:
            return Needed(self.content.commit[:10])
        ready = sum(1 for word in seen.watch.words.values() if word.ready)
        return Done(f"{ready} of {len(seen.watch.words) + len(seen.unsaid)} Ready at {self.content.commit[:10]}")

    def run(self, ctx: Rehearsing) -> str:
        ctx.workspace.repo.set_refs({ctx.ref: self.content.commit})
        flux.install_sync(ctx.api(), self._sync(ctx), self._told(ctx))
        flux.ask_to_look(ctx.api(), clock.now())
        watch = Watch(self.content.commit)
        objects = self._wait(ctx, watch)
        if watch.failing() and time.monotonic() < ctx.end:
            now = clock.now()
            watch.again(now.isoformat(), time.monotonic())
            flux.ask_all(ctx.api(), now)
            objects = self._wait(ctx, watch)
        seen = Seen(watch, [each for each in objects if each.label not in watch.words])
        seen.entries = {entry.key: entry for entry in entries(ctx.api())}
        seen.objects = living(ctx.api(), seen.entries.values())
        ctx.seen[self.side] = seen
        return f"{count_text(len(seen.objects), 'object')} applied"

    def _sync(self, ctx: Rehearsing) -> flux.Sync:
        url, username, password = cluster.git_access(ctx.record.id, rehearsal=True)
        access = flux.GitAccess(url, {"username": username, "password": password})
        path, interval = f"{self.content.directory}/flux", self.content.spec.flux.interval
        return flux.Sync(access, rehearsals.BRANCH, path, interval)

    def _told(self, ctx: Rehearsing) -> dict[str, str]:
        return identity.variables(ctx.shown or ctx.record, self.content.spec.variables)

    def _wait(self, ctx: Rehearsing, watch: Watch) -> list[FluxObject]:
        tended, told = time.monotonic(), ""
        while True:
            objects = everything(ctx.api())
            now = time.monotonic()
            if watch.settled(objects, now) or now > ctx.end:
                return objects
            if now - tended > TEND_SECONDS:
                ctx.provider.tend(ctx.record)
                keep = self._sync(ctx), self._told(ctx)
                if not flux.synced_as(ctx.api(), *keep):
                    flux.install_sync(ctx.api(), *keep)
                tended = now
            said = _progress(objects)
            if said != told:
                ctx.run.progress(said)
                told = said
            time.sleep(POLL_SECONDS)


@dataclass
class Examine:
    """Each object of that side is shown to the API server once more: admission that came late, and its warnings.

    Of what Flux could not build, the text of the files is shown, with the values of this cluster's identity.
    """

    side: str
    places: Places
    name: str = "examine"
    title: str = "ask about each object"
    done: str = ""

    def check(self, ctx: Rehearsing) -> Done | Needed:
        return Done(self.done) if self.done else Needed(count_text(len(ctx.seen[self.side].objects), "object"))

    def run(self, ctx: Rehearsing) -> str:
        seen = ctx.seen[self.side]
        wanted = [plain(obj) for obj in seen.objects.values()]
        values = identity.variables(ctx.shown or ctx.record, ctx.spec.variables)
        raw = [obj for obj in self._in_files(seen, values) if _key(obj) not in seen.objects]
        ctx.trials = trials(ctx.api(), [*wanted, *raw])
        self.done = count_text(len(wanted) + len(raw), "object")
        return self.done

    def _in_files(self, seen: Seen, values: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        ready = {label for label, word in seen.watch.words.items() if word.ready}
        for scope in self.places.walked.scopes:
            if owner_label(scope) not in ready:
                given = {**values, **scope.inline_values}
                yield from (obj for each in scope.build.objects if (obj := filled(each, scope, given)) is not None)


def filled(each: Object, scope: Scope, values: Mapping[str, str]) -> dict[str, Any] | None:
    """An object of a file with its variables filled in; None where one of them is known to Flux alone."""
    if is_sync(each) or is_component(each.value):
        return None
    made = fill(each.value, values) if scope.substitutes else each.value
    if made is None:
        return None
    namespace = scope.namespace_of(each)
    return {**made, "metadata": {**made["metadata"], **({"namespace": namespace} if namespace else {})}}


def _key(obj: Mapping[str, Any]) -> Key:
    kind_group, _, _ = text(obj.get("apiVersion")).rpartition("/")
    meta = group(dict(obj), "metadata")
    return Key(kind_group, text(obj.get("kind")), text(meta.get("namespace")), text(meta.get("name")))


def elsewhere(kube: Kube) -> frozenset[str]:
    """Labels of what would apply to another cluster."""
    found = ((kind, obj) for kind in MAKERS for obj in kube.list(COLLECTIONS_OF[kind]))
    return frozenset(
        f"{kind}/{text(obj['metadata'].get('namespace'))}/{obj['metadata']['name']}"
        for kind, obj in found
        if group(obj, "spec").get("kubeConfig")
    )


def version(kube: Kube) -> str:
    """Of Kubernetes, without its v."""
    status, said = kube.request("GET", "/version")
    return text(said.get("gitVersion")).removeprefix("v") if status == 200 and isinstance(said, dict) else ""


def _progress(objects: Sequence[FluxObject]) -> str:
    waiting = ", ".join(each.name for each in objects if not each.ready and not each.suspended)
    ready = sum(1 for each in objects if each.ready)
    return f"{ready} of {len(objects)} Ready" + (f" · {waiting}" if waiting else "")


def everything(kube: Kube) -> list[FluxObject]:
    found = {each.label: each for each in (*flux.state(kube).objects, *flux.other_sources(kube))}
    return list(found.values())


def entries(kube: Kube) -> Iterator[Entry]:
    for kind in MAKERS:
        for obj in kube.list(COLLECTIONS_OF[kind]):
            meta = obj["metadata"]
            yield from inventory(f"{kind}/{text(meta.get('namespace'))}/{meta['name']}", group(obj, "status"))


def living(kube: Kube, wanted: Iterable[Entry]) -> dict[Key, dict[str, Any]]:
    """Each as the API server has it, asked for kind by kind."""
    kinds = paths_of(kube)
    by_kind: dict[tuple[str, str, str], set[Key]] = {}
    for entry in wanted:
        by_kind.setdefault((entry.key.group, entry.key.kind, entry.version), set()).add(entry.key)
    found: dict[Key, dict[str, Any]] = {}
    for (kind_group, kind, version), keys in by_kind.items():
        known = kinds.get((kind_group, kind))
        for obj in kube.list(known.path(version)) if known else ():
            meta = obj["metadata"]
            key = Key(kind_group, kind, text(meta.get("namespace")), meta["name"])
            if key in keys:
                api = f"{kind_group}/{version}" if kind_group else version
                found[key] = {"apiVersion": api, "kind": kind, **obj}
    return found


def paths_of(kube: Kube) -> dict[tuple[str, str], kube_kinds.Kind]:
    return {(each.group, each.name): each for each in kube_kinds.kinds(kube)[0]}


def served_by(kube: Kube) -> Served:
    return Served({(each.group, each.name): each.versions for each in kube_kinds.kinds(kube)[0]})


def trials(access_of: Kube, objects: Sequence[Mapping[str, Any]]) -> list[Trial]:
    """Each is applied as a try, over some connections; nothing is changed by it."""
    kinds = paths_of(access_of)
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        told = [pool.submit(_tried, access_of, kinds, objects[first::CONNECTIONS]) for first in range(CONNECTIONS)]
        return [trial for each in told for trial in each.result()]


def _tried(
    model: Kube, kinds: Mapping[tuple[str, str], kube_kinds.Kind], objects: Sequence[Mapping[str, Any]]
) -> list[Trial]:
    kube = Kube(model.access)
    try:
        return [_one(kube, kinds, obj) for obj in objects]
    finally:
        kube.close()


def _one(kube: Kube, kinds: Mapping[tuple[str, str], kube_kinds.Kind], obj: Mapping[str, Any]) -> Trial:
    key, served_as = _key(obj), text(obj.get("apiVersion")).rpartition("/")[2]
    known = kinds.get((key.group, key.kind))
    if known is None or served_as not in known.versions:
        return Trial(key, 404, f'no matches for kind "{key.kind}" in version "{text(obj.get("apiVersion"))}"', ())
    collection = known.path(served_as)
    if known.namespaced:
        head, _, plural = collection.rpartition("/")
        collection = f"{head}/namespaces/{key.namespace or 'default'}/{plural}"
    path = f"{collection}/{key.name}?dryRun=All&fieldManager={ELSEWHERE}&force=true&fieldValidation=Warn"
    status, said = kube.request("PATCH", path, dict(obj), "application/apply-patch+yaml")
    refusal = "" if status < 300 else text(said.get("message")) if isinstance(said, dict) else str(said)
    return Trial(key, status, refusal, kube.warnings)
