"""What a cluster on AKS costs an hour by list price, before discounts, traffic and logs; no network is used.

Machines: the prices of eastus that Karpenter took from Azure's price list on 2023-12-18
(https://github.com/Azure/karpenter-provider-azure, pkg/providers/pricing/zz_generated.pricing.go); only series whose
price rises with their cores there. Control plane: what Azure said in 2020 and others repeat in 2026
(https://techcommunity.microsoft.com/t5/apps-on-azure-blog/aks-introduces-uptime-sla/ba-p/1350832). NAT and address: a
cost tool (https://c3x.dev/resources/azure/azurerm_nat_gateway/), read in November 2026. Azure's own list was not to be
had. Other regions differ by some percent to some tens of percent.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from karrots.providers.base import Estimate, Price
from karrots.providers.prices import elsewhere, of_pools

if TYPE_CHECKING:
    from collections.abc import Mapping

    from karrots.spec.cluster import ClusterSpec, NodePool

REGION = "eastus"
SOURCE = "list prices of eastus as others publish them, machines of 2023-12-18, the rest of 2026-11"
CURRENCY = "USD"
CONTROL_PLANE: Mapping[str, float] = {"Free": 0.0, "Standard": 0.10}
NAT_GATEWAY = 0.045
ADDRESS = 3.65 / 730  # priced by the month
SIZE_DEFAULT = "Standard_D4s_v5"  # as templates/aks/variables.tf has it
# From public logs of whole roots; karrots' own runs tell better once there are some.
MINUTES = (8.0, 12.0)

# A core of each series, whose price rises with the cores.
CORE: Mapping[str, float] = {
    "Ds_v3": 0.048, "Ds_v4": 0.048, "Ds_v5": 0.048, "Dds_v4": 0.0565, "Dds_v5": 0.0565, "Dls_v5": 0.0425,
    "Das_v4": 0.048, "Das_v6": 0.0413, "Dps_v5": 0.0385, "Es_v4": 0.063, "Es_v5": 0.063, "Eds_v4": 0.072,
    "Eds_v5": 0.072, "Eas_v4": 0.063, "Fs_v2": 0.0423,
}  # fmt: skip
SIZE = re.compile(r"standard_([a-z]+)([0-9]+)([a-z]*)(_v[0-9]+)", re.IGNORECASE)


def estimate(spec: ClusterSpec, region: str) -> Estimate:
    plane = CONTROL_PLANE[spec.aks.tier]
    pools, beside = of_pools(spec.nodes, pool_price)
    prices = [*([Price("control plane", plane)] if plane else []), *_network(spec), *pools]
    unpriced = [*elsewhere(region, REGION), *beside]
    unpriced.append("disks of the nodes, load balancers, volumes, traffic, logs")
    return Estimate(tuple(prices), CURRENCY, SOURCE, MINUTES, tuple(unpriced))


def _network(spec: ClusterSpec) -> list[Price]:
    """One gateway, also `per-zone`: that is one of the second generation, for the same price."""
    if spec.network.mode == "shared" or spec.network.nat == "none":
        return []
    return [Price("NAT", NAT_GATEWAY + ADDRESS)]


def pool_price(pool: NodePool) -> float | None:
    """Of the nodes at the start, without their disks; None for a machine the table does not have."""
    machine = machine_price(pool.size or SIZE_DEFAULT)
    return None if machine is None else pool.initial * machine


def machine_price(size: str) -> float | None:
    found = SIZE.fullmatch(size)
    if found is None:
        return None
    series = f"{found[1].upper()}{found[3].lower()}{found[4].lower()}"
    core = CORE.get(series)
    return None if core is None else core * int(found[2])
