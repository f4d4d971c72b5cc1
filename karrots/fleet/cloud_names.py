"""What a cluster's things are called in a cloud, derived from its record before any of them is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from karrots.spec.limits import fitted

if TYPE_CHECKING:
    from karrots.fleet.record import Record

# The end of a ULID is random, its beginning is the time.
SUFFIX_LENGTH = 8


def prefix(record: Record) -> str:
    """What everything of a cluster is named after: a name may be used again while the last one's things still go."""
    return f"{record.name}-{record.id[-SUFFIX_LENGTH:]}"


def names(record: Record) -> dict[str, str]:
    """By the words of the cloud's Terraform root; {} where there is no cloud."""
    start = prefix(record)
    if record.provider == "eks":
        return {"cluster": fitted("eks-cluster", record.name), "prefix": start}
    if record.provider == "gke":
        return {
            "cluster": fitted("gke-cluster", record.name),
            "prefix": start,
            "node_account": fitted("gcp-service-account", f"{start}-nodes"),
            "dns_account": fitted("gcp-service-account", f"{start}-dns"),
        }
    if record.provider == "aks":
        return {
            "cluster": fitted("aks-cluster", record.name),
            "dns_prefix": fitted("aks-dns-prefix", record.name),
            "resource_group": fitted("azure-resource-group", start),
            "node_resource_group": fitted("azure-resource-group", f"{start}-nodes"),
            "identity": fitted("azure-identity", start),
        }
    return {}
