"""Whether a departure was to be expected, and why: by the records, by policy, by what controllers do on their own."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

from karrots.diff.model import Class, ObjectKey, Side

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from karrots.diff.model import Origin

# Field managers that are controllers; what they own no person wrote.
CONTROLLERS = frozenset({
    "kube-controller-manager", "kube-scheduler", "kubelet", "kube-apiserver", "cluster-autoscaler",
    "cert-manager-cainjector", "cainjector", "vpa-updater", "vpa-recommender", "karpenter", "snapshot-controller",
    "cloud-controller-manager", "csi-provisioner", "endpoint-controller", "horizontal-pod-autoscaler",
})  # fmt: skip
# Kinds that only controllers write, and single objects that differ in every cluster.
_MADE = {
    ("", "Event"): "events come and go", ("events.k8s.io", "Event"): "events come and go",
    ("coordination.k8s.io", "Lease"): "a lease is renewed all the time",
    ("", "Endpoints"): "made from a Service's pods",
    ("discovery.k8s.io", "EndpointSlice"): "made from a Service's pods",
    ("", "Node"): "a computer of the cluster", ("storage.k8s.io", "CSINode"): "describes a node",
    ("apps", "ControllerRevision"): "a controller's own history", ("metrics.k8s.io", "PodMetrics"): "a measurement",
    ("storage.k8s.io", "VolumeAttachment"): "says where a volume is attached",
    ("", "ComponentStatus"): "a state", ("metrics.k8s.io", "NodeMetrics"): "a measurement",
}  # fmt: skip
_CLUSTERS_OWN = {
    ("ConfigMap", "kube-root-ca.crt"): "the cluster's own certificate authority",
    ("ConfigMap", "extension-apiserver-authentication"): "the cluster's own certificate authority",
    ("ConfigMap", "karrots-identity"): "the cluster's identity",
}
_STATUS_LIKE = frozenset({"status", "caBundle", "observedGeneration", "lastTransitionTime", "lastProbeTime"})
_RESTARTED = "kubectl.kubernetes.io/restartedAt"
_SCALED_BY = "its number of pods is chosen by a HorizontalPodAutoscaler"
FENCE_NOTE = "karrots.dev/fence-before"
FENCE_MARK = "karrots.dev/fence"
_FENCE_SETS = frozenset({"suspend", "replicas", "accessMode", "secretStoreRefs"})


class Classed(NamedTuple):
    classed: Class
    reason: str
    override: str = ""


@dataclass(frozen=True)
class Allowance:
    """What a policy lets differ: patterns as of a shell, for the kind, namespace/name and path."""

    kind: str
    name: str
    path: str
    reason: str

    def allows(self, key: ObjectKey, path: str) -> bool:
        named = f"{key.namespace}/{key.name}" if key.namespace else key.name
        said = ((key.kind, self.kind), (named, self.name), (path, self.path))
        return all(fnmatchcase(text, pattern) for text, pattern in said)


class Context(NamedTuple):
    """`scaled` are the objects whose pods an autoscaler counts: (namespace, kind, name)."""

    a: Side
    b: Side
    allowed: tuple[Allowance, ...]
    scaled: frozenset[tuple[str, str, str]]


@dataclass(frozen=True)
class Seen:
    """One difference as it is classed; `values` are the whole objects, empty where there is none."""

    key: ObjectKey
    path: str
    field: tuple[str, ...]
    origins: tuple[Origin, Origin]
    values: tuple[Mapping[str, Any], Mapping[str, Any]]


def classed(seen: Seen, context: Context) -> Classed:
    found = _runtime(seen, context) or _override(seen, context) or _fence(seen, context)
    if found is not None:
        return found
    for each in context.allowed:
        if each.allows(seen.key, seen.path):
            return Classed("expected", each.reason)
    return Classed("unexpected", "nothing says that it should differ")


def _runtime(seen: Seen, context: Context) -> Classed | None:
    made = _by_key(seen.key) or _owned(seen.values) or _stored(seen.key.kind, seen.values)
    if made:
        return Classed("runtime", made)
    if seen.field[-1:] == ("replicas",) and (seen.key.namespace, seen.key.kind, seen.key.name) in context.scaled:
        return Classed("runtime", _SCALED_BY)
    if _STATUS_LIKE.intersection(seen.field) or seen.field[-1:] == (_RESTARTED,):
        return Classed("runtime", "it is noted down while the cluster runs")
    managers = [origin.manager for origin in seen.origins if origin.manager]
    if managers and all(manager in CONTROLLERS for manager in managers):
        return Classed("runtime", f"{managers[-1]} writes it")
    return None


def made_by_the_cluster(value: Mapping[str, Any]) -> str:
    """Why an object is none that content asks for; '' for one that may be."""
    metadata = value.get("metadata") or {}
    group, kind = str(value.get("apiVersion", "")).rpartition("/")[0], str(value.get("kind", ""))
    key = ObjectKey(group, kind, str(metadata.get("namespace") or ""), str(metadata.get("name", "")))
    return _by_key(key) or _owned((value,)) or _stored(kind, (value,))


def _by_key(key: ObjectKey) -> str:
    return _MADE.get((key.group, key.kind), "") or _CLUSTERS_OWN.get((key.kind, key.name), "")


def _owned(values: Sequence[Mapping[str, Any]]) -> str:
    """Of an object that a controller made of another one."""
    for value in values:
        metadata = value.get("metadata")
        owners = metadata.get("ownerReferences") if isinstance(metadata, dict) else None
        for owner in owners if isinstance(owners, list) else ():
            if isinstance(owner, dict) and owner.get("controller") is True:
                return f"made by the {owner.get('kind')} '{owner.get('name')}'"
    return ""


def _stored(kind: str, values: Sequence[Mapping[str, Any]]) -> str:
    if kind != "Secret":
        return ""
    kinds = {
        "helm.sh/release.v1": "Helm's own note of a release",
        "kubernetes.io/service-account-token": "a token of the cluster's own",
        "bootstrap.kubernetes.io/token": "a token of the cluster's own",
    }
    return next((kinds[value["type"]] for value in values if value.get("type") in kinds), "")


def _override(seen: Seen, context: Context) -> Classed | None:
    for origin in reversed(seen.origins):
        if origin.override:
            return Classed("expected", f"an override in the record: {origin.override}", origin.override)
    for side in (context.b, context.a):
        for key, value in side.overrides.items():
            other = context.a if side is context.b else context.b
            if other.overrides.get(key) != value and key in {seen.path, seen.key.name}:
                return Classed("expected", f"an override in the record of {side.label}: {key}={value}", key)
    return None


def _fence(seen: Seen, context: Context) -> Classed | None:
    if FENCE_NOTE in seen.path or any(_is_fence(value) for value in seen.values):
        return Classed("expected", "the fence of a copy stands there")
    if not _FENCE_SETS.intersection(seen.field):
        return None
    for side in (context.b, context.a):
        other = context.a if side is context.b else context.b
        for word in _words(seen.key):
            said = side.fence.get(word)
            if said is not None and other.fence.get(word) != said:
                return Classed("expected", f"the fence of {side.label} is {said} for {word}")
    if any(_is_held(value) for value in seen.values):
        return Classed("expected", "the fence of a copy holds it")
    return None


def _is_fence(value: Mapping[str, Any]) -> bool:
    return FENCE_MARK in _part(value, "labels")


def _is_held(value: Mapping[str, Any]) -> bool:
    return any(key.startswith(FENCE_NOTE) for key in _part(value, "annotations"))


def _part(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    metadata = value.get("metadata")
    part = metadata.get(name) if isinstance(metadata, dict) else None
    return part if isinstance(part, dict) else {}


def _words(key: ObjectKey) -> tuple[str, ...]:
    return (f"{key.kind}/{key.namespace}/{key.name}", f"{key.kind}/{key.name}", key.name, key.kind)
