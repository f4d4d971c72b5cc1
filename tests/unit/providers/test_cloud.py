"""What the three clouds have in common."""

from __future__ import annotations

import dataclasses

from karrots.providers.cloud import identity_variables
from karrots.spec.identity import IDENTITY_VARIABLES
from tests.support.variants import EKS


def test_a_root_learns_where_it_is_and_what_its_things_are_called() -> None:
    variant = EKS["eks-no-nat"]
    found = identity_variables(variant.record, variant.cloud)
    assert found == {
        "region": "eu-central-1",
        "account": "123456789012",
        "api_access": ["203.0.113.0/24"],
        "names": {"cluster": "qa-feature-x", "prefix": "qa-feature-x-w0r1d8ab"},
        "tags": {
            "karrots.dev/cluster": "qa-feature-x",
            "karrots.dev/id": "01k9z3v8q4n6t2m7x5w0r1d8ab",
            "karrots.dev/branch": "feature/x",
            "karrots.dev/owner": "ada@example.com",
            "karrots.dev/expires": "2026-11-27T10:00:00Z",
            "karrots.dev/parent": "qa",
        },
        "shared_network": None,
        "defaults": {},
    }


def test_the_parent_s_network_is_handed_on() -> None:
    variant = EKS["eks-shared"]
    found = identity_variables(variant.record, variant.cloud, variant.shared_network)
    assert found["shared_network"] == variant.shared_network


def test_the_record_says_where_it_is_also_when_karrots_yaml_has_moved_on() -> None:
    variant = EKS["eks-main"]
    moved = variant.cloud.model_copy(update={"region": "us-east-1", "account": "210987654321"})
    found = identity_variables(variant.record, moved)
    assert (found["region"], found["account"]) == ("eu-central-1", "123456789012")


def test_without_a_section_all_may_reach_the_api_server() -> None:
    record = dataclasses.replace(EKS["eks-main"].record, expires=None)
    found = identity_variables(record, None)
    assert found["api_access"] == []
    assert "karrots.dev/expires" not in found["tags"]


def test_none_of_them_is_a_variable_of_the_manifests() -> None:
    assert not {"names", "tags", "shared_network", "api_access", "account"} & set(IDENTITY_VARIABLES)
