"""What a server writes into objects by itself: set aside before two of them are compared.

Fields that clients cannot set, or that say when and by whom something was made, and what controllers note down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from karrots.diff.secrecy import APPLIED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from karrots.diff.shapes import Kind

_CONVENTIONS = (
    "https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md"
)
_META = "https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/"
_LABELS = "https://kubernetes.io/docs/reference/labels-annotations-taints/"
_SERVICE = "https://kubernetes.io/docs/concepts/services-networking/service/"

# Field of metadata -> where it is said that the server makes it.
METADATA: Mapping[str, str] = {
    "uid": _META, "resourceVersion": _META, "generation": _META, "creationTimestamp": _META, "selfLink": _META,
    "deletionTimestamp": _META, "deletionGracePeriodSeconds": _META, "managedFields": _META, "generateName": _META,
}  # fmt: skip
ANNOTATIONS: Mapping[str, str] = {
    **dict.fromkeys(APPLIED, "https://kubernetes.io/docs/tasks/manage-kubernetes-objects/declarative-config/"),
    "deployment.kubernetes.io/revision": _LABELS,
    "deprecated.daemonset.template.generation": _LABELS,
    "control-plane.alpha.kubernetes.io/leader": _LABELS,
    "pv.kubernetes.io/bind-completed": _LABELS,
    "pv.kubernetes.io/bound-by-controller": _LABELS,
    "volume.beta.kubernetes.io/storage-provisioner": _LABELS,
    "volume.kubernetes.io/storage-provisioner": _LABELS,
    "volume.kubernetes.io/selected-node": _LABELS,
    "endpoints.kubernetes.io/last-change-trigger-time": _LABELS,
    "batch.kubernetes.io/cronjob-scheduled-timestamp": _LABELS,
    "reconcile.fluxcd.io/requestedAt": "https://fluxcd.io/flux/components/kustomize/kustomizations/",
    "reconcile.fluxcd.io/forceAt": "https://fluxcd.io/flux/components/helm/helmreleases/",
    "reconcile.fluxcd.io/resetAt": "https://fluxcd.io/flux/components/helm/helmreleases/",
}
LABELS: Mapping[str, str] = {
    "kubernetes.io/metadata.name": _LABELS,
    "controller-uid": _LABELS,
    "batch.kubernetes.io/controller-uid": _LABELS,
    "pod-template-hash": "https://kubernetes.io/docs/concepts/workloads/controllers/deployment/",
    "controller-revision-hash": "https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/",
}
# Kind -> fields of its spec that the server or a controller fills in.
SPEC: Mapping[str, Mapping[str, str]] = {
    "Service": dict.fromkeys(("clusterIP", "clusterIPs", "healthCheckNodePort"), _SERVICE),
    "PersistentVolumeClaim": {"volumeName": "https://kubernetes.io/docs/concepts/storage/persistent-volumes/"},
    "Pod": {"nodeName": "https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/"},
    "Node": {"providerID": "https://kubernetes.io/docs/concepts/architecture/nodes/"},
}
# The token every pod gets: a volume of this name, mounted here.
TOKEN_VOLUME = "kube-api-access-"  # noqa: S105  (a volume's name)
TOKEN_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105  (a folder)
_NOT_READY = {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}
# An address that says "give me none" is a choice, not the server's.
HEADLESS = "None"


def without(value: Mapping[str, Any], kind: Kind, *, live: bool) -> dict[str, Any]:
    """The object without what the server made; parts that are kept are shared with `value`.

    Of an object that no server has seen, the addresses and ports in it are choices.
    """
    kept = {key: part for key, part in value.items() if key != "status"}
    kept["metadata"] = _metadata(value.get("metadata"))
    if kind.is_built_in:
        _core(kept, kind, live=live)
    path = kind.pod_path
    if path:
        _rebuild(kept, path, _pod)
    if kind.name == "CronJob":
        _rebuild(kept, ("spec", "jobTemplate"), _template)
    if len(path) > 1:
        _rebuild(kept, path[:-1], _template)
    return kept


def _core(kept: dict[str, Any], kind: Kind, *, live: bool) -> None:
    if live and isinstance(kept.get("spec"), dict):
        made = SPEC.get(kind.name, {})
        kept["spec"] = {key: part for key, part in kept["spec"].items() if _is_chosen(key, part, made)}
    if live and kind.name == "ServiceAccount":
        kept.pop("secrets", None)  # https://kubernetes.io/docs/concepts/security/service-accounts/
    if kind.name == "Service" and isinstance(kept.get("spec"), dict) and isinstance(kept["spec"].get("ports"), list):
        kept["spec"] = {**kept["spec"], "ports": [_port(port, live=live) for port in kept["spec"]["ports"]]}


def _is_chosen(key: str, part: Any, made: Mapping[str, str]) -> bool:
    return key not in made or part in (HEADLESS, [HEADLESS])


def _metadata(metadata: Any) -> dict[str, Any]:
    if not isinstance(metadata, dict):
        return {}
    kept = {key: part for key, part in metadata.items() if key not in METADATA}
    for group, made in (("annotations", ANNOTATIONS), ("labels", LABELS)):
        named = kept.get(group)
        if isinstance(named, dict):
            kept[group] = {key: text for key, text in named.items() if key not in made}
    if isinstance(kept.get("ownerReferences"), list):
        kept["ownerReferences"] = [_owner(owner) for owner in kept["ownerReferences"]]
    return kept


def _owner(owner: Any) -> Any:
    return {key: part for key, part in owner.items() if key != "uid"} if isinstance(owner, dict) else owner


def _port(port: Any, *, live: bool) -> Any:
    """A nodePort is given by the server when nobody asks for one; a targetPort is the port then."""
    if not isinstance(port, dict):
        return port
    kept = {key: part for key, part in port.items() if not (live and key == "nodePort")}
    if kept.get("targetPort") == kept.get("port"):
        kept.pop("targetPort", None)
    return kept


def _rebuild(value: dict[str, Any], path: tuple[str, ...], change: Any) -> None:
    """Replaces the part at `path`, with copies of the maps on the way."""
    holder = value
    for step in path[:-1]:
        part = holder.get(step)
        if not isinstance(part, dict):
            return
        holder[step] = holder = dict(part)
    if isinstance(holder.get(path[-1]), dict):
        holder[path[-1]] = change(holder[path[-1]])


def _template(template: Mapping[str, Any]) -> dict[str, Any]:
    return {**template, "metadata": _metadata(template["metadata"])} if "metadata" in template else dict(template)


def _pod(pod: Mapping[str, Any]) -> dict[str, Any]:
    kept = dict(pod)
    kept.pop("serviceAccount", None)  # the old name of serviceAccountName
    for key, default in (("serviceAccountName", "default"), ("schedulerName", "default-scheduler")):
        if kept.get(key) == default:
            kept.pop(key)
    if isinstance(kept.get("volumes"), list):
        kept["volumes"] = [each for each in kept["volumes"] if not _is_token(each)]
    if isinstance(kept.get("tolerations"), list):
        kept["tolerations"] = [each for each in kept["tolerations"] if not _is_default_toleration(each)]
    for key in ("containers", "initContainers", "ephemeralContainers"):
        if isinstance(kept.get(key), list):
            kept[key] = [_container(each) for each in kept[key]]
    return kept


def _is_token(volume: Any) -> bool:
    return isinstance(volume, dict) and "projected" in volume and str(volume.get("name", "")).startswith(TOKEN_VOLUME)


def _is_default_toleration(toleration: Any) -> bool:
    """https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/ : five minutes for each pod."""
    return (
        isinstance(toleration, dict)
        and toleration.get("key") in _NOT_READY
        and (toleration.get("operator"), toleration.get("effect")) == ("Exists", "NoExecute")
        and toleration.get("tolerationSeconds") == 300
    )


def _container(container: Any) -> Any:
    if not isinstance(container, dict):
        return container
    kept = dict(container)
    if isinstance(kept.get("volumeMounts"), list):
        kept["volumeMounts"] = [each for each in kept["volumeMounts"] if not _mounts_token(each)]
    if kept.get("imagePullPolicy") == _pull_policy(str(kept.get("image", ""))):
        kept.pop("imagePullPolicy")
    return kept


def _mounts_token(mount: Any) -> bool:
    return (
        isinstance(mount, dict)
        and mount.get("mountPath") == TOKEN_FOLDER
        and str(mount.get("name", "")).startswith(TOKEN_VOLUME)
    )


def _pull_policy(image: str) -> str:
    """https://kubernetes.io/docs/concepts/containers/images/#imagepullpolicy-defaulting"""
    last = image.rpartition("/")[2]
    if "@" in last:
        return "IfNotPresent"
    return "IfNotPresent" if ":" in last and not last.endswith(":latest") else "Always"
