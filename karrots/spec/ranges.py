"""How a cluster's leased range is divided in a cloud, and whether the pools of cluster.yaml fit into it.

The templates say the same in ranges.tf; tests hold the two together.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from karrots.errors import UsageError

if TYPE_CHECKING:
    from ipaddress import IPv4Network

    from karrots.spec.cluster import ClusterSpec

# https://cloud.google.com/kubernetes-engine/docs/how-to/flexible-pod-cidr
GKE_PODS_PER_NODE = 64
GKE_ADDRESSES_PER_NODE = 2 * GKE_PODS_PER_NODE
GKE_LARGEST, GKE_SMALLEST = 14, 22
# https://learn.microsoft.com/azure/aks/concepts-network-azure-cni-overlay
AKS_MOST_NODES = 1024
AKS_SMALLEST = 26
AZURE_RESERVED = 5


@dataclass(frozen=True)
class Gke:
    pods: IPv4Network
    services: IPv4Network
    nodes: IPv4Network
    proxies: IPv4Network

    @property
    def most_nodes(self) -> int:
        return self.pods.num_addresses // GKE_ADDRESSES_PER_NODE

    @property
    def most_pods(self) -> int:
        return self.most_nodes * GKE_PODS_PER_NODE


@dataclass(frozen=True)
class Aks:
    nodes: IPv4Network
    pods: IPv4Network
    services: IPv4Network

    @property
    def most_nodes(self) -> int:
        return min(self.nodes.num_addresses - AZURE_RESERVED, AKS_MOST_NODES)


def gke(network: str) -> Gke:
    """Raises UsageError for a range that is too small or too large."""
    whole = _within(network, "GKE", GKE_LARGEST, GKE_SMALLEST)
    eighths = list(whole.subnets(3))
    return Gke(next(whole.subnets(1)), list(whole.subnets(2))[2], eighths[6], eighths[7])


def aks(network: str) -> Aks:
    """Raises UsageError for a range that is too small."""
    whole = _within(network, "AKS", 0, AKS_SMALLEST)
    # Pods and services are in an overlay; only a lease from the same space must not meet them.
    shared_space = str(whole).startswith("100.")
    return Aks(
        next(whole.subnets(1)),
        ipaddress.IPv4Network("10.240.0.0/14" if shared_space else "100.64.0.0/14"),
        ipaddress.IPv4Network("10.244.0.0/20" if shared_space else "100.68.0.0/20"),
    )


def check(spec: ClusterSpec, provider: str, network: str) -> None:
    """Raises UsageError when the pools, grown to their most, do not fit into the leased range."""
    if provider not in {"gke", "aks"} or spec.network.mode == "shared":
        return
    most = (gke(network) if provider == "gke" else aks(network)).most_nodes
    wanted = 0 if provider == "gke" and spec.gke.autopilot else _nodes_at_most(spec)
    if wanted > most:
        raise UsageError(
            f"the range {network} has room for {most} nodes of {provider.upper()}",
            why=f"the pools of cluster.yaml may grow to {wanted}, with one more in each while it is upgraded",
            hint="lease larger ranges (a smaller addresses.prefix in karrots.yaml), or lower the pools' numbers",
        )


def _nodes_at_most(spec: ClusterSpec) -> int:
    counts = (pool.count if pool.count is not None else pool.max or 0 for pool in spec.nodes.values())
    return sum(count + 1 for count in counts if count)


def _within(network: str, cloud: str, largest: int, smallest: int) -> IPv4Network:
    whole = ipaddress.IPv4Network(network)
    if not largest <= whole.prefixlen <= smallest:
        size = "small" if whole.prefixlen > smallest else "large"
        raise UsageError(
            f"the range {network} is too {size} for {cloud}",
            why=f"it takes one from /{largest} to /{smallest}" if largest else f"it takes /{smallest} or more",
            hint="set addresses.prefix in karrots.yaml, for clusters made from then on",
        )
    return whole
