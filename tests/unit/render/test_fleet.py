from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karrots import places
from karrots.errors import UsageError
from karrots.render import fleet
from karrots.spec.cluster import load_cluster
from karrots.spec.fleet import load_fleet


def test_options_reach_the_files() -> None:
    options = fleet.FleetOptions(
        "dev", "k.example.org", pool="172.16.0.0/12", prefix=22, nodes=5, ttl="8h", remote="hub"
    )
    files = fleet.render(options, places.templates())
    settings = load_fleet(files["karrots.yaml"], "karrots.yaml")
    assert (settings.domain, settings.git.remote, settings.policies.ttl) == ("k.example.org", "hub", "8h")
    assert (settings.addresses.pool, settings.addresses.prefix) == ("172.16.0.0/12", 22)
    assert load_cluster(files["clusters/dev/cluster.yaml"], "cluster.yaml").node_count == 5
    assert "path: ./clusters/dev/flux/apps" in files["clusters/dev/flux/apps.yaml"]
    assert "clusters/dev/terraform/main.tf" in files


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (fleet.FleetOptions(domain="not a domain"), "'domain' must be a DNS name"),
        (fleet.FleetOptions(pool="10.0.0.0/30"), "'addresses' leases ranges of /20"),
        (fleet.FleetOptions(kubernetes="latest"), "'kubernetes' must be a minor version"),
        (
            fleet.FleetOptions(provider="eks", settings={"account": "1", "region": "x"}),
            "must be an AWS account of 12 digits",
        ),
        (fleet.FleetOptions(provider="ovh"), "unknown key 'ovh' in 'providers'"),
    ],
)
def test_options_that_cannot_be(options: fleet.FleetOptions, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        fleet.render(options, places.templates())
    assert says in caught.value.message


def test_the_state_is_kept_where_the_fleet_says() -> None:
    settings = {"account": "012345678901", "region": "eu-central-1"}
    files = fleet.render(fleet.FleetOptions(provider="eks", settings=settings), places.templates())
    versions = "clusters/qa/terraform/versions.tf"
    assert 'backend "http" {}' in files[versions]
    kept = fleet.cluster_files(files["clusters/qa/cluster.yaml"], "clusters/qa", places.templates(), "s3")
    assert 'backend "s3" {}' in kept[versions]


@given(st.text(max_size=40))
def test_no_text_breaks_out_of_its_place(text: str) -> None:
    """Either the schema refuses it, or it comes back as it went in."""
    try:
        files = fleet.render(fleet.FleetOptions(provider="local", ttl="7d", remote=text), places.templates())
    except UsageError:
        return
    assert load_fleet(files["karrots.yaml"], "karrots.yaml").git.remote == text
