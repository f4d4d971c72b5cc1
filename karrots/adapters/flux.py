"""The one door to Flux: the objects karrots makes for it, and what its objects say.

karrots never commits sync objects that name a branch. It makes the GitRepository and the root Kustomization itself,
and the root's patches drop any committed pair of that name: a committed one would turn a copy back to its parent's
branch (https://github.com/fluxcd/flux2/issues/2073), an edited one, once merged, would turn the parent away.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from karrots.adapters.flux_install import NOT_PRUNED, keep
from karrots.adapters.kube import Kube, Object, condition, group, parts, text
from karrots.spec.flux_components import KINDS, LABELS

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping

NAMESPACE = "flux-system"
ROOT = "flux-system"
IDENTITY = "karrots-identity"
GIT_SECRET = "karrots-git"  # noqa: S105  (the name of an object)

GIT_REPOSITORIES = "/apis/source.toolkit.fluxcd.io/v1/gitrepositories"
KUSTOMIZATIONS = "/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations"
HELM_RELEASES = "/apis/helm.toolkit.fluxcd.io/v2/helmreleases"
HELM_CHARTS = "/apis/source.toolkit.fluxcd.io/v1/helmcharts"
HELM_REPOSITORIES = "/apis/source.toolkit.fluxcd.io/v1/helmrepositories"
OCI_REPOSITORIES = "/apis/source.toolkit.fluxcd.io/v1/ocirepositories"
CHART_SOURCES = ("HelmRepository", "OCIRepository")
# What is fetched from elsewhere; such an object that Flux has nothing to do for has no condition at all.
OTHER_SOURCES = (
    ("HelmRepository", HELM_REPOSITORIES),
    ("OCIRepository", OCI_REPOSITORIES),
    ("Bucket", "/apis/source.toolkit.fluxcd.io/v1/buckets"),
)

RETRY_INTERVAL = "10s"
REQUESTED_AT = "reconcile.fluxcd.io/requestedAt"


@dataclass(frozen=True)
class GitAccess:
    """Where Flux finds the fleet repository, and the Secret data it logs in with (none for public ones).

    `provider` is who makes its tokens: github for an App, '' for nobody. `tried` is what we look with in its place.
    """

    url: str
    secret: Mapping[str, str] = field(default_factory=dict)
    provider: str = ""
    tried: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sync:
    """What a cluster follows: `path` is the directory's flux folder in the repository, with no leading './'."""

    access: GitAccess
    branch: str
    path: str
    interval: str = "1m0s"


@dataclass(frozen=True)
class FluxObject:
    """`ready` is None while nobody can tell yet. `revision` is what was last applied, e.g. main@sha1:0d5…

    `follows_fleet`: its source is the fleet repository, so its revision is one of the branch's commits. `attempted` is
    the revision that was last tried, `handled` the last wish to look again. `source` is where it gets its content or
    chart from, as a label, `address` a source's own.
    """

    kind: str
    namespace: str
    name: str
    ready: bool | None
    reason: str
    message: str
    revision: str
    suspended: bool
    follows_fleet: bool = False
    depends: tuple[str, ...] = ()
    address: str = ""
    attempted: str = ""
    source: str = ""
    leaving: bool = False
    handled: str = ""

    @property
    def label(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}"


@dataclass(frozen=True)
class FluxState:
    objects: tuple[FluxObject, ...]

    @property
    def ready(self) -> int:
        return sum(1 for o in self.objects if o.ready)

    @property
    def failed(self) -> tuple[FluxObject, ...]:
        return tuple(o for o in self.objects if o.ready is False and not _waits(o))

    @property
    def pending(self) -> tuple[FluxObject, ...]:
        return tuple(o for o in self.objects if o.ready is None or (o.ready is False and _waits(o)))

    def at(self, commit: str) -> bool:
        """Everything is Ready, and what follows the repository has applied `commit`."""
        root = [o for o in self.objects if o.kind == "Kustomization" and o.name == ROOT and o.namespace == NAMESPACE]
        if not root or any(o.ready is not True for o in self.objects if not o.suspended):
            return False
        following = [o for o in self.objects if o.follows_fleet and not o.suspended]
        return all(o.revision.endswith(f":{commit}") for o in following)


def _waits(obj: FluxObject) -> bool:
    """Not ready only because it waits for others, or because it has just begun."""
    return obj.reason in (
        "DependencyNotReady",
        "Progressing",
        "ArtifactNotReady",
        "SourceNotReady",
        "HealthCheckCanceled",
    )


def identity_map(variables: Mapping[str, str]) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": IDENTITY,
            "namespace": NAMESPACE,
            # with this label a change of the map reconciles what uses it at once (Flux 2.7 and later)
            "labels": {"reconcile.fluxcd.io/watch": "Enabled", "app.kubernetes.io/managed-by": "karrots"},
        },
        "data": dict(variables),
    }


def git_secret(data: Mapping[str, str]) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": GIT_SECRET, "namespace": NAMESPACE},
        "type": "Opaque",
        "stringData": dict(data),
    }


def source(sync: Sync) -> Object:
    spec: Object = {
        "interval": sync.interval,
        "url": sync.access.url,
        "ref": {"branch": sync.branch},
        "timeout": "60s",
        "suspend": False,  # said, so that a cluster whose destroy was interrupted is woken again
    }
    if sync.access.secret:
        spec["secretRef"] = {"name": GIT_SECRET}
    if sync.access.provider:
        spec["provider"] = sync.access.provider
    return {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": ROOT, "namespace": NAMESPACE, "annotations": NOT_PRUNED},
        "spec": spec,
    }


def root(sync: Sync) -> Object:
    """The root Kustomization. It prunes what leaves the tree; deleting it deletes what it made."""
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": ROOT, "namespace": NAMESPACE, "annotations": NOT_PRUNED},
        "spec": {
            "interval": "10m0s",
            "retryInterval": RETRY_INTERVAL,
            "timeout": "5m0s",
            "path": f"./{sync.path}",
            "prune": True,
            "deletionPolicy": "Delete",
            "suspend": False,
            "sourceRef": {"kind": "GitRepository", "name": ROOT},
            "postBuild": {"substituteFrom": [{"kind": "ConfigMap", "name": IDENTITY, "optional": False}]},
            "patches": [
                _dropped("GitRepository", "source.toolkit.fluxcd.io"),
                _dropped("Kustomization", "kustomize.toolkit.fluxcd.io"),
                COMPONENTS_DROPPED,
            ],
        },
    }


# Components that are committed and get into what the root builds: karrots applies them itself (or the engine brings
# its own), and a root that held them would end Flux with itself. The name in such a patch does not count.
COMPONENTS_DROPPED: Object = {
    "target": {
        "kind": "|".join(sorted(KINDS)),
        "labelSelector": ",".join(f"{key}={value}" for key, value in LABELS.items()),
    },
    "patch": "$patch: delete\napiVersion: v1\nkind: Any\nmetadata:\n  name: any\n",
}


def _dropped(kind: str, group: str) -> Object:
    patch = (
        f"$patch: delete\napiVersion: {group}/v1\nkind: {kind}\nmetadata:\n  name: {ROOT}\n  namespace: {NAMESPACE}\n"
    )
    return {"target": {"group": group, "kind": kind, "name": ROOT, "namespace": NAMESPACE}, "patch": patch}


def install_sync(kube: Kube, sync: Sync, variables: Mapping[str, str]) -> None:
    """Identity first, so that nothing is ever built without it; then the root, whose patches keep the source ours."""
    kube.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    core = f"/api/v1/namespaces/{NAMESPACE}"
    kube.apply(f"{core}/configmaps", identity_map(variables))
    if sync.access.secret:
        kube.apply(f"{core}/secrets", git_secret(sync.access.secret))
    _let_go_of_components(kube)
    kube.apply(_in(KUSTOMIZATIONS), root(sync))
    kube.apply(_in(GIT_REPOSITORIES), source(sync))


def give_git_secret(kube: Kube, access: GitAccess) -> None:
    """Before there is a source that uses it."""
    kube.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    kube.apply(f"/api/v1/namespaces/{NAMESPACE}/secrets", git_secret(access.secret))


def _let_go_of_components(kube: Kube) -> None:
    """A root that has applied Flux's components would prune them when its patch comes to drop them, and end itself."""
    live = kube.get(f"{_in(KUSTOMIZATIONS)}/{ROOT}")
    if live is None or COMPONENTS_DROPPED in parts(group(live, "spec").get("patches")):
        return
    entries = parts(group(group(live, "status"), "inventory").get("entries"))
    keep(kube, [text(entry.get("id")) for entry in entries])


def _in(collection: str, namespace: str = NAMESPACE) -> str:
    head, plural = collection.rsplit("/", 1)
    return f"{head}/namespaces/{namespace}/{plural}"


def synced_as(kube: Kube, sync: Sync, variables: Mapping[str, str]) -> bool:
    """The identity, the source and the root are there and say what they should."""
    identity = kube.get(f"/api/v1/namespaces/{NAMESPACE}/configmaps/{IDENTITY}")
    found = kube.get(f"{_in(GIT_REPOSITORIES)}/{ROOT}")
    top = kube.get(f"{_in(KUSTOMIZATIONS)}/{ROOT}")
    if identity is None or found is None or top is None:
        return False
    wanted, wanted_root = source(sync)["spec"], root(sync)["spec"]
    return (
        identity.get("data") == dict(variables)
        and _logs_in_as(kube, sync.access.secret)
        and all(group(found, "spec").get(key) == value for key, value in wanted.items())
        and all(group(top, "spec").get(key) == value for key, value in wanted_root.items())
    )


def _logs_in_as(kube: Kube, secret: Mapping[str, str]) -> bool:
    """A token that was renewed reaches the cluster with the next operation."""
    if not secret:
        return True
    live = kube.get(f"/api/v1/namespaces/{NAMESPACE}/secrets/{GIT_SECRET}")
    return group(live, "data") == {key: base64.b64encode(text.encode()).decode() for key, text in secret.items()}


def live_identity(kube: Kube) -> dict[str, str] | None:
    """What the cluster itself says it is; None when it was never told."""
    found = kube.get(f"/api/v1/namespaces/{NAMESPACE}/configmaps/{IDENTITY}")
    return None if found is None else {key: text(value) for key, value in group(found, "data").items()}


def ask_to_look(kube: Kube, now: dt.datetime) -> None:
    """Ask source-controller to fetch at once; Kustomizations and charts follow their source by watch."""
    kube.merge(f"{_in(GIT_REPOSITORIES)}/{ROOT}", {"metadata": {"annotations": {REQUESTED_AT: now.isoformat()}}})


def ask_all(kube: Kube, now: dt.datetime, *, also_ready: bool = False) -> None:
    """Ask every Kustomization and HelmRelease that is not ready to try again now, whatever its interval."""
    for collection in (KUSTOMIZATIONS, HELM_RELEASES):
        for obj in kube.list(collection):
            meta = obj["metadata"]
            if also_ready or (condition(obj, "Ready") or {}).get("status") != "True":
                path = f"{_in(collection, text(meta.get('namespace')))}/{meta['name']}"
                kube.merge(path, {"metadata": {"annotations": {REQUESTED_AT: now.isoformat()}}})


def state(kube: Kube) -> FluxState:
    """Every GitRepository, Kustomization, HelmChart and HelmRelease of the cluster, and sources of charts that fail."""
    objects = [
        _read(kind, obj)
        for kind, collection in (
            ("GitRepository", GIT_REPOSITORIES),
            ("Kustomization", KUSTOMIZATIONS),
            ("HelmChart", HELM_CHARTS),
            ("HelmRelease", HELM_RELEASES),
        )
        for obj in kube.list(collection)
    ]
    return FluxState((*objects, *_failing_sources(kube)))


def _failing_sources(kube: Kube) -> list[FluxObject]:
    """One that does well says nothing that its charts do not say; some kinds of it never say a word."""
    listed = zip(CHART_SOURCES, (HELM_REPOSITORIES, OCI_REPOSITORIES), strict=True)
    found = (_read(kind, obj) for kind, collection in listed for obj in kube.list(collection))
    return [each for each in found if each.ready is False and not _waits(each)]


def other_sources(kube: Kube) -> list[FluxObject]:
    """Those that say something: many need nothing done for them, and are never Ready."""
    found = (_read(kind, obj) for kind, collection in OTHER_SOURCES for obj in kube.list(collection))
    return [each for each in found if each.ready is not None or each.reason]


def _read(kind: str, obj: Object) -> FluxObject:
    meta, spec, status = obj["metadata"], group(obj, "spec"), group(obj, "status")
    namespace = text(meta.get("namespace"))
    ready = condition(obj, "Ready")
    # a chart's own revision is its version; that of the source it was packaged from is the commit
    seen = status.get("lastAppliedRevision") or status.get("observedSourceArtifactRevision")
    revision = text(seen or group(status, "artifact").get("revision"))
    return FluxObject(
        kind=kind,
        namespace=namespace,
        name=meta["name"],
        ready=_truth(ready),
        reason=text((ready or {}).get("reason")),
        message=text((ready or {}).get("message")),
        revision=revision,
        suspended=bool(spec.get("suspend")),
        follows_fleet=_follows_fleet(group(spec, "sourceRef"), namespace),
        depends=tuple(f"{d.get('namespace', namespace)}/{d.get('name')}" for d in parts(spec.get("dependsOn"))),
        address=text(spec.get("url")),
        attempted=text(status.get("lastAttemptedRevision")),
        source=_source(kind, obj, namespace),
        leaving=bool(meta.get("deletionTimestamp")),
        handled=text(status.get("lastHandledReconcileAt")),
    )


def _source(kind: str, obj: Object, namespace: str) -> str:
    """A HelmRelease's is the HelmChart that helm-controller makes for it, unless it names one."""
    spec = group(obj, "spec")
    named = group(spec, "sourceRef") or group(spec, "chartRef")
    if kind == "HelmRelease" and not named:
        return f"HelmChart/{text(group(obj, 'status').get('helmChart'))}"
    if not named:
        return ""
    return f"{text(named.get('kind'))}/{text(named.get('namespace')) or namespace}/{text(named.get('name'))}"


def _follows_fleet(source: Mapping[str, str], namespace: str) -> bool:
    return (source.get("kind"), source.get("namespace", namespace), source.get("name")) == (
        "GitRepository",
        NAMESPACE,
        ROOT,
    )


def _truth(ready: Mapping[str, Any] | None) -> bool | None:
    return {"True": True, "False": False}.get(str((ready or {}).get("status")))


def freeze(kube: Kube) -> None:
    """No new commit reaches the cluster any more; what is there goes on working."""
    kube.merge(f"{_in(GIT_REPOSITORIES)}/{ROOT}", {"spec": {"suspend": True}})


def frozen(kube: Kube) -> bool:
    found = kube.get(f"{_in(GIT_REPOSITORIES)}/{ROOT}")
    return found is None or bool(group(found, "spec").get("suspend"))


def makers(kube: Kube) -> list[FluxObject]:
    """The Kustomizations and HelmReleases that still exist, dying ones included."""
    return [o for o in state(kube).objects if o.kind in ("Kustomization", "HelmRelease")]


def delete_makers(kube: Kube) -> int:
    """Delete every HelmRelease and Kustomization; their controllers remove what they made. Counts the objects.

    A suspended one would be let go without removing anything, so it is woken first
    (https://fluxcd.io/flux/components/kustomize/kustomizations/#suspend).
    """
    found = makers(kube)
    for obj in _helm_first(found):
        path = f"{_in(HELM_RELEASES if obj.kind == 'HelmRelease' else KUSTOMIZATIONS, obj.namespace)}/{obj.name}"
        if obj.suspended:
            kube.merge(path, {"spec": {"suspend": False}})
        kube.delete(path)
    return len(found)


def _helm_first(objects: Iterable[FluxObject]) -> list[FluxObject]:
    return sorted(objects, key=lambda o: (o.kind != "HelmRelease", o.name == ROOT))


def first_cause(failed: Iterable[FluxObject]) -> FluxObject | None:
    """The failure that others wait for: one whose own dependencies have not failed."""
    everything = list(failed)
    names = {f"{o.namespace}/{o.name}" for o in everything}
    roots = [o for o in everything if not names.intersection(o.depends)]
    return next(iter(sorted(roots or everything, key=lambda o: (*_rank(o), o.name != ROOT))), None)


def _rank(obj: FluxObject) -> tuple[bool, bool]:
    """A source comes before what is taken from it."""
    return obj.kind != "GitRepository", obj.kind not in CHART_SOURCES
