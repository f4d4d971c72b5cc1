"""What a cluster on EKS costs an hour by list price, before discounts, traffic and logs; no network is used.

Machines: the prices of us-east-1 that Karpenter publishes from AWS's price list
(https://github.com/aws/karpenter-provider-aws, pkg/providers/pricing/zz_generated.pricing_aws.go, made 2026-01-19).
Control plane, NAT, addresses and disks: https://aws.amazon.com/eks/pricing, /vpc/pricing and /ebs/pricing for that
region, as of March 2026. Other regions differ by some percent to some tens of percent.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from karrots.providers.base import Estimate, Price
from karrots.providers.prices import elsewhere, of_pools

if TYPE_CHECKING:
    from collections.abc import Mapping

    from karrots.spec.cluster import ClusterSpec, NodePool

REGION = "us-east-1"
SOURCE = "AWS list prices of us-east-1, machines of 2026-01-19, the rest of 2026-03"
CURRENCY = "USD"
CONTROL_PLANE = 0.10
NAT_GATEWAY = 0.045
ADDRESS = 0.005
DISK_GIB = 0.08 / 730  # gp3, priced by the month
DISK_DEFAULT = 50  # GiB, as templates/eks/variables.tf has it
SIZE_DEFAULT = "m6i.large"
# From public logs of whole roots; karrots' own runs tell better once there are some.
MINUTES = (14.0, 20.0)

# Of the size `large`; within a family prices rise with the size.
LARGE: Mapping[str, float] = {
    "t3": 0.0832, "t3a": 0.0752, "t4g": 0.0672,
    "m5": 0.096, "m5a": 0.086, "m6a": 0.0864, "m6g": 0.077, "m6i": 0.096, "m7a": 0.11592, "m7g": 0.0816,
    "m7i": 0.1008, "m7i-flex": 0.09576, "m8a": 0.12172, "m8g": 0.08976, "m8i": 0.10584,
    "c5": 0.085, "c5a": 0.077, "c6a": 0.0765, "c6g": 0.068, "c6i": 0.085, "c7a": 0.10264, "c7g": 0.0725,
    "c7i": 0.08925, "c8g": 0.07976, "c8i": 0.09371,
    "r5": 0.126, "r5a": 0.113, "r6a": 0.1134, "r6g": 0.1008, "r6i": 0.126, "r7a": 0.15215, "r7g": 0.1071,
    "r7i": 0.1323, "r8g": 0.11782, "r8i": 0.13892,
}  # fmt: skip
SIZES: Mapping[str, float] = {"medium": 0.5, "large": 1.0, "xlarge": 2.0}
MANY = re.compile(r"([0-9]+)xlarge")


def estimate(spec: ClusterSpec, region: str) -> Estimate:
    prices = [Price("control plane", CONTROL_PLANE), *_network(spec)]
    unpriced = elsewhere(region, REGION)
    if spec.eks.auto_mode:
        unpriced.append("machines, which EKS Auto Mode makes as pods need them, and its fee for them")
    else:
        pools, beside = of_pools(spec.nodes, pool_price)
        prices += pools
        unpriced += beside
    return Estimate(tuple(prices), CURRENCY, SOURCE, MINUTES, (*unpriced, "load balancers, volumes, traffic, logs"))


def _network(spec: ClusterSpec) -> list[Price]:
    if spec.network.mode == "shared" or spec.network.nat == "none":
        return []
    count = spec.network.zones if spec.network.nat == "per-zone" else 1
    return [Price("NAT", count * (NAT_GATEWAY + ADDRESS))]


def pool_price(pool: NodePool) -> float | None:
    """Of the nodes at the start, with their disks; None for a machine the table does not have."""
    machine = machine_price(pool.size or SIZE_DEFAULT)
    return None if machine is None else pool.initial * (machine + (pool.disk or DISK_DEFAULT) * DISK_GIB)


def machine_price(size: str) -> float | None:
    family, _, rest = size.partition(".")
    many = MANY.fullmatch(rest)
    times = 2.0 * int(many[1]) if many else SIZES.get(rest)
    large = LARGE.get(family)
    return None if times is None or large is None else large * times
