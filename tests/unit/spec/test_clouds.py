from __future__ import annotations

import pytest

from karrots import places
from karrots.errors import UsageError
from karrots.render import terraform
from karrots.spec import clouds
from karrots.spec.cluster import ClusterSpec, load_cluster


def _spec(content: str, provider: str = "aks") -> ClusterSpec:
    head = f"apiVersion: karrots.dev/v1\nkind: Cluster\nprovider: {provider}\nkubernetes: '1.36'\n"
    return load_cluster(head + content, "cluster.yaml")


TAINTED = "{count: 1, taints: [{key: example.com/own}]}"


def test_the_system_pool_is_the_first_that_can_be_it() -> None:
    spec = _spec(
        f"nodes:\n  z-spot: {{count: 1, spot: true}}\n  y: {TAINTED}\n  x: {{min: 0, max: 3}}\n  w: {{count: 1}}"
    )
    assert clouds.system_pool(spec) == "w"


def test_a_pool_before_it_in_the_alphabet_does_not_take_its_place() -> None:
    assert clouds.system_pool(_spec("nodes:\n  main: {count: 1}\n  batch: {count: 1}\n")) == "main"


@pytest.mark.parametrize(
    ("pool", "flaw"),
    [
        ("{count: 2, spot: true}", "'default' is spot"),
        (TAINTED, "'default' has taints"),
        ("{count: 0}", "'default' starts with no node"),
        ("{min: 0, max: 4}", "'default' starts with no node"),
    ],
)
def test_aks_without_a_pool_for_its_own_pods_is_refused(pool: str, flaw: str) -> None:
    spec = _spec(f"nodes:\n  default: {pool}\n")
    with pytest.raises(UsageError) as caught:
        terraform.render(spec, places.templates() / "aks")
    assert flaw in caught.value.why
    assert "system:\n    count: 1" in caught.value.hint


@pytest.mark.parametrize("size", ["Standard_B2s", "standard_b4ms", "Standard_B2as_v2"])
def test_aks_takes_no_machines_that_are_slowed_down(size: str) -> None:
    spec = _spec(f"nodes:\n  default: {{count: 1}}\n  cheap: {{count: 1, size: {size}}}\n")
    with pytest.raises(UsageError, match="'cheap' cannot have machines of size"):
        terraform.render(spec, places.templates() / "aks")


def test_azure_has_three_zones() -> None:
    with pytest.raises(UsageError, match="no region with 4 zones"):
        clouds.check(_spec("nodes:\n  default: {count: 1}\nnetwork: {zones: 4}\n"), "aks")


def test_a_pool_of_gke_may_not_have_a_name_that_is_made() -> None:
    spec = _spec("nodes:\n  a: {count: 3}\n  a-rest: {count: 1}\n", "gke")
    with pytest.raises(UsageError, match="'a-rest' on GKE"):
        terraform.render(spec, places.templates() / "gke")


@pytest.mark.parametrize("provider", ["local", "eks", "gke"])
def test_what_one_cloud_refuses_the_others_take(provider: str) -> None:
    clouds.check(
        _spec("nodes:\n  default: {count: 0, spot: true, size: Standard_B2s}\nnetwork: {zones: 5}\n"), provider
    )
