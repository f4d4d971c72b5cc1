"""What a cluster on GKE costs an hour by list price, before discounts, traffic and logs; no network is used.

Of us-central1, read in November 2026. Control plane: https://cloud.google.com/kubernetes-engine/pricing. NAT:
https://cloud.google.com/nat/pricing. Google's own list of machines and disks was not to be had: these are what several
price lists of others agree on. Other regions differ by some percent to some tens of percent.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from karrots.providers.base import Estimate, Price
from karrots.providers.prices import elsewhere, of_pools

if TYPE_CHECKING:
    from collections.abc import Mapping

    from karrots.spec.cluster import ClusterSpec, NodePool

REGION = "us-central1"
SOURCE = "Google's list prices of us-central1 for the control plane and NAT, others' lists for machines, of 2026-11"
CURRENCY = "USD"
CONTROL_PLANE = 0.10
NAT_EACH = 0.0014  # an hour for each machine behind it, up to 32
NAT_MOST = 0.044
ADDRESS = 0.005
DISK_GIB = 0.10 / 730  # pd-balanced, priced by the month
DISK_DEFAULT = 100  # GiB
SIZE_DEFAULT = "e2-standard-4"  # as templates/gke/variables.tf has it
# From public logs of whole roots; karrots' own runs tell better once there are some.
MINUTES = (6.0, 15.0)

# A core of the `standard` machines, whose price rises with their cores.
CORE: Mapping[str, float] = {
    "e2": 0.0335, "n1": 0.0475, "n2": 0.04855, "n2d": 0.04225, "c2": 0.0522, "t2d": 0.0422,
}  # fmt: skip
STANDARD = re.compile(r"([a-z0-9]+)-standard-([0-9]+)")


def estimate(spec: ClusterSpec, region: str) -> Estimate:
    prices = [Price("control plane", CONTROL_PLANE), *_network(spec)]
    unpriced = elsewhere(region, REGION)
    if spec.gke.autopilot:
        unpriced.append("pods, which Autopilot makes machines for and bills by what they ask for")
    else:
        pools, beside = of_pools(spec.nodes, pool_price)
        prices += pools
        unpriced += beside
    return Estimate(tuple(prices), CURRENCY, SOURCE, MINUTES, (*unpriced, "load balancers, volumes, traffic, logs"))


def _network(spec: ClusterSpec) -> list[Price]:
    if spec.network.nat == "none":
        nodes = 0 if spec.gke.autopilot else spec.node_count
        return [Price("addresses of nodes", nodes * ADDRESS)] if nodes else []
    if spec.network.mode == "shared":
        return []
    machines = 1 if spec.gke.autopilot else spec.node_count
    return [Price("NAT", min(machines * NAT_EACH, NAT_MOST) + ADDRESS)]


def pool_price(pool: NodePool) -> float | None:
    """Of the nodes at the start, with their disks; None for a machine the table does not have."""
    machine = machine_price(pool.size or SIZE_DEFAULT)
    return None if machine is None else pool.initial * (machine + (pool.disk or DISK_DEFAULT) * DISK_GIB)


def machine_price(size: str) -> float | None:
    match = STANDARD.fullmatch(size)
    core = CORE.get(match[1]) if match else None
    return None if match is None or core is None else core * int(match[2])
