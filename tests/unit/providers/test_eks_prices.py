from __future__ import annotations

import pytest

from karrots.providers import eks_prices
from karrots.spec.cluster import load_cluster


def cost(text: str, region: str = "us-east-1") -> dict[str, float]:
    content = f"apiVersion: karrots.dev/v1\nkind: Cluster\nprovider: eks\nkubernetes: '1.36'\n{text}"
    found = eks_prices.estimate(load_cluster(content, "cluster.yaml"), region)
    return {price.what: round(price.hourly, 4) for price in found.prices}


ONE = "nodes:\n  default:\n    size: m5.large\n    count: 2\n    disk: 73\n"


def test_a_small_cluster() -> None:
    """Two m5.large at 0.096, 73 GiB each at 0.08 a month."""
    assert cost(ONE) == {"control plane": 0.1, "NAT": 0.05, "nodes default": 0.208}


@pytest.mark.parametrize(
    ("network", "nat"), [("nat: none", None), ("mode: shared", None), ("zones: 3\n  nat: per-zone", 0.15)]
)
def test_the_network_counts(network: str, nat: float | None) -> None:
    assert cost(f"{ONE}network:\n  {network}\n").get("NAT") == nat


def test_auto_mode_has_machines_nobody_can_count() -> None:
    assert set(cost(f"{ONE}eks:\n  auto_mode: true\n")) == {"control plane", "NAT"}


@pytest.mark.parametrize(
    ("size", "price"),
    [("t3.medium", 0.0416), ("m6i.xlarge", 0.192), ("c7g.4xlarge", 0.58), ("r6i.12xlarge", 3.024), ("m9z.large", None),
     ("m5.metal", None), ("m5", None)],
)  # fmt: skip
def test_machines(size: str, price: float | None) -> None:
    assert eks_prices.machine_price(size) == (pytest.approx(price) if price else None)


def test_what_the_list_does_not_know_is_said() -> None:
    odd, wide = "  odd:\n    size: m9z.large\n    count: 1\n", "  wide:\n    min: 1\n    max: 9\n"
    text = f"nodes:\n{odd}{wide}  cheap:\n    count: 1\n    spot: true\n"
    content = f"apiVersion: karrots.dev/v1\nkind: Cluster\nprovider: eks\nkubernetes: '1.36'\n{text}"
    found = eks_prices.estimate(load_cluster(content, "cluster.yaml"), "eu-central-1")
    said = "\n".join(found.unpriced)
    for word in ("m9z.large", "grow to 9", "spot", "eu-central-1"):
        assert word in said
    assert "us-east-1" in found.source
    assert "2026" in found.source
    assert found.hourly == pytest.approx(sum(price.hourly for price in found.prices))
