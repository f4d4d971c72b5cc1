from __future__ import annotations

import pytest

from karrots.spec.fleet import load_fleet
from karrots.spec.loading import InvalidSpec

CONTENT = "apiVersion: karrots.dev/v1\nkind: Fleet\ndomain: dev.example.com\n"


def test_defaults() -> None:
    fleet = load_fleet(CONTENT, "karrots.yaml")
    assert fleet.git.remote == "origin"
    assert (fleet.addresses.pool, fleet.addresses.prefix) == ("10.64.0.0/10", 20)
    assert fleet.policies.protected == []
    assert fleet.policies.ttl is None


def test_an_account_keeps_its_leading_zero() -> None:
    text = f"{CONTENT}providers:\n  local:\n  eks:\n    account: 012345678901\n    region: eu-central-1\n"
    eks = load_fleet(text, "karrots.yaml").providers.eks
    assert eks is not None
    assert eks.account == "012345678901"


def test_no_remote() -> None:
    assert load_fleet(f"{CONTENT}git: {{remote: }}\n", "karrots.yaml").git.remote is None


@pytest.mark.parametrize(
    ("more", "place", "says"),
    [
        ("git: {remote: --upload-pack=x}", "4:7", "'git.remote' must be the name of a git remote"),
        ("addresses: {pool: 10.0.0.0/22}", "4:1", "leases ranges of /20, but its pool 10.0.0.0/22 is smaller"),
        ("addresses: {pool: 8.8.0.0/16}", "4:13", "must be a private range"),
        ("addresses: {pool: 10.0.0.1/16}", "4:13", "has host bits set"),
        ("addresses: {pool: ten}", "4:13", "must be an IPv4 range"),
        ("addresses: {prefix: 40}", "4:13", "must be 28 or less, not '40'"),
        ("policies: {ttl: 7days}", "4:12", "must be an age such as 8h, 7d or 2w, not '7days'"),
        ("policies: {protected: [../x]}", "4:24", "'policies.protected.0' must be lower-case letters"),
        ("policies: {protected: prod}", "4:12", "'policies.protected' must be a list, not 'prod'"),
        ("providers: {eks: {account: 123, region: x}}", "4:19", "must be an AWS account of 12 digits"),
        ("providers: {ekss: {}}", "4:13", "unknown key 'ekss' in 'providers', did you mean 'eks'?"),
        ("providers: {gke: {region: x}}", "4:13", "'providers.gke.project' is missing"),
    ],
)
def test_mistakes_name_place_and_way_out(more: str, place: str, says: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        load_fleet(CONTENT + more, "karrots.yaml")
    assert caught.value.message.startswith(f"karrots.yaml:{place}: ")
    assert says in caught.value.message


@pytest.mark.parametrize("domain", ["Dev.example.com", "a..b", "-a.example", "x" * 64, "a b", "*.example.com", ""])
def test_domains_that_are_none(domain: str) -> None:
    with pytest.raises(InvalidSpec, match="'domain'"):
        load_fleet(CONTENT.replace("dev.example.com", f'"{domain}"'), "karrots.yaml")


GOOGLE = "  gke:\n    project: example\n    region: europe-west3\n    state:\n      bucket: states\n"
AZURE = (
    "  aks:\n    subscription: s\n    region: westeurope\n"
    "    state:\n      resource_group: r\n      storage_account: a\n      container: c\n"
)
S3 = 'providers:\n  eks:\n    account: "012345678901"\n    region: eu-central-1\n'


@pytest.mark.parametrize(
    ("more", "backends"),
    [
        ("", {"eks": "http", "gke": "http", "aks": "http", "local": "http"}),
        (S3, {"eks": "http"}),
        (f"{S3}    state:\n      bucket: example-states\n", {"eks": "s3", "gke": "http", "local": "http"}),
        (
            f"providers:\n{GOOGLE}{AZURE}",
            {"eks": "http", "gke": "gcs", "aks": "azurerm"},
        ),
    ],
)
def test_where_states_are_kept(more: str, backends: dict[str, str]) -> None:
    providers = load_fleet(CONTENT + more, "karrots.yaml").providers
    assert {name: providers.backend(name) for name in backends} == backends
