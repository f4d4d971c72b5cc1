"""The kinds that act on the outside world by themselves, and what is done about each: one table.

Where the field of a kind that stops it is known, MutatingAdmissionPolicy sets it; what a kind makes inside the cluster
to act with is denied by ValidatingAdmissionPolicy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Hold = Literal["denied", "suspended", "not started", "egress", "nothing"]

# Who sends mail or takes from a queue is not to be seen from outside; its label says it.
LABEL = "karrots.dev/outside"


@dataclass(frozen=True)
class Kind:
    """`version` is the one in which living objects are asked for; an admission policy takes any."""

    name: str
    group: str
    version: str
    plural: str

    @property
    def collection(self) -> str:
        return f"/apis/{self.group}/{self.version}/{self.plural}"


@dataclass(frozen=True)
class Maker:
    """Makes objects of `made` in `made_group`, which are what is denied; `made_by` gives the makers' names in CEL."""

    kind: Kind
    made_group: str
    made: str
    made_by: str
    reason: str


@dataclass(frozen=True)
class Switch:
    """An object that `field` of its spec stops with `value` (JSON); `when` is CEL for one that is not stopped.

    `before` (CEL, a text) is what the field is given back when it is opened.
    """

    kind: Kind
    field: str
    value: str
    when: str
    before: str
    reason: str


def _suspended(kind: Kind, reason: str, field: str = "suspend") -> Switch:
    return Switch(kind, field, "true", f"!has(object.spec.{field}) || !object.spec.{field}", "'false'", reason)


def _scaled(kind: Kind) -> Switch:
    return Switch(kind, "replicas", "0", "object.spec.replicas != 0", "string(object.spec.replicas)", "")


CRON_JOB = Kind("CronJob", "batch", "v1", "cronjobs")
SCHEDULE = Kind("Schedule", "velero.io", "v1", "schedules")
MAKERS = (
    Maker(
        CRON_JOB, "batch", "jobs",
        "has(object.metadata.ownerReferences)"
        " ? object.metadata.ownerReferences.filter(o, o.kind == 'CronJob').map(o, o.name) : []",
        "its Jobs would run in the copy too",
    ),
    Maker(
        SCHEDULE, "velero.io", "backups",
        "has(object.metadata.labels) && 'velero.io/schedule-name' in object.metadata.labels"
        " ? [object.metadata.labels['velero.io/schedule-name']] : []",
        "its Backups would stand beside the parent's, and those that are too old would be deleted there",
    ),
)  # fmt: skip

NOTIFY = "notification.toolkit.fluxcd.io"
SWITCHES = (
    _suspended(
        Kind("ImageUpdateAutomation", "image.toolkit.fluxcd.io", "v1", "imageupdateautomations"), "it commits to git"
    ),
    _suspended(Kind("Alert", NOTIFY, "v1beta3", "alerts"), "it would page people as the parent does"),
    _suspended(Kind("Provider", NOTIFY, "v1beta3", "providers"), "messages and commit statuses go out through it"),
    _suspended(Kind("Receiver", NOTIFY, "v1", "receivers"), "it takes webhooks that are meant for the parent"),
    _suspended(SCHEDULE, MAKERS[1].reason, "paused"),
    Switch(
        Kind("BackupStorageLocation", "velero.io", "v1", "backupstoragelocations"), "accessMode", '"ReadOnly"',
        "!has(object.spec.accessMode) || object.spec.accessMode != 'ReadOnly'", "'ReadWrite'",
        "the parent's backups are there, and would be added to and deleted",
    ),
    Switch(
        Kind("PushSecret", "external-secrets.io", "v1alpha1", "pushsecrets"), "secretStoreRefs",
        '[{"name": "karrots-fence", "kind": "SecretStore"}]',
        "!has(object.spec.secretStoreRefs)"
        " || object.spec.secretStoreRefs.exists(r, !has(r.name) || r.name != 'karrots-fence')", "'content'",
        "it writes into a secret store that the parent reads",
    ),
)  # fmt: skip

# These are stopped when what they run acts outside.
JOB = _suspended(Kind("Job", "batch", "v1", "jobs"), "")
STATEFUL_SET = _scaled(Kind("StatefulSet", "apps", "v1", "statefulsets"))
DEPLOYMENT = _scaled(Kind("Deployment", "apps", "v1", "deployments"))
# Has no number of pods to set: these are denied one by one.
DAEMON_SET = Kind("DaemonSet", "apps", "v1", "daemonsets")
BY_WHAT_RUNS = (JOB, STATEFUL_SET, DEPLOYMENT)

# What runs for long, by the kind that a pod says it belongs to in the end.
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
GIT_WRITERS = ("image-automation-controller", "argocd-image-updater", "renovate")
DNS_WRITER = "external-dns"

# Kinds whose hosts make somebody else's traffic come here: kind -> where in the spec they stand.
CLAIMS: dict[str, tuple[tuple[str, ...], ...]] = {
    "Ingress": (("rules", "host"), ("tls", "hosts")),
    "HTTPRoute": (("hostnames",),),
    "GRPCRoute": (("hostnames",),),
    "TLSRoute": (("hostnames",),),
    "Gateway": (("listeners", "hostname"),),
    "Certificate": (("dnsNames",), ("commonName",)),
    "DNSEndpoint": (("endpoints", "dnsName"),),
    "Mapping": (("hostname",), ("host",)),
    "Host": (("hostname",),),
}
DNS_ANNOTATION = "external-dns.alpha.kubernetes.io/hostname"

KINDS = frozenset(
    [each.kind.name for each in (*MAKERS, *SWITCHES)] + [*WORKLOADS, "Job", "ReplicaSet", "Pod"]
    + [*CLAIMS, "ConfigMap", "HelmRelease", "PersistentVolume", "Secret", "Service", "ServiceAccount", "StorageClass"]
)  # fmt: skip
