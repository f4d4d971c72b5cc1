"""Names and tags of what a cluster has in a cloud."""

from __future__ import annotations

import pytest

from karrots.fleet.cloud_names import names, prefix
from karrots.fleet.record import new_id
from karrots.fleet.tags import tags
from karrots.spec.limits import LIMITS
from tests.support.records import record

LONGEST = "q" * 28
# What a root adds to the prefix, at most.
LONGEST_ROLE = "-load-balancer-controller"
KINDS = {
    "cluster": {"eks": "eks-cluster", "gke": "gke-cluster", "aks": "aks-cluster"},
    "node_account": {"gke": "gcp-service-account"},
    "dns_account": {"gke": "gcp-service-account"},
    "dns_prefix": {"aks": "aks-dns-prefix"},
    "resource_group": {"aks": "azure-resource-group"},
    "node_resource_group": {"aks": "azure-resource-group"},
    "identity": {"aks": "azure-identity"},
}


@pytest.mark.parametrize("provider", ["eks", "gke", "aks"])
@pytest.mark.parametrize("name", ["q", "qa-story", LONGEST])
def test_every_name_is_within_its_limit(provider: str, name: str) -> None:
    made = names(record(name, provider=provider))
    for word, text in made.items():
        if word != "prefix":
            assert LIMITS[KINDS[word][provider]].allows(text), (word, text)


def test_roles_fit_behind_the_prefix() -> None:
    assert LIMITS["iam-role"].allows(prefix(record(LONGEST)) + LONGEST_ROLE)


def test_a_name_that_is_used_again_meets_nothing_of_the_last_one() -> None:
    first = record("qa", provider="aks", id=new_id())
    second = record("qa", provider="aks", id=new_id())
    assert names(first)["resource_group"] != names(second)["resource_group"]


def test_a_local_cluster_has_none() -> None:
    assert names(record("qa")) == {}
    assert tags(record("qa")) == {}


def test_tags_of_aws() -> None:
    made = tags(record("qa-x", provider="eks", branch="feature/ü#1", owner="ada@example.com"))
    assert made["karrots.dev/cluster"] == "qa-x"
    assert made["karrots.dev/branch"] == "feature/ü_1"
    assert made["karrots.dev/owner"] == "ada@example.com"
    assert "karrots.dev/parent" not in made


def test_labels_of_google_are_folded() -> None:
    made = tags(record("qa-x", provider="gke", branch="feature/JIRA-1234", expires="2026-11-28T10:00:00Z"))
    assert made["karrots-branch"] == "feature-jira-1234"
    assert made["karrots-expires"] == "2026-11-28t10-00-00z"
    assert all(len(value) <= 63 for value in made.values())


def test_tags_of_azure_have_no_slash() -> None:
    made = tags(record("qa-x", provider="aks", branch="b" * 300))
    assert not any("/" in name for name in made)
    assert len(made["karrots-branch"]) == 256
