"""cluster.yaml with services, and what is read of what they render to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from karrots import places
from karrots.ops.services import members
from karrots.render import services
from karrots.spec import yaml_file
from karrots.spec.cluster import load_cluster, read_cluster
from karrots.spec.services import CATALOGUE, why_not

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from karrots.spec.cluster import ClusterSpec

DIRECTORY = "clusters/qa"
PROVIDERS = ("local", "eks", "gke", "aks")
# What has to be told, because there is no value that would do for everybody.
TOLD = {
    "velero": "bucket: example-backups",
    "opentelemetry-collector": "endpoint: https://otlp.example.com",
}
# Of two that have one part, those that come second in the catalogue.
SECOND = ("emissary-ingress", "karpenter")
TOLD_ON_AKS = dict.fromkeys(("external-dns", "cert-manager"), "resource_group: example-dns")


def text(provider: str, names: Iterable[str], more: str = "") -> str:
    head = f"apiVersion: karrots.dev/v1\nkind: Cluster\nprovider: {provider}\nkubernetes: '1.36'\n{more}"
    listed = "".join(f"  {name}: {{{_told(provider, name)}}}\n" for name in names)
    return f"{head}nodes:\n  default: {{count: 2}}\nservices:\n{listed}"


def _told(provider: str, name: str) -> str:
    return TOLD_ON_AKS.get(name, "") if provider == "aks" and name in TOLD_ON_AKS else TOLD.get(name, "")


def cluster(provider: str, names: Iterable[str], more: str = "") -> ClusterSpec:
    told = text(provider, names, more)
    return load_cluster(told.removesuffix("services:\n"), "cluster.yaml")


def offered(provider: str) -> list[str]:
    """All that can be on together: of two that have one part, the first."""
    bare = bare_cluster(provider)
    return [name for name, entry in CATALOGUE.items() if not why_not(entry, bare) and name not in SECOND]


def bare_cluster(provider: str) -> ClusterSpec:
    bare = text(provider, ()).replace("services:\n", "services: {}\n")
    return read_cluster(bare, "cluster.yaml", {})


def of_set(provider: str, chosen: str) -> ClusterSpec:
    return cluster(provider, members(chosen, bare_cluster(provider)))


def rendered(spec: ClusterSpec) -> dict[str, str]:
    return services.render(spec, DIRECTORY, places.templates())


def objects(files: dict[str, str], kind: str = "") -> Iterator[dict[str, Any]]:
    """What the cluster gets; kustomize's own lists are none of it."""
    for path, content in files.items():
        for document in yaml_file.documents(content, path):
            is_list = document.value["apiVersion"].startswith("kustomize.config.k8s.io/")
            if not is_list and kind in ("", document.value["kind"]):
                yield document.value
