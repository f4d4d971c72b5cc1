"""What content leaves open of a GKE cluster: the full version of its control plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

from karrots.adapters import google_gke
from karrots.adapters.google_gke import ID
from karrots.fleet.cloud_names import names

if TYPE_CHECKING:
    from karrots.adapters.google import Google
    from karrots.adapters.google_gke import Cluster
    from karrots.fleet.record import Record
    from karrots.providers.base import Origin
    from karrots.spec.cluster import ClusterSpec


def defaults(google: Google, record: Record, origin: Origin) -> dict[str, str]:
    """Of one that is not made yet. Later its own state keeps what it began with, and Google goes on from there."""
    if origin.parent is None or living(google, record) is not None:
        return {}
    return from_parent(google, origin.spec, record.region, living(google, origin.parent))


def from_parent(google: Google, spec: ClusterSpec, region: str, parent: Cluster | None) -> dict[str, str]:
    """Of the same minor version, and still on offer."""
    if parent is None or not parent.version.startswith(f"{spec.kubernetes}."):
        return {}
    offered = google_gke.versions(google, region, spec.gke.channel)
    return {"kubernetes": parent.version} if parent.version in offered else {}


def living(google: Google, record: Record) -> Cluster | None:
    """The cluster in GKE, when it bears the record's id."""
    named = google_gke.clusters(google, names(record)["cluster"], record.region)
    return next((it for it in named if it.labels.get(ID) == record.id), None)
