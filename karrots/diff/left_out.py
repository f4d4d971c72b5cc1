"""Kinds that are never compared between running clusters, and why: a cluster makes them for itself. Pure."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# By group and plural; '*' for every kind of a group.
KINDS: Mapping[tuple[str, str], str] = MappingProxyType({
    ("", "events"): "what happened, not what is",
    ("events.k8s.io", "events"): "what happened, not what is",
    ("coordination.k8s.io", "leases"): "who leads just now",
    ("coordination.k8s.io", "leasecandidates"): "who would lead",
    ("", "endpoints"): "made of Services and Pods",
    ("discovery.k8s.io", "endpointslices"): "made of Services and Pods",
    ("", "componentstatuses"): "the state of the control plane",
    ("", "bindings"): "an act, not a thing",
    ("metrics.k8s.io", "*"): "measured just now",
    ("custom.metrics.k8s.io", "*"): "measured just now",
    ("external.metrics.k8s.io", "*"): "measured just now",
    ("apps", "controllerrevisions"): "history that a controller keeps",
    ("storage.k8s.io", "csinodes"): "made by each node",
    ("storage.k8s.io", "csistoragecapacities"): "measured by drivers",
    ("storage.k8s.io", "volumeattachments"): "made for Pods",
    ("certificates.k8s.io", "certificatesigningrequests"): "asked by nodes, and gone in an hour",
    ("networking.k8s.io", "ipaddresses"): "made of Services",
    ("internal.apiserver.k8s.io", "*"): "the API server's own notes",
    ("flowcontrol.apiserver.k8s.io", "*"): "made by the API server for itself",
    ("resource.k8s.io", "resourceslices"): "made by each node",
    ("cilium.io", "ciliumendpoints"): "made for Pods",
    ("cilium.io", "ciliumidentities"): "made of labels of Pods",
    ("wgpolicyk8s.io", "*"): "what a policy engine found",
    ("reports.kyverno.io", "*"): "what a policy engine found",
    ("acme.cert-manager.io", "*"): "steps towards a certificate",
})  # fmt: skip


# Single objects, by group, plural, namespace and name.
OBJECTS: Mapping[tuple[str, str, str, str], str] = MappingProxyType({
    ("", "services", "default", "kubernetes"): "the API server's own address",
    ("", "secrets", "flux-system", "karrots-git"): "by what this cluster reads git, which is its own",
})  # fmt: skip


def reason(group: str, plural: str) -> str | None:
    """Why the kind is left out; None for one that is compared."""
    return KINDS.get((group, plural)) or KINDS.get((group, "*"))


def is_left_out(group: str, plural: str, namespace: str, name: str) -> bool:
    return (group, plural, namespace, name) in OBJECTS
