from __future__ import annotations

import pytest

from karrots.providers import aks_prices
from karrots.spec.cluster import load_cluster


def cost(text: str, region: str = "eastus") -> dict[str, float]:
    content = f"apiVersion: karrots.dev/v1\nkind: Cluster\nprovider: aks\nkubernetes: '1.36'\n{text}"
    found = aks_prices.estimate(load_cluster(content, "cluster.yaml"), region)
    return {price.what: round(price.hourly, 4) for price in found.prices}


ONE = "nodes:\n  default:\n    size: Standard_D4s_v5\n    count: 2\n"


def test_a_small_cluster() -> None:
    """Two machines at 0.192; the control plane of the free tier costs nothing."""
    assert cost(ONE) == {"NAT": 0.05, "nodes default": 0.384}
    assert cost(f"{ONE}aks: {{tier: Standard}}\n")["control plane"] == 0.1


@pytest.mark.parametrize(
    ("network", "nat"), [("nat: none", None), ("mode: shared", None), ("zones: 3\n  nat: per-zone", 0.05)]
)
def test_the_network_counts(network: str, nat: float | None) -> None:
    """A gateway of the second generation is one for all zones."""
    assert cost(f"{ONE}network:\n  {network}\n").get("NAT") == nat


@pytest.mark.parametrize(
    ("size", "price"),
    [("Standard_D2s_v3", 0.096), ("standard_d16ds_v5", 0.904), ("Standard_E8s_v5", 0.504), ("Standard_F4s_v2", 0.1692),
     ("Standard_D4s_v9", None), ("Standard_E4-2s_v5", None), ("Standard_A1", None), ("", None)],
)  # fmt: skip
def test_machines(size: str, price: float | None) -> None:
    assert aks_prices.machine_price(size) == (pytest.approx(price) if price else None)


def test_what_the_list_does_not_know_is_said() -> None:
    odd, wide = "  odd:\n    size: Standard_X4s_v1\n    count: 1\n", "  wide:\n    min: 1\n    max: 9\n"
    text = f"nodes:\n{odd}{wide}  cheap:\n    count: 1\n    spot: true\n"
    content = f"apiVersion: karrots.dev/v1\nkind: Cluster\nprovider: aks\nkubernetes: '1.36'\n{text}"
    found = aks_prices.estimate(load_cluster(content, "cluster.yaml"), "westeurope")
    said = "\n".join(found.unpriced)
    for word in ("Standard_X4s_v1", "grow to 9", "spot", "westeurope", "disks"):
        assert word in said
    assert "eastus" in found.source
    assert "2023-12-18" in found.source
    assert found.hourly == pytest.approx(sum(price.hourly for price in found.prices))
