from __future__ import annotations

import pytest

from karrots.providers import gke_prices
from karrots.spec.cluster import load_cluster

HEAD = "apiVersion: karrots.dev/v1\nkind: Cluster\nprovider: gke\nkubernetes: '1.36'\n"


def cost(text: str, region: str = "us-central1") -> dict[str, float]:
    found = gke_prices.estimate(load_cluster(HEAD + text, "cluster.yaml"), region)
    return {price.what: round(price.hourly, 4) for price in found.prices}


ONE = "nodes:\n  default:\n    size: e2-standard-4\n    count: 2\n    disk: 73\n"


def test_a_small_cluster() -> None:
    """Two e2-standard-4 at 0.134, 73 GiB each at 0.10 a month, both behind NAT with one address."""
    assert cost(ONE) == {"control plane": 0.1, "NAT": 0.0078, "nodes default": 0.288}


@pytest.mark.parametrize(
    ("network", "what", "price"),
    [
        ("nat: none", "addresses of nodes", 0.01),
        ("nat: none", "NAT", None),
        ("mode: shared", "NAT", None),
        ("zones: 3\n  nat: per-zone", "NAT", 0.0078),
    ],
)
def test_the_network_counts(network: str, what: str, price: float | None) -> None:
    assert cost(f"{ONE}network:\n  {network}\n").get(what) == price


def test_nat_costs_no_more_from_some_machines_on() -> None:
    assert cost("nodes:\n  default: {count: 200}\n")["NAT"] == 0.049


def test_autopilot_has_machines_nobody_can_count() -> None:
    assert set(cost(f"{ONE}gke:\n  autopilot: true\n")) == {"control plane", "NAT"}


@pytest.mark.parametrize(
    ("size", "price"),
    [("e2-standard-2", 0.067), ("n2-standard-4", 0.1942), ("n1-standard-8", 0.38), ("e2-highmem-2", None),
     ("e2-medium", None), ("n9-standard-4", None), ("e2", None)],
)  # fmt: skip
def test_machines(size: str, price: float | None) -> None:
    assert gke_prices.machine_price(size) == (pytest.approx(price) if price else None)


def test_what_the_list_does_not_know_is_said() -> None:
    odd, wide = "  odd:\n    size: n9-huge-1\n    count: 1\n", "  wide:\n    min: 1\n    max: 9\n"
    text = f"nodes:\n{odd}{wide}  cheap:\n    count: 1\n    spot: true\n"
    found = gke_prices.estimate(load_cluster(HEAD + text, "cluster.yaml"), "europe-west3")
    said = "\n".join(found.unpriced)
    for word in ("n9-huge-1", "grow to 9", "spot", "europe-west3"):
        assert word in said
    assert "us-central1" in found.source
    assert "2026" in found.source
    assert found.hourly == pytest.approx(sum(price.hourly for price in found.prices))
