"""What going from one value to another would do, as far as the API says so beforehand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from karrots.diff.shapes import ABSENT, POD, Field, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from karrots.diff.model import Risk


class Found(NamedTuple):
    risk: Risk
    reason: str


NONE = Found("", "")

# Fields that an API server refuses to change, so that a new object has to take the old one's place. Each is validated
# as such in pkg/apis/*/validation of github.com/kubernetes/kubernetes; (…, POD) stands for all of the pod.
_FIXED: Mapping[str, tuple[Field, ...]] = {
    "Deployment": (("spec", "selector"),),
    "DaemonSet": (("spec", "selector"),),
    "ReplicaSet": (("spec", "selector"),),
    "StatefulSet": (
        ("spec", "selector"), ("spec", "serviceName"), ("spec", "volumeClaimTemplates"),
        ("spec", "podManagementPolicy"),
    ),
    "Job": ((POD,), ("spec", "template"), ("spec", "selector"), ("spec", "completionMode")),
    "Service": (("spec", "clusterIP"),),
    "PersistentVolumeClaim": (
        ("spec", "storageClassName"), ("spec", "accessModes"), ("spec", "volumeName"), ("spec", "volumeMode"),
        ("spec", "selector"), ("spec", "dataSource"),
    ),
    "StorageClass": (("provisioner",), ("parameters",), ("reclaimPolicy",), ("volumeBindingMode",)),
    "RoleBinding": (("roleRef",),),
    "ClusterRoleBinding": (("roleRef",),),
    "Secret": (("type",), ("immutable",)),
    "ConfigMap": (("immutable",),),
    "CustomResourceDefinition": (("spec", "scope"), ("spec", "group"), ("spec", "names")),
    "IngressClass": (("spec", "controller"),),
    "PriorityClass": (("value",),),
    "RuntimeClass": (("handler",),),
    "CSIDriver": (("spec", "attachRequired"), ("spec", "fsGroupPolicy")),
    "HelmRelease": (("spec", "releaseName"), ("spec", "targetNamespace"), ("spec", "storageNamespace")),
    "Kustomization": (("spec", "targetNamespace"),),
}  # fmt: skip
_GOES_WITH = {
    "Namespace": "everything in the namespace goes with it",
    "CustomResourceDefinition": "all objects of its kind go with it",
    "PersistentVolumeClaim": "its data may go with it",
    "PersistentVolume": "its data may go with it",
    "StatefulSet": "its pods go, and by its retention policy their volumes",
    "Kustomization": "Flux deletes what it applied when it prunes",
    "HelmRelease": "the release is uninstalled",
    "HelmChart": "the release is uninstalled",
}
# What keeps others out; without it they are let in.
_GUARDS = frozenset({
    "NetworkPolicy", "CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy", "GlobalNetworkPolicy",
    "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration",
    "AuthorizationPolicy", "PeerAuthentication", "ClusterPolicy", "Policy", "ResourceQuota", "LimitRange",
})  # fmt: skip
_GRANTS = frozenset({"Role", "ClusterRole"})
_BINDINGS = frozenset({"RoleBinding", "ClusterRoleBinding"})
_WAYS_IN = frozenset(
    {"Ingress", "HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "Gateway", "VirtualService", "Mapping", "Host"}
)
_HOSTS = frozenset({"host", "hosts", "hostname", "hostnames"})
_OUTSIDE = frozenset({"LoadBalancer", "NodePort"})
_DNS = ("external-dns.alpha.kubernetes.io/hostname", "external-dns.kubernetes.io/hostname")
_INTERNAL = (
    "service.beta.kubernetes.io/aws-load-balancer-internal", "service.beta.kubernetes.io/aws-load-balancer-scheme",
    "service.beta.kubernetes.io/azure-load-balancer-internal", "networking.gke.io/load-balancer-type",
    "cloud.google.com/load-balancer-type", "alb.ingress.kubernetes.io/scheme",
)  # fmt: skip
_CLOUD_ROLES = ("eks.amazonaws.com/role-arn", "iam.gke.io/gcp-service-account", "azure.workload.identity/client-id")
_LEVEL = "pod-security.kubernetes.io/enforce"
_LEVELS = ("restricted", "baseline", "privileged")

# Below a pod: the last field, the value that opens, and what it gives. https://kubernetes.io/docs/concepts/security/pod-security-standards/
_POD_OPENS: Mapping[str, tuple[Any, str]] = {
    "privileged": (True, "the container is privileged"),
    "allowPrivilegeEscalation": (True, "the container may gain rights"),
    "hostNetwork": (True, "the pod is in the node's network"),
    "hostPID": (True, "the pod sees the node's processes"),
    "hostIPC": (True, "the pod shares the node's memory segments"),
    "runAsUser": (0, "the container runs as root"),
    "runAsGroup": (0, "the container runs as root's group"),
}
# Here it is losing the value that opens.
_POD_GUARDS: Mapping[str, tuple[Any, str]] = {
    "runAsNonRoot": (True, "the container may run as root"),
    "readOnlyRootFilesystem": (True, "the container may write to its own file system"),
    "allowPrivilegeEscalation": (False, "the container may gain rights"),
    "automountServiceAccountToken": (False, "the pod gets a token for the API server"),
}


def of_object(kind: Kind, b: Any) -> Found:
    """Of a whole object that comes, or goes when `b` is ABSENT."""
    if b is ABSENT:
        if kind.name in _GUARDS:
            return Found("opens", f"without this {kind.name} what it held back is let through")
        return Found("deletes", _GOES_WITH.get(kind.name, "the object is deleted when Flux prunes"))
    if kind.name in _BINDINGS:
        return Found("opens", "its subjects get the rights of the role")
    if kind.name in _GRANTS:
        return Found("opens", "whoever is bound to it gets its rights")
    if kind.name in _WAYS_IN:
        return Found("exposes", "traffic from outside is let to something")
    return _worst(of_setting(kind, path, ABSENT, value, whole=True) for path, value in _leaves(b, ()))


def of_setting(kind: Kind, path: Sequence[str], a: Any, b: Any, *, whole: bool = False) -> Found:
    """`path` as in a Difference; `whole` for a setting of an object that comes as a whole."""
    field = kind.field(path)
    if not whole and _is_fixed(kind, field):
        return Found("replaces", f"{'.'.join(_shown(field, kind))} cannot be changed in place")
    found = [rule(kind, field, tuple(path), left, right) for left, right, field, path in _below(kind, path, a, b)
             for rule in _RULES]  # fmt: skip
    return _worst(found)


def _is_fixed(kind: Kind, field: Field) -> bool:
    return any(field[: len(fixed)] == fixed for fixed in _FIXED.get(kind.name, ())) and kind.name in _FIXED


def _shown(field: Field, kind: Kind) -> Field:
    return (*kind.pod_path, *field[1:]) if field[:1] == (POD,) else field


def _below(kind: Kind, path: Sequence[str], a: Any, b: Any) -> Iterator[tuple[Any, Any, Field, Sequence[str]]]:
    """The setting itself, and when it is more than one, each in it."""
    yield a, b, kind.field(path), path
    for side, value in enumerate((a, b)):
        if isinstance(value, dict | list):
            for deeper, leaf in _leaves(value, tuple(path)):
                pair = (leaf, ABSENT) if side == 0 else (ABSENT, leaf)
                yield *pair, kind.field(deeper), deeper


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    for step, part in parts:
        here = (*path, f"[{step}]" if isinstance(step, int) else str(step))
        if isinstance(part, dict | list) and part:
            yield from _leaves(part, here)
        else:
            yield here, part


def _deletes(kind: Kind, field: Field, path: tuple[str, ...], a: Any, b: Any) -> Found:  # noqa: ARG001
    last = field[-1] if field else ""
    if last in {"reclaimPolicy", "persistentVolumeReclaimPolicy", "deletionPolicy", "whenDeleted", "whenScaled"}:
        return Found("deletes", "data goes with its object from now on") if b == "Delete" else NONE
    if kind.name == "Kustomization" and field == ("spec", "prune") and b is True:
        return Found("deletes", "Flux deletes what is no longer in git")
    if kind.name == "CustomResourceDefinition" and field[:2] == ("spec", "versions") and b is ABSENT:
        return Found("deletes", "objects of this version are no longer served")
    return NONE


def _pod_opens(kind: Kind, field: Field, path: tuple[str, ...], a: Any, b: Any) -> Found:  # noqa: ARG001
    if field[:1] != (POD,) or len(field) < 2:
        return NONE
    last = field[-1]
    value, reason = _POD_OPENS.get(last, (ABSENT, ""))
    if reason and b == value and b is not False and a != value:
        return Found("opens", reason)
    guard, reason = _POD_GUARDS.get(last, (ABSENT, ""))
    if reason and a == guard and b != guard:
        return Found("opens", reason)
    if field[1:2] == ("volumes",) and "hostPath" in field and b is not ABSENT:
        return Found("opens", "the pod sees a folder of the node")
    return _rights(field, a, b)


def _rights(field: Field, a: Any, b: Any) -> Found:
    if field[-2:] == ("capabilities", "add") and b is not ABSENT:
        return Found("opens", "the container gets a capability more")
    if field[-2:] == ("capabilities", "drop") and a is not ABSENT and b != a:
        return Found("opens", "the container keeps a capability")
    if field[-2:] == ("seccompProfile", "type") and b == "Unconfined":
        return Found("opens", "no system call is held back")
    return NONE


def _access_opens(kind: Kind, field: Field, path: tuple[str, ...], a: Any, b: Any) -> Found:  # noqa: ARG001
    if kind.name in _GRANTS and field[:1] in {("rules",), ("aggregationRule",)} and b is not ABSENT:
        return Found("opens", "the role gives more, or other, rights")
    if kind.name in _BINDINGS and field[:1] == ("subjects",) and b is not ABSENT:
        return Found("opens", "somebody more is bound to the role")
    if kind.name == "ServiceAccount" and field[-1:] and field[-1] in _CLOUD_ROLES and b is not ABSENT:
        return Found("opens", "its pods get other rights in the cloud")
    if kind.name == "Namespace" and field[-1:] == (_LEVEL,) and _is_weaker(a, b):
        return Found("opens", "pods may do more in the namespace")
    if field[-1:] == ("failurePolicy",) and b == "Ignore":
        return Found("opens", "what cannot be checked is let through")
    return NONE


def _is_weaker(a: Any, b: Any) -> bool:
    ranks = [_LEVELS.index(value) if value in _LEVELS else len(_LEVELS) for value in (a, b)]
    return ranks[1] > ranks[0]


def _network_opens(kind: Kind, field: Field, path: tuple[str, ...], a: Any, b: Any) -> Found:  # noqa: ARG001
    """More rules let more through, and so do fewer kinds of policy and other pods."""
    if kind.name != "NetworkPolicy" or field[:1] != ("spec",):
        return NONE
    if field[1:2] == ("policyTypes",) or field[-1:] == ("except",):
        return Found("opens", "less is held back") if a is not ABSENT else NONE
    if field[1:2] in {("ingress",), ("egress",)}:
        return Found("opens", "more, or other, traffic is let through") if b is not ABSENT else NONE
    return (
        Found("opens", "other pods are chosen, and some no longer held back")
        if field[1:2] == ("podSelector",)
        else NONE
    )


def _exposes(kind: Kind, field: Field, path: tuple[str, ...], a: Any, b: Any) -> Found:  # noqa: ARG001
    if kind.name == "Service" and not kind.group:
        return _service_exposes(field, a, b)
    if kind.name in _WAYS_IN:
        return _way_in_exposes(field, a, b)
    if field[:1] == (POD,) and field[-1:] == ("hostPort",) and b is not ABSENT:
        return Found("exposes", "the container listens on its node's address")
    return NONE


def _service_exposes(field: Field, a: Any, b: Any) -> Found:
    if field == ("spec", "type") and b in _OUTSIDE:
        return Found("exposes", f"a Service of type {b} can be reached from outside")
    if field[:2] == ("spec", "externalIPs") and b is not ABSENT:
        return Found("exposes", "the Service takes traffic for an outside address")
    if field[:2] == ("spec", "loadBalancerSourceRanges"):
        return Found("exposes", "other addresses may reach the Service")
    return _annotation_exposes(field, a, b)


def _annotation_exposes(field: Field, a: Any, b: Any) -> Found:
    if field[:2] != ("metadata", "annotations") or len(field) < 3:
        return NONE
    if field[2] in _DNS and b is not ABSENT:
        return Found("exposes", "it gets a name in DNS")
    if field[2] in _INTERNAL and a != b:
        return Found("exposes", "it says whether the load balancer is an inner one")
    return NONE


def _way_in_exposes(field: Field, a: Any, b: Any) -> Found:
    if _HOSTS.intersection(field) and b is not ABSENT and "tls" not in field:
        return Found("exposes", "traffic for another host is let in")
    if field[:2] == ("spec", "tls") and b is ABSENT:
        return Found("exposes", "traffic is no longer encrypted")
    if field[:2] == ("spec", "rules") and b is not ABSENT:
        return Found("exposes", "traffic from outside is let to something else")
    return _annotation_exposes(field, a, b)


_RULES = (_deletes, _pod_opens, _access_opens, _network_opens, _exposes)
_ORDER: tuple[Risk, ...] = ("deletes", "replaces", "opens", "exposes", "")


def _worst(found: Any) -> Found:
    return min(found, key=lambda each: _ORDER.index(each.risk), default=NONE)
