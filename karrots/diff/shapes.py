"""What the API says about the fields of its kinds: how lists are merged, which texts are numbers, what is the default.

A field is named by its path without positions in lists. Everything of a pod stands below POD, whichever kind it is in,
and all kinds of containers below `containers`. Where no other source is given, it is the field's description in
https://kubernetes.io/docs/reference/kubernetes-api/ , which has `patch strategy`, `map type` and `defaults to`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from karrots.diff.quantities import duration, quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Field = tuple[str, ...]

POD = "POD"
_TEMPLATES: Mapping[tuple[str, str], Field] = {
    ("", "Pod"): ("spec",),
    ("", "PodTemplate"): ("template", "spec"),
    ("", "ReplicationController"): ("spec", "template", "spec"),
    ("apps", "Deployment"): ("spec", "template", "spec"),
    ("apps", "DaemonSet"): ("spec", "template", "spec"),
    ("apps", "ReplicaSet"): ("spec", "template", "spec"),
    ("apps", "StatefulSet"): ("spec", "template", "spec"),
    ("batch", "Job"): ("spec", "template", "spec"),
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template", "spec"),
}
WORKLOADS = frozenset(_TEMPLATES)
_CONTAINERS = frozenset({"initContainers", "ephemeralContainers"})

# Groups whose lists and empty values are understood here; of other kinds only what they look like is known.
_BUILT_IN = frozenset({"", "apps", "batch", "autoscaling", "policy", "extensions"})

FLUX = ".toolkit.fluxcd.io"

Key = tuple[str, ...]
NAME: Key = ("name",)
# Lists by their merge keys: `x-kubernetes-list-map-keys` or `x-kubernetes-patch-merge-key` of the OpenAPI document
# (api/openapi-spec/swagger.json in github.com/kubernetes/kubernetes).
_KEYED: Mapping[Field, Key] = {
    (POD, "containers"): NAME,
    (POD, "containers", "env"): NAME,
    (POD, "containers", "ports"): ("containerPort", "protocol"),
    (POD, "containers", "volumeMounts"): ("mountPath",),
    (POD, "containers", "volumeDevices"): ("devicePath",),
    (POD, "containers", "resizePolicy"): ("resourceName",),
    (POD, "containers", "resources", "claims"): NAME,
    (POD, "volumes"): NAME,
    (POD, "imagePullSecrets"): NAME,
    (POD, "hostAliases"): ("ip",),
    (POD, "topologySpreadConstraints"): ("topologyKey", "whenUnsatisfiable"),
    (POD, "readinessGates"): ("conditionType",),
    (POD, "resourceClaims"): NAME,
    (POD, "schedulingGates"): NAME,
    ("imagePullSecrets",): NAME,
    ("secrets",): NAME,
    ("metadata", "ownerReferences"): ("kind", "name"),  # the uid is made by the server
    ("status", "conditions"): ("type",),
    ("webhooks",): NAME,
    ("subjects",): ("kind", "namespace", "name"),
}
_KEYED_OF: Mapping[str, Mapping[Field, Key]] = {
    "Service": {("spec", "ports"): ("port", "protocol")},
    "StatefulSet": {("spec", "volumeClaimTemplates"): ("metadata.name",)},
    "Ingress": {
        ("spec", "rules"): ("host",),
        ("spec", "rules", "http", "paths"): ("path", "pathType"),
        ("spec", "tls"): ("secretName",),
    },
    "CustomResourceDefinition": {("spec", "versions"): NAME},
    "HorizontalPodAutoscaler": {
        ("spec", "metrics"): ("type", "resource.name", "containerResource.name", "pods.metric.name"),
    },
    "ValidatingAdmissionPolicy": {("spec", "variables"): NAME, ("spec", "matchConditions"): NAME},
    "MutatingAdmissionPolicy": {("spec", "variables"): NAME, ("spec", "matchConditions"): NAME},
    "Gateway": {("spec", "listeners"): NAME},
}
# What a missing part of a merge key means.
_KEY_DEFAULTS = {"protocol": "TCP", "pathType": "", "namespace": ""}

# Lists in which order has no meaning.
_SETS: frozenset[Field] = frozenset({
    (POD, "tolerations"),
    (POD, "containers", "securityContext", "capabilities", "add"),
    (POD, "containers", "securityContext", "capabilities", "drop"),
    (POD, "securityContext", "supplementalGroups"),
    (POD, "securityContext", "sysctls"),
    ("rules",),
    ("rules", "verbs"), ("rules", "apiGroups"), ("rules", "resources"), ("rules", "resourceNames"),
    ("rules", "nonResourceURLs"),
    ("aggregationRule", "clusterRoleSelectors"),
    ("webhooks", "rules"),
    ("spec", "accessModes"), ("spec", "finalizers"),
})  # fmt: skip
_SETS_OF: Mapping[str, frozenset[Field]] = {
    "NetworkPolicy": frozenset({
        ("spec", "policyTypes"),
        *(("spec", way, *rest) for way, end in (("ingress", "from"), ("egress", "to"))
          for rest in ((), (end,), ("ports",), (end, "ipBlock", "except"))),
    }),
    "Service": frozenset({
        ("spec", "externalIPs"), ("spec", "loadBalancerSourceRanges"),
    }),
    "Ingress": frozenset({("spec", "tls", "hosts")}),
    "ResourceQuota": frozenset({("spec", "scopes")}),
    "StatefulSet": frozenset({("spec", "volumeClaimTemplates", "spec", "accessModes")}),
    "CustomResourceDefinition": frozenset({
        ("spec", "names", "shortNames"), ("spec", "names", "categories"),
    }),
    "Certificate": frozenset({("spec", "dnsNames"), ("spec", "ipAddresses"), ("spec", "usages")}),
    "HTTPRoute": frozenset({("spec", "hostnames")}),
    "GRPCRoute": frozenset({("spec", "hostnames")}),
    "Kustomization": frozenset({("spec", "healthChecks"), ("spec", "dependsOn")}),
    "HelmRelease": frozenset({("spec", "dependsOn")}),
}  # fmt: skip
# Selectors are the same everywhere: all of their terms must hold, or any of them.
_SET_ENDS = frozenset({"matchExpressions", "matchFields", "nodeSelectorTerms"})

_INT_OR_STRING = frozenset({"maxSurge", "maxUnavailable", "minAvailable", "targetPort"})
_INT_OR_STRING_OF: frozenset[Field] = frozenset({
    *((POD, "containers", probe, way, "port")
      for probe in ("livenessProbe", "readinessProbe", "startupProbe") for way in ("httpGet", "tcpSocket")),
    *((POD, "containers", "lifecycle", hook, way, "port")
      for hook in ("postStart", "preStop") for way in ("httpGet", "tcpSocket")),
    ("spec", "ingress", "ports", "port"), ("spec", "egress", "ports", "port"),
})  # fmt: skip
_QUANTITIES_OF: Mapping[str, frozenset[Field]] = {
    "ResourceQuota": frozenset({("spec", "hard")}),
    "PersistentVolume": frozenset({("spec", "capacity")}),
    "LimitRange": frozenset(
        ("spec", "limits", bound) for bound in ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")
    ),
}
_QUANTITIES = frozenset({"sizeLimit", "divisor", "averageValue"})
# https://fluxcd.io/flux/components/ , https://cert-manager.io/docs/reference/api-docs/
_DURATIONS = frozenset({"interval", "timeout", "retryInterval", "duration", "renewBefore", "requeueDependency"})

ABSENT: Any = type("Absent", (), {"__repr__": lambda _: "absent"})()

# What the server fills in where nothing is said. Each stands in pkg/apis/*/v1/defaults.go of
# github.com/kubernetes/kubernetes; of Ingress and its like in the field's own description.
_CORE = "https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/v1/defaults.go"
_APPS = "https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/apps/v1/defaults.go"
_BATCH = "https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/batch/v1/defaults.go"
_RBAC = "https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/rbac/v1/defaults.go"
_STORAGE = "https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/storage/v1/defaults.go"
_ADMISSION = "https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/admissionregistration/v1/defaults.go"
_NETWORK = "https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/networking/v1/defaults.go"
_SCALING = "https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/autoscaling/v2/defaults.go"
_CRD = "https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1/defaults.go"
_ACCOUNT = "https://github.com/kubernetes/kubernetes/blob/master/plugin/pkg/admission/serviceaccount/admission.go"
_TOLERATION = (
    "https://github.com/kubernetes/kubernetes/blob/master/plugin/pkg/admission/defaulttolerationseconds/admission.go"
)
_FLUX_KUSTOMIZE = "https://fluxcd.io/flux/components/kustomize/kustomizations/"


@dataclass(frozen=True)
class Default:
    """Of one field of a kind ('' for every kind): the value that is the same as none, and where that is written."""

    kind: str
    field: Field
    value: Any
    source: str


def _defaults() -> tuple[Default, ...]:
    def of(source: str, kind: str, fields: Mapping[str, Any]) -> list[Default]:
        return [Default(kind, tuple(path.split(".")), value, source) for path, value in fields.items()]

    return (
        *of(_CORE, "", {
            "POD.restartPolicy": "Always",
            "POD.dnsPolicy": "ClusterFirst",
            "POD.terminationGracePeriodSeconds": 30,
            "POD.enableServiceLinks": True,
            "POD.securityContext": {},
            "POD.hostNetwork": False,
            "POD.hostPID": False,
            "POD.hostIPC": False,
            "POD.shareProcessNamespace": False,
            "POD.containers.terminationMessagePath": "/dev/termination-log",
            "POD.containers.terminationMessagePolicy": "File",
            "POD.containers.resources": {},
            "POD.containers.securityContext": {},
            "POD.containers.stdin": False,
            "POD.containers.tty": False,
            "POD.containers.ports.protocol": "TCP",
            "POD.containers.volumeMounts.readOnly": False,
            "POD.containers.securityContext.privileged": False,
            "POD.containers.securityContext.procMount": "Default",
            "POD.containers.env.value": "",
            "POD.containers.env.valueFrom.fieldRef.apiVersion": "v1",
            "POD.volumes.downwardAPI.items.fieldRef.apiVersion": "v1",
            "POD.volumes.projected.sources.downwardAPI.items.fieldRef.apiVersion": "v1",
            "POD.volumes.secret.defaultMode": 420,
            "POD.volumes.secret.optional": False,
            "POD.volumes.configMap.defaultMode": 420,
            "POD.volumes.configMap.optional": False,
            "POD.volumes.downwardAPI.defaultMode": 420,
            "POD.volumes.projected.defaultMode": 420,
            "POD.volumes.projected.sources.serviceAccountToken.expirationSeconds": 3600,
            "POD.volumes.hostPath.type": "",
            "POD.volumes.persistentVolumeClaim.readOnly": False,
            "POD.topologySpreadConstraints.nodeAffinityPolicy": "Honor",
            "POD.topologySpreadConstraints.nodeTaintsPolicy": "Ignore",
            "POD.tolerations.operator": "Equal",
            **{f"POD.containers.{probe}.{field}": value
               for probe in ("livenessProbe", "readinessProbe", "startupProbe")
               for field, value in {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1,
                                    "failureThreshold": 3, "initialDelaySeconds": 0,
                                    "httpGet.scheme": "HTTP", "httpGet.path": "/", "grpc.service": ""}.items()},
            **{f"POD.containers.lifecycle.{hook}.httpGet.{field}": value
               for hook in ("postStart", "preStop") for field, value in {"scheme": "HTTP", "path": "/"}.items()},
        }),
        *of(_CORE, "Service", {
            "spec.type": "ClusterIP",
            "spec.sessionAffinity": "None",
            "spec.ports.protocol": "TCP",
            "spec.internalTrafficPolicy": "Cluster",
            "spec.externalTrafficPolicy": "Cluster",
            "spec.allocateLoadBalancerNodePorts": True,
            "spec.publishNotReadyAddresses": False,
            "spec.ipFamilyPolicy": "SingleStack",
            "spec.ipFamilies": ["IPv4"],
        }),
        *of(_CORE, "Secret", {"type": "Opaque", "immutable": False}),
        *of(_CORE, "ConfigMap", {"immutable": False}),
        *of(_CORE, "Namespace", {"spec": {"finalizers": ["kubernetes"]}}),
        *of(_CORE, "PersistentVolumeClaim", {"spec.volumeMode": "Filesystem"}),
        *of(_CORE, "PersistentVolume", {
            "spec.volumeMode": "Filesystem", "spec.persistentVolumeReclaimPolicy": "Retain",
        }),
        *of(_APPS, "Deployment", {
            "spec.replicas": 1,
            "spec.revisionHistoryLimit": 10,
            "spec.progressDeadlineSeconds": 600,
            "spec.minReadySeconds": 0,
            "spec.paused": False,
            "spec.strategy.type": "RollingUpdate",
            "spec.strategy.rollingUpdate.maxSurge": "25%",
            "spec.strategy.rollingUpdate.maxUnavailable": "25%",
        }),
        *of(_APPS, "ReplicaSet", {"spec.replicas": 1, "spec.minReadySeconds": 0}),
        *of(_APPS, "StatefulSet", {
            "spec.replicas": 1,
            "spec.revisionHistoryLimit": 10,
            "spec.minReadySeconds": 0,
            "spec.podManagementPolicy": "OrderedReady",
            "spec.updateStrategy.type": "RollingUpdate",
            "spec.updateStrategy.rollingUpdate.partition": 0,
            "spec.persistentVolumeClaimRetentionPolicy.whenDeleted": "Retain",
            "spec.persistentVolumeClaimRetentionPolicy.whenScaled": "Retain",
            "spec.volumeClaimTemplates.apiVersion": "v1",
            "spec.volumeClaimTemplates.kind": "PersistentVolumeClaim",
            "spec.volumeClaimTemplates.spec.volumeMode": "Filesystem",
        }),
        *of(_APPS, "DaemonSet", {
            "spec.revisionHistoryLimit": 10,
            "spec.minReadySeconds": 0,
            "spec.updateStrategy.type": "RollingUpdate",
            "spec.updateStrategy.rollingUpdate.maxUnavailable": 1,
            "spec.updateStrategy.rollingUpdate.maxSurge": 0,
        }),
        *of(_BATCH, "Job", {
            "spec.parallelism": 1, "spec.completions": 1, "spec.backoffLimit": 6, "spec.suspend": False,
            "spec.completionMode": "NonIndexed", "spec.manualSelector": False,
            "spec.podReplacementPolicy": "TerminatingOrFailed",
        }),
        *of(_BATCH, "CronJob", {
            "spec.concurrencyPolicy": "Allow", "spec.suspend": False,
            "spec.successfulJobsHistoryLimit": 3, "spec.failedJobsHistoryLimit": 1,
        }),
        *of(_RBAC, "RoleBinding", {"roleRef.apiGroup": "rbac.authorization.k8s.io"}),
        *of(_RBAC, "ClusterRoleBinding", {"roleRef.apiGroup": "rbac.authorization.k8s.io"}),
        *of(_STORAGE, "StorageClass", {
            "reclaimPolicy": "Delete", "volumeBindingMode": "Immediate", "allowVolumeExpansion": False,
        }),
        *of(_NETWORK, "NetworkPolicy", {
            "spec.ingress.ports.protocol": "TCP", "spec.egress.ports.protocol": "TCP",
        }),
        *of(_SCALING, "HorizontalPodAutoscaler", {"spec.minReplicas": 1}),
        *(each for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration") for each in
          of(_ADMISSION, kind, {
              "webhooks.failurePolicy": "Fail", "webhooks.matchPolicy": "Equivalent", "webhooks.timeoutSeconds": 10,
              "webhooks.namespaceSelector": {}, "webhooks.objectSelector": {}, "webhooks.rules.scope": "*",
              "webhooks.clientConfig.service.port": 443,
              **({"webhooks.reinvocationPolicy": "Never"} if kind.startswith("Mutating") else {}),
          })),
        *of(_ADMISSION, "ValidatingAdmissionPolicy", {
            "spec.failurePolicy": "Fail", "spec.matchConstraints.matchPolicy": "Equivalent",
            "spec.matchConstraints.namespaceSelector": {}, "spec.matchConstraints.objectSelector": {},
        }),
        *of(_CRD, "CustomResourceDefinition", {
            "spec.conversion.strategy": "None", "spec.preserveUnknownFields": False,
        }),
        *of(_FLUX_KUSTOMIZE, "Kustomization", {"spec.force": False, "spec.suspend": False, "spec.wait": False}),
        *of(_FLUX_KUSTOMIZE, "HelmRelease", {"spec.suspend": False}),
        *of(_FLUX_KUSTOMIZE, "GitRepository", {"spec.suspend": False, "spec.timeout": "60s"}),
    )  # fmt: skip


DEFAULTS = _defaults()
_DEFAULT: Mapping[tuple[str, Field], Any] = {(each.kind, each.field): each.value for each in DEFAULTS}
# What stands for its admission: https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/
ADMITTED = {"serviceaccount": _ACCOUNT, "tolerations": _TOLERATION}

# Maps that are the same empty and absent, wherever they are; other empty ones may say something (emptyDir).
_MAPS = frozenset({
    "labels", "annotations", "data", "binaryData", "stringData", "matchLabels", "nodeSelector", "limits", "requests",
    "resources", "metadata", "strategy", "updateStrategy", "rollingUpdate", "status", "securityContext", "affinity",
    "persistentVolumeClaimRetentionPolicy", "substitute",
})  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """What is known of one kind, asked by paths in which whole numbers are positions."""

    group: str
    name: str

    @property
    def is_built_in(self) -> bool:
        return self.group in _BUILT_IN or self.group.endswith(".k8s.io")

    @property
    def pod_path(self) -> Field:
        """Where its pods are described; () for a kind that has none."""
        return _TEMPLATES.get((self.group, self.name), ())

    def field(self, path: Sequence[str | int]) -> Field:
        return self._below_pod(tuple(step for step in path if isinstance(step, str) and not step.startswith("[")))

    def _below_pod(self, named: Field) -> Field:
        pod = self.pod_path
        if not pod or named[: len(pod)] != pod:
            return named
        rest = named[len(pod) :]
        if rest and rest[0] in _CONTAINERS:
            rest = ("containers", *rest[1:])
        return (POD, *rest)

    def merge_key(self, field: Field, items: Sequence[Any]) -> Key | None:
        """The key of a list of objects; None for one that is a set or goes by positions."""
        known = self.known_key(field)
        if known is not None:
            return known
        if self.is_set(field) or not items or self._is_ordered(field):
            return None
        return next((key for key in (("name",), ("key",)) if _identifies(key, items)), None)

    def known_key(self, field: Field) -> Key | None:
        return _KEYED_OF.get(self.name, {}).get(field) or _KEYED.get(field)

    def _is_ordered(self, field: Field) -> bool:
        return self.group.endswith(FLUX) and field[-1:] in {("patches",), ("valuesFrom",), ("substituteFrom",)}

    def is_set(self, field: Field) -> bool:
        if field in _SETS_OF.get(self.name, ()) or (field[-1:] and field[-1] in _SET_ENDS):
            return True
        if field == ("metadata", "finalizers"):
            return True
        if field[-1:] == ("values",) and len(field) > 1 and field[-2] in {"matchExpressions", "matchFields"}:
            return True
        return self.is_built_in and field in _SETS

    def order_matters(self, path: Sequence[str | int], items: Sequence[Any]) -> bool:
        """Of a list with keys: containers that start one after the other, variables that use earlier ones."""
        last = path[-1] if path else ""
        if last == "initContainers":
            return True
        if last == "env" and self.is_built_in:
            return any("$(" in str(item.get("value", "")) for item in items if isinstance(item, dict))
        return not self.is_built_in and not self.group.endswith(FLUX) and self.field(path) not in _KEYED

    def default(self, field: Field) -> Any:
        found = _DEFAULT.get((self.name, field), ABSENT)
        return _DEFAULT.get(("", field), ABSENT) if found is ABSENT else found

    def is_nothing(self, value: Any, field: Field) -> bool:
        """Whether saying it is the same as not saying it."""
        if value is None:
            return not self.keeps_null(field)
        default = self.default(field)
        if default is not ABSENT and self.same(value, default, field):
            return True
        if value == [] and (self.is_built_in or field[:1] == ("metadata",)):
            return True
        if isinstance(value, dict) and (self.is_map(field) or default == {}):
            return all(self.is_nothing(part, (*field, key)) for key, part in value.items())
        return False

    def keeps_null(self, field: Field) -> bool:
        """Helm takes a value away by null."""
        return self.name == "HelmRelease" and field[:2] == ("spec", "values")

    def is_map(self, field: Field) -> bool:
        """Whether it is the same empty and absent, so that what it holds can be looked at one by one."""
        return bool(field) and field[-1] in _MAPS

    def same(self, a: Any, b: Any, field: Field) -> bool:
        """Of two scalars, or of values as they stand."""
        if type(a) is type(b) and a == b:
            return True
        if isinstance(a, dict | list) or isinstance(b, dict | list):
            return False
        if not isinstance(a, bool) and not isinstance(b, bool) and isinstance(a, int | float) and a == b:
            return True
        left = self.meaning(a, field)
        return left is not None and left == self.meaning(b, field)

    def meaning(self, value: Any, field: Field) -> Any:
        """What the API reads out of a text or number, None where it takes it as it stands."""
        read = self._reader(field)
        return None if read is None else read(value)

    def _reader(self, field: Field) -> Callable[[Any], Any] | None:
        last = field[-1] if field else ""
        if last in _INT_OR_STRING or field in _INT_OR_STRING_OF:
            return _number
        if self._is_quantity(field):
            return quantity
        if last in _DURATIONS and not self.is_built_in and field[:2] != ("spec", "values"):
            return duration
        return None

    def _is_quantity(self, field: Field) -> bool:
        if field[-3:-1] in {("resources", "limits"), ("resources", "requests")} or field[:-1] == (POD, "overhead"):
            return True
        if field[:-1] in _QUANTITIES_OF.get(self.name, ()):
            return True
        return self.is_built_in and bool(field) and field[-1] in _QUANTITIES


def _number(value: Any) -> str | None:
    """A port or a share: 80 and "80" are the same, as the server takes either."""
    return None if isinstance(value, bool) or not isinstance(value, int | str) else str(value)


def _identifies(key: Key, items: Sequence[Any]) -> bool:
    found = [item.get(key[0]) for item in items if isinstance(item, dict)]
    return len(found) == len(items) and all(isinstance(each, str) for each in found) and len(set(found)) == len(found)


def key_of(item: Any, key: Key) -> tuple[Any, ...] | None:
    """The item's own key, None for one that has none of it."""
    if not isinstance(item, dict):
        return None
    parts = tuple(_part(item, step) for step in key)
    if all(part is None for part in parts) and not set(key) <= {"host", "path", "pathType", "secretName"}:
        return None
    return tuple(_KEY_DEFAULTS.get(step) if part is None else part for step, part in zip(key, parts, strict=True))


def _part(item: Mapping[str, Any], step: str) -> Any:
    value: Any = item
    for name in step.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
