"""What a cloud cannot take of a cluster.yaml that is right in itself; said before anything is rendered."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from karrots.errors import UsageError

if TYPE_CHECKING:
    from karrots.spec.cluster import ClusterSpec, NodePool

AZURE_ZONES = 3
# The end of a pool's name that templates/gke/nodes.tf.j2 uses for what zones do not divide evenly.
REST = "-rest"


def check(spec: ClusterSpec, provider: str) -> None:
    """Raises UsageError for what `provider` has no way to make."""
    if provider == "gke":
        _check_gke(spec)
    if provider == "aks":
        _check_aks(spec)


def system_pool(spec: ClusterSpec) -> str:
    """The pool that is part of an AKS cluster: the first that stays, takes every pod and has a node.

    Another one later means another cluster, so the order of cluster.yaml decides and not the alphabet.
    """
    for name, pool in spec.nodes.items():
        if _carries_azures_own_pods(pool):
            return name
    raise UsageError(
        "AKS has no pool for its own pods",
        why="its first pool may not be spot, may not have taints and needs a node: "
        + ", ".join(f"'{name}' {_flaw(pool)}" for name, pool in spec.nodes.items()),
        hint="add a pool such as this to cluster.yaml, above the others:\n  system:\n    count: 1",
    )


def _carries_azures_own_pods(pool: NodePool) -> bool:
    return not pool.spot and not pool.taints and pool.initial > 0


def _flaw(pool: NodePool) -> str:
    if pool.spot:
        return "is spot"
    return "has taints" if pool.taints else "starts with no node"


def _check_aks(spec: ClusterSpec) -> None:
    system_pool(spec)
    if spec.network.zones > AZURE_ZONES:
        raise UsageError(
            f"Azure has no region with {spec.network.zones} zones",
            why=f"the most it has are {AZURE_ZONES}",
            hint=f"set network.zones in cluster.yaml to {AZURE_ZONES} or fewer",
        )
    for name, pool in spec.nodes.items():
        if re.match(r"Standard_B\d", pool.size or "", re.IGNORECASE):
            raise UsageError(
                f"the pool '{name}' cannot have machines of size '{pool.size}'",
                why="AKS is not made for Azure's B series: its machines are slowed down once their credit is used up",
                hint=f"set nodes.{name}.size in cluster.yaml to a size such as Standard_D4s_v5",
            )


def _check_gke(spec: ClusterSpec) -> None:
    for name in spec.nodes:
        if name.endswith(REST):
            raise UsageError(
                f"a pool cannot be called '{name}' on GKE",
                why=f"pools with '{REST}' are made for nodes that zones do not divide evenly",
                hint=f"rename nodes.{name} in cluster.yaml",
            )
