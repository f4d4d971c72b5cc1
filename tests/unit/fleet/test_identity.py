from __future__ import annotations

import pytest

from karrots.errors import UsageError
from karrots.fleet.identity import terraform_variables, variables
from karrots.fleet.record import Parent
from karrots.spec.identity import IDENTITY_VARIABLES
from tests.support.records import record

COPY = record(
    "qa-copy",
    parent=Parent(name="qa", id="0" * 26, commit="a" * 40),
    network="10.64.0.0/20",
    expires="2026-11-28T07:00:00Z",
)


def test_flux_gets_every_variable_that_lint_knows() -> None:
    assert set(variables(COPY, {})) == set(IDENTITY_VARIABLES)
    assert set(variables(record("qa"), {})) == set(IDENTITY_VARIABLES)


def test_a_copy_makes_no_further_sealing_keys() -> None:
    assert variables(COPY, {})["cluster_key_renewal"] == "0s"
    assert variables(record("qa"), {})["cluster_key_renewal"] == ""


def test_variables_of_the_content_come_along() -> None:
    merged = variables(COPY, {"log_level": "debug"})
    assert (merged["log_level"], merged["cluster_name"], merged["cluster_parent"]) == ("debug", "qa-copy", "qa")


def test_content_cannot_take_an_identitys_name() -> None:
    with pytest.raises(UsageError, match="'cluster_name'"):
        variables(COPY, {"cluster_name": "prod"})


def test_terraform_gets_text_only() -> None:
    assert terraform_variables(COPY) == {
        "cluster_id": COPY.id,
        "cluster_name": "qa-copy",
        "cluster_domain": "qa-copy.example.com",
        "cluster_network": "10.64.0.0/20",
        "cluster_branch": "feature/qa-copy",
        "cluster_owner": "ada@example.com",
        "cluster_expires": "2026-11-28T07:00:00Z",
        "cluster_parent": "qa",
    }
    assert terraform_variables(record("qa"))["cluster_parent"] == ""


def test_what_only_the_cloud_knows_comes_from_its_outputs() -> None:
    subnets = '[{"id":"subnet-1"}]'
    told = {"vpc_id": "vpc-1", "dns_identity": "dns@example", "endpoint": "https://x", "node_subnets": subnets}
    found = variables(COPY, {}, told)
    assert found["cluster_node_subnets"] == subnets
    assert (found["cluster_vpc"], found["cluster_dns_identity"]) == ("vpc-1", "dns@example")
    assert "endpoint" not in found
    assert (variables(COPY, {})["cluster_vpc"], variables(COPY, {}, {"vpc_id": None})["cluster_vpc"]) == ("", "")
