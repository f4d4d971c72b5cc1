"""What a cluster does not serve any more, API versions that Kubernetes dropped and images that their makers took away;
and two of what there is one of: default classes, and the name of a commit's status.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from karrots.lint.finding import Finding
from karrots.lint.substitution import strings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from karrots.lint.build import Object
    from karrots.lint.finding import Severity


@dataclass(frozen=True)
class Dropped:
    """`kinds` of `version` are served by no Kubernetes from `since` on; `now` takes their place."""

    version: str
    kinds: tuple[str, ...]
    since: tuple[int, int]
    now: str


# https://kubernetes.io/docs/reference/using-api/deprecation-guide/
DROPPED = (
    Dropped("extensions/v1beta1", ("Deployment", "DaemonSet", "ReplicaSet"), (1, 16), "apps/v1"),
    Dropped("extensions/v1beta1", ("NetworkPolicy", "Ingress"), (1, 22), "networking.k8s.io/v1"),
    Dropped("apps/v1beta1", ("Deployment", "StatefulSet"), (1, 16), "apps/v1"),
    Dropped("apps/v1beta2", ("Deployment", "DaemonSet", "ReplicaSet", "StatefulSet"), (1, 16), "apps/v1"),
    Dropped("networking.k8s.io/v1beta1", ("Ingress", "IngressClass"), (1, 22), "networking.k8s.io/v1"),
    Dropped(
        "rbac.authorization.k8s.io/v1beta1",
        ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"),
        (1, 22),
        "rbac.authorization.k8s.io/v1",
    ),
    Dropped("apiextensions.k8s.io/v1beta1", ("CustomResourceDefinition",), (1, 22), "apiextensions.k8s.io/v1"),
    Dropped("apiregistration.k8s.io/v1beta1", ("APIService",), (1, 22), "apiregistration.k8s.io/v1"),
    Dropped(
        "admissionregistration.k8s.io/v1beta1",
        ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"),
        (1, 22),
        "admissionregistration.k8s.io/v1",
    ),
    Dropped(
        "storage.k8s.io/v1beta1",
        ("CSIDriver", "CSINode", "StorageClass", "VolumeAttachment"),
        (1, 22),
        "storage.k8s.io/v1",
    ),
    Dropped("storage.k8s.io/v1beta1", ("CSIStorageCapacity",), (1, 27), "storage.k8s.io/v1"),
    Dropped("scheduling.k8s.io/v1beta1", ("PriorityClass",), (1, 22), "scheduling.k8s.io/v1"),
    Dropped("coordination.k8s.io/v1beta1", ("Lease",), (1, 22), "coordination.k8s.io/v1"),
    Dropped("batch/v1beta1", ("CronJob",), (1, 25), "batch/v1"),
    Dropped("discovery.k8s.io/v1beta1", ("EndpointSlice",), (1, 25), "discovery.k8s.io/v1"),
    Dropped("events.k8s.io/v1beta1", ("Event",), (1, 25), "events.k8s.io/v1"),
    Dropped("autoscaling/v2beta1", ("HorizontalPodAutoscaler",), (1, 25), "autoscaling/v2"),
    Dropped("autoscaling/v2beta2", ("HorizontalPodAutoscaler",), (1, 26), "autoscaling/v2"),
    Dropped("policy/v1beta1", ("PodDisruptionBudget",), (1, 25), "policy/v1"),
    Dropped("policy/v1beta1", ("PodSecurityPolicy",), (1, 25), ""),
    Dropped("node.k8s.io/v1beta1", ("RuntimeClass",), (1, 25), "node.k8s.io/v1"),
    *(
        Dropped(
            f"flowcontrol.apiserver.k8s.io/{version}",
            ("FlowSchema", "PriorityLevelConfiguration"),
            since,
            "flowcontrol.apiserver.k8s.io/v1",
        )
        for version, since in (("v1beta1", (1, 26)), ("v1beta2", (1, 29)), ("v1beta3", (1, 32)))
    ),
)
BY_KIND = {(each.version, kind): each for each in DROPPED for kind in each.kinds}

# Of each of these a cluster takes one for those that name none; where two say it, which is taken is chance.
DEFAULTS = {
    "IngressClass": "ingressclass.kubernetes.io/is-default-class",
    "StorageClass": "storageclass.kubernetes.io/is-default-class",
}

# Hosts that keep one status for each name of a commit (https://fluxcd.io/flux/components/notification/providers/).
STATUS_HOSTS = {"github", "gitlab", "gitea", "bitbucket", "bitbucketserver", "azuredevops"}
NOTIFICATION_GROUP = "notification.toolkit.fluxcd.io"

# On 2025-08-28 Bitnami took its images of named versions out of Docker Hub (https://github.com/bitnami/containers/issues/83267).
IMAGE = re.compile(r"(?:docker\.io/|registry-1\.docker\.io/)?bitnami/[a-z0-9._-]+(?P<tag>[:@][^\s\"',]+)?")
FROZEN = re.compile(r"(?:docker\.io/|registry-1\.docker\.io/)?bitnamilegacy/")
CHARTS = re.compile(r"https://charts\.bitnami\.com/bitnami|oci://registry-1\.docker\.io/bitnamicharts")
IMAGE_KEYS = {"image", "repository", "newName"}
IMAGE_HINT = "take the image from its own project, or from a registry that you keep"
# Bitnami's own, which it goes on publishing.
KEPT = ("sealed-secrets",)


def served(objects: Iterable[Object], files: Mapping[str, bytes], kubernetes: str) -> list[Finding]:
    """`kubernetes` is the minor version of the cluster, '' when nobody said it."""
    everything = list(objects)
    minor = _minor(kubernetes)
    suspects = {path for path, data in files.items() if b"bitnami" in data}
    named = [finding for each in everything if each.path in suspects for finding in (*_images(each), *_charts(each))]
    alone = [it for each in everything for it in (*_dropped(each, minor), *_statuses(each))]
    return [*named, *alone, *_defaults(everything)]


def _minor(text: str) -> tuple[int, int] | None:
    match = re.match(r"(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else None


def _dropped(each: Object, minor: tuple[int, int] | None) -> Iterator[Finding]:
    version = str(each.value.get("apiVersion", ""))
    gone = BY_KIND.get((version, each.kind))
    if gone is None or (minor is not None and minor < gone.since):
        return
    message = f"is of {version}, which Kubernetes serves no more since {gone.since[0]}.{gone.since[1]}"
    hint = f"write it as {gone.now}" if gone.now else "delete it; nothing took its place"
    yield Finding(each.path, each.line("apiVersion"), "removed-api", "error", each.label, message, hint)


def _images(each: Object) -> Iterator[Finding]:
    for path, raw in strings(each.value):
        if not path or path[-1] not in IMAGE_KEYS or raw == path[-1]:
            continue
        match = IMAGE.fullmatch(raw)
        if match and not raw.endswith((":latest", *(f"/{name}" for name in KEPT))):
            yield _image(each, path, "error", f"names the image '{raw}', which Bitnami took out of Docker Hub")
        elif FROZEN.match(raw):
            yield _image(each, path, "warning", f"names the image '{raw}', which gets no repairs any more")


def _image(each: Object, path: tuple[str | int, ...], severity: Severity, message: str) -> Finding:
    return Finding(each.path, each.line(*path), "gone-image", severity, each.label, message, IMAGE_HINT)


def _charts(each: Object) -> Iterator[Finding]:
    url = str(each.spec("url"))
    if each.kind not in ("HelmRepository", "OCIRepository") or not CHARTS.match(url) or url.endswith(KEPT):
        return
    message = f"takes charts from '{url}', whose images Bitnami took out of Docker Hub"
    hint = "take the project's own chart"
    yield Finding(each.path, each.line("spec", "url"), "gone-image", "warning", each.label, message, hint)


def _defaults(objects: Iterable[Object]) -> Iterator[Finding]:
    first: dict[str, Object] = {}
    for each in objects:
        annotations = (each.value.get("metadata") or {}).get("annotations")
        said = annotations.get(DEFAULTS.get(each.kind, "")) if isinstance(annotations, dict) else None
        if str(said).lower() != "true":
            continue
        other = first.setdefault(each.kind, each)
        if other.name != each.name:
            message = f"is a default {each.kind}, and so is '{other.name}' ({other.path}): which is taken is chance"
            hint = f"let one of them say {DEFAULTS[each.kind]}"
            yield Finding(each.path, each.line("metadata"), "two-defaults", "error", each.label, message, hint)


def _statuses(each: Object) -> Iterator[Finding]:
    if each.kind != "Provider" or each.group != NOTIFICATION_GROUP or each.spec("type") not in STATUS_HOSTS:
        return
    if "${cluster_" in str(each.spec("commitStatusExpr") or ""):
        return
    message = "names its commit statuses alike in every cluster, so that one writes over another's"
    hint = "give it a commitStatusExpr with ${cluster_name} in it"
    yield Finding(each.path, each.line("spec"), "shared-status", "warning", each.label, message, hint)
