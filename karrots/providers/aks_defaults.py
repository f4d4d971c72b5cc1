"""What content leaves open of an AKS cluster: the patch of its control plane and of each pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from karrots.adapters import azure_aks
from karrots.adapters.azure_inventory import ID
from karrots.fleet.cloud_names import names

if TYPE_CHECKING:
    from karrots.adapters.azure import Azure
    from karrots.adapters.azure_aks import Cluster
    from karrots.fleet.record import Record
    from karrots.providers.base import Origin
    from karrots.spec.cluster import ClusterSpec

KUBERNETES = "kubernetes"


def defaults(azure: Azure, record: Record, origin: Origin) -> dict[str, str]:
    """What is there stays as it was asked for, which Azure's own upgrades move; else it begins as the parent is.

    Nothing comes from the parent once the cluster is there: a pool may not be ahead of its control plane.
    """
    own = living(azure, record)
    if own is not None:
        pools = azure_aks.pools(azure, own.group, own.name)
        return _patches(origin.spec, {KUBERNETES: own.wanted, **{_key(it.name): it.wanted for it in pools}})
    return from_parent(azure, origin.spec, origin.parent)


def from_parent(azure: Azure, spec: ClusterSpec, parent: Record | None) -> dict[str, str]:
    """Of the same minor version, and still on offer: Azure makes clusters with the newest patches alone."""
    found = living(azure, parent) if parent is not None else None
    if parent is None or found is None or not found.version.startswith(f"{spec.kubernetes}."):
        return {}
    offered = {patch for it in azure_aks.versions(azure, parent.region) for patch in it.patches}
    pools = azure_aks.pools(azure, found.group, found.name)
    versions = {KUBERNETES: found.version, **{_key(it.name): it.version for it in pools}}
    known = {name: version for name, version in _patches(spec, versions).items() if version in offered}
    return known if KUBERNETES in known else {}


def _patches(spec: ClusterSpec, versions: dict[str, str]) -> dict[str, str]:
    return {name: version for name, version in versions.items() if version.startswith(f"{spec.kubernetes}.")}


def _key(pool: str) -> str:
    return f"pool/{pool}"


def living(azure: Azure, record: Record) -> Cluster | None:
    """The cluster in AKS, when it bears the record's id."""
    made = names(record)
    found = azure_aks.cluster(azure, made["resource_group"], made["cluster"])
    return found if found is not None and found.tags.get(ID) == record.id else None
