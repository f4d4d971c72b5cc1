from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karrots import places
from karrots.errors import UsageError
from karrots.render import fleet
from karrots.render.template import rendered
from karrots.spec.cluster import load_cluster
from karrots.spec.fleet import SECTIONS, load_fleet


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
        (fleet.FleetOptions(settings={"region": "x"}), "the provider 'local' has nothing to set"),
        (fleet.FleetOptions(provider="eks", settings={"account": "123456789012"}), "'providers.eks.region' is missing"),
        (
            fleet.FleetOptions(provider="gke", settings={"project": "p", "region": "r", "state.bukket": "b"}),
            "'providers.gke.state.bucket' is missing",
        ),
        (
            fleet.FleetOptions(provider="gke", settings={"project": "p", "region": "r", "bucket": "b"}),
            "unknown key 'bucket' in 'providers.gke'",
        ),
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


def written(provider: str, chosen: dict[str, str]) -> str:
    options = fleet.FleetOptions(provider=provider, settings=chosen)
    section = fleet.keys(SECTIONS[provider], chosen)
    values = {"options": options, "directory": "clusters/qa", "section": section}
    return rendered(places.templates() / "fleet", values)["karrots.yaml"]


CLOUDS: list[tuple[str, dict[str, str]]] = [
    ("eks", {"account": "123456789012", "region": "eu-west-1", "state.bucket": "b", "state.region": "eu-north-1"}),
    ("gke", {"project": "shop", "region": "europe-west3", "state.bucket": "shop"}),
    (
        "aks",
        {
            "subscription": "s", "tenant": "t", "region": "westeurope",
            "state.resource_group": "rg", "state.storage_account": "shop", "state.container": "states",
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(("provider", "chosen"), CLOUDS)
def test_the_section_of_a_cloud_comes_back_as_given(provider: str, chosen: dict[str, str]) -> None:
    section = load_fleet(written(provider, chosen), "karrots.yaml").providers.cloud(provider)
    assert section is not None
    document = section.model_dump(exclude_defaults=True)
    flat = {f"state.{name}": value for name, value in document.pop("state").items()} | document
    assert flat == chosen


@pytest.mark.parametrize(("provider", "chosen"), CLOUDS)
@pytest.mark.parametrize("with_state", [True, False])
def test_every_key_of_a_cloud_has_a_comment(provider: str, chosen: dict[str, str], with_state: bool) -> None:
    kept = {name: value for name, value in chosen.items() if with_state or not name.startswith("state.")}
    lines = written(provider, kept).partition(f"  {provider}:\n")[2].partition("\npolicies:")[0].splitlines()
    keys = [at for at, text in enumerate(lines) if re.match(r" +(# )?[a-z_]+:( |$)", text)]
    assert len(keys) >= len(kept)
    assert [lines[at] for at in keys if not lines[at - 1].lstrip().startswith("# ")] == []
    assert ("    # state:" in lines) is not with_state


def test_ranges_are_a_list() -> None:
    chosen = {"project": "p", "region": "r", "api_access": "203.0.113.0/24,198.51.100.0/24"}
    found = load_fleet(written("gke", chosen), "karrots.yaml").providers.gke
    assert found is not None
    assert found.api_access == ["203.0.113.0/24", "198.51.100.0/24"]


@settings(deadline=None)
@given(st.text(max_size=40))
def test_no_text_breaks_out_of_a_section(text: str) -> None:
    given_keys = {"project": "p", "region": text, "state.bucket": text}
    try:
        found = load_fleet(written("gke", given_keys), "karrots.yaml").providers.gke
    except UsageError:
        return
    assert found is not None
    assert found.state is not None
    assert (found.region, found.state.bucket) == (text, text)


@given(st.text(max_size=40))
def test_no_text_breaks_out_of_its_place(text: str) -> None:
    """Either the schema refuses it, or it comes back as it went in."""
    try:
        files = fleet.render(fleet.FleetOptions(provider="local", ttl="7d", remote=text), places.templates())
    except UsageError:
        return
    assert load_fleet(files["karrots.yaml"], "karrots.yaml").git.remote == text
