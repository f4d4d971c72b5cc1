"""Flux's components as content: one manifest, committed with the cluster directory and applied by karrots itself."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from karrots.errors import UsageError
from karrots.spec import yaml_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Object = dict[str, Any]

FOLDER = "flux/flux-system"
FILE = f"{FOLDER}/gotk-components.yaml"
NAMESPACE = "flux-system"
VERSION = re.compile(r"2\.[0-9]{1,3}\.[0-9]{1,3}")
# What `flux install --export` writes on top, and `karrots flux pin` too.
HEADER = re.compile(rb"^# Flux Version: v?(2\.[0-9]{1,3}\.[0-9]{1,3})[ \t\r]*$", re.MULTILINE)
VERSION_LABEL = "app.kubernetes.io/version"
# By these Flux's own tools find what belongs to it.
LABELS = {"app.kubernetes.io/part-of": "flux", "app.kubernetes.io/instance": NAMESPACE}

# Kind -> what follows /api… in the address of its collection; those with {} are in the namespace.
COLLECTIONS: Mapping[tuple[str, str], str] = {
    ("v1", "Namespace"): "/api/v1/namespaces",
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"): "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    ("rbac.authorization.k8s.io/v1", "ClusterRole"): "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"): "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    ("rbac.authorization.k8s.io/v1", "Role"): "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
    ("v1", "ServiceAccount"): "/api/v1/namespaces/{}/serviceaccounts",
    ("v1", "Service"): "/api/v1/namespaces/{}/services",
    ("v1", "ResourceQuota"): "/api/v1/namespaces/{}/resourcequotas",
    ("networking.k8s.io/v1", "NetworkPolicy"): "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
    ("apps/v1", "Deployment"): "/apis/apps/v1/namespaces/{}/deployments",
}
KINDS = frozenset(kind for _, kind in COLLECTIONS)
# Without these nothing is synced from git.
NEEDED = (
    ("Namespace", NAMESPACE),
    ("CustomResourceDefinition", "gitrepositories.source.toolkit.fluxcd.io"),
    ("CustomResourceDefinition", "kustomizations.kustomize.toolkit.fluxcd.io"),
    ("Deployment", "source-controller"),
    ("Deployment", "kustomize-controller"),
)
HINT = "karrots flux pin VERSION"


@dataclass(frozen=True)
class Components:
    """`digest` is of the file's bytes: two cluster directories with one digest get the same Flux."""

    version: str
    digest: str
    objects: tuple[Object, ...]

    @property
    def controllers(self) -> tuple[str, ...]:
        return tuple(sorted(_name(each) for each in self.objects if each["kind"] == "Deployment"))

    @property
    def images(self) -> tuple[str, ...]:
        return tuple(sorted({image for each in self.objects for image in _images(each)}))


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def stated_version(data: bytes) -> str:
    """What the file's head says, without reading the rest; '' when it says nothing."""
    return next(iter(_stated(data)), "")


def _stated(data: bytes) -> list[str]:
    return [each.decode() for each in HEADER.findall(data[:4096])]


def fits(version: str, asked: str) -> bool:
    """`asked` is the version of cluster.yaml: a release, or a minor version that any of its releases fits."""
    return version == asked or version.startswith(f"{asked}.")


def read(data: bytes, source: str) -> Components:
    """Raises UsageError for anything that is not Flux's components and nothing else."""
    objects = tuple(each for document in yaml_file.documents(data, source) for each in _unfolded(document, source))
    for each in objects:
        _check(each, source)
    there = {(each["kind"], _name(each)) for each in objects}
    for kind, name in NEEDED:
        if (kind, name) not in there:
            raise _wrong(source, f"it has no {kind} '{name}'")
    return Components(_version(data, objects, source), digest_of(data), objects)


def is_component(obj: Any) -> bool:
    """One of those that the root Kustomization drops, by the same marks."""
    metadata = obj.get("metadata") if isinstance(obj, dict) else None
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    return isinstance(labels, dict) and LABELS.items() <= labels.items() and obj.get("kind") in KINDS


def collection(obj: Mapping[str, Any]) -> str:
    """Where the object is applied."""
    return COLLECTIONS[obj["apiVersion"], obj["kind"]].format(NAMESPACE)


def _unfolded(document: yaml_file.Document, source: str) -> Iterator[Object]:
    value = document.value
    if isinstance(value, dict) and value.get("kind") == "List" and isinstance(value.get("items"), list):
        yield from value["items"]
    elif isinstance(value, dict):
        yield value
    else:
        raise _wrong(source, f"line {document.position()[0]} begins something that is no Kubernetes object")


def _check(obj: Any, source: str) -> None:
    if not isinstance(obj, dict) or not isinstance(obj.get("metadata"), dict) or not _name(obj):
        raise _wrong(source, "something in it is no Kubernetes object")
    version, kind = str(obj.get("apiVersion")), str(obj.get("kind"))
    label = f"{kind} '{_name(obj)}'"
    if ".toolkit.fluxcd.io/" in version:
        raise _wrong(source, f"it holds the {label}, which says what to sync; karrots makes such objects itself")
    if (version, kind) not in COLLECTIONS:
        raise _wrong(source, f"it holds the {label} ({version}), which is no part of Flux")
    namespaced = "{}" in COLLECTIONS[version, kind]
    if namespaced and obj["metadata"].get("namespace") != NAMESPACE:
        raise _wrong(source, f"the {label} is not in the namespace '{NAMESPACE}'")
    if kind == "Namespace" and _name(obj) != NAMESPACE:
        raise _wrong(source, f"it holds the {label}; Flux lives in '{NAMESPACE}'")


def _version(data: bytes, objects: tuple[Object, ...], source: str) -> str:
    """By the file's head and by the labels of its objects, which must not differ."""
    labels = {str(each["metadata"].get("labels", {}).get(VERSION_LABEL, "")).removeprefix("v") for each in objects}
    said = {label for label in (*labels, *_stated(data)) if label}
    if len(said) > 1:
        raise _wrong(source, f"it names more than one version: {', '.join(sorted(said))}")
    if not said:
        hint = f"{HINT}\nor make it with: flux install --export --version=vVERSION"
        raise UsageError(f"'{source}' does not say which version of Flux it is", hint=hint)
    return said.pop()


def _name(obj: Mapping[str, Any]) -> str:
    return str(obj["metadata"].get("name") or "")


def _images(obj: Mapping[str, Any]) -> Iterator[str]:
    if obj["kind"] == "Deployment":
        pod = obj.get("spec", {}).get("template", {}).get("spec", {})
        for container in (*pod.get("initContainers", ()), *pod.get("containers", ())):
            yield str(container.get("image"))


def _wrong(source: str, why: str) -> UsageError:
    return UsageError(f"'{source}' is not Flux's components", why=why, hint=HINT)
