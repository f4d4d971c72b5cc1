"""Everything that can be known before the first paid minute, and each way in which it can be bad."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from karrots.adapters.aws_things import ID
from karrots.adapters.endpoint import Reach
from karrots.fleet.record import Parent
from karrots.providers import eks, endpoint
from karrots.spec.cluster import load_cluster
from karrots.spec.fleet import Eks
from tests.integration.aws.test_account import temporary
from tests.integration.aws.test_sweep import record, surroundings
from tests.support import aws_planted as planted
from tests.support.aws import ACCOUNT, REGION, Asked, Cloud, Said, json_said, refused, refused_xml

if TYPE_CHECKING:
    from karrots.adapters.aws import Aws
    from karrots.fleet.record import Record
    from karrots.providers.base import Check
    from karrots.spec.cluster import ClusterSpec


CA_DATA = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg=="


def described(of: Record, *statuses: str) -> Any:
    """EKS says one after the other, and the last for good."""
    left = list(statuses)

    def answer(asked: Asked) -> Said | None:
        if asked.action != f"GET /clusters/{of.name}":
            return None
        status = left.pop(0) if len(left) > 1 else left[0]
        found = {"name": of.name, "arn": "arn:x", "status": status, "tags": {ID: of.id}}
        found |= {"endpoint": f"https://{of.name}.eks.amazonaws.com", "certificateAuthority": {"data": CA_DATA}}
        return json_said({"cluster": found})

    return answer


def spec(text: str = "", *, version: str = "1.36", size: str = "m5.large", count: int = 2) -> ClusterSpec:
    return load_cluster(
        f"apiVersion: karrots.dev/v1\nkind: Cluster\nprovider: eks\nkubernetes: '{version}'\n"
        f"nodes:\n  default:\n    size: {size}\n    count: {count}\n{text}",
        "cluster.yaml",
    )


def section(**changes: Any) -> Eks:
    plain = {"account": ACCOUNT, "region": REGION}
    return Eks(**{**plain, **changes})


def rows(
    content: ClusterSpec | None = None,
    of: Record | None = None,
    settings: Eks | None = None,
    parent: Record | None = None,
) -> dict[str, Check]:
    of = of or record("qa", network="10.64.0.0/20")
    return {row.what: row for row in eks.preflight(content or spec(), of, settings or section(), parent)}


def bad(found: dict[str, Check]) -> dict[str, Check]:
    return {what: row for what, row in found.items() if not row.ok}


def test_an_account_where_all_is_well(cloud: Cloud) -> None:
    found = rows()
    assert bad(found) == {}
    assert {"AWS login", "AWS credentials", "AWS region", "Kubernetes version", "VPCs", "Elastic IPs",
            "NAT gateways", "vCPUs", "EKS clusters", "instance type m5.large", "address range", "cluster name",
            "zones"} == set(found)  # fmt: skip
    assert all(row.found for row in found.values())


def test_without_settings_it_says_what_to_write() -> None:
    (row,) = eks.preflight(spec(), record("qa"), None, None)
    assert not row.ok
    assert "karrots.yaml" in row.hint


def test_the_extra_is_named_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    (row,) = eks.preflight(spec(), record("qa"), section(), None)
    assert (row.ok, row.hint) == (False, "pip install 'karrots[aws]'")


def test_nobody_logged_in_is_one_row(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    found = rows()
    assert set(found) == {"AWS login"}
    assert "aws sso login" in found["AWS login"].hint


def test_expired_credentials_are_one_row(cloud: Cloud) -> None:
    cloud.front.script = lambda asked: refused_xml("ExpiredToken", "The token has expired", 403)
    found = rows()
    assert set(found) == {"AWS login"}
    assert "has ended" in found["AWS login"].found


def test_the_wrong_account_is_told_with_both_numbers(cloud: Cloud) -> None:
    found = bad(rows(of=record("qa", account="999999999999")))
    assert "999999999999" in found["AWS login"].found
    assert ACCOUNT in found["AWS login"].found
    assert "AWS_PROFILE" in found["AWS login"].hint


def test_credentials_that_end_soon_are_told(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary(monkeypatch, minutes=30)
    row = bad(rows())["AWS credentials"]
    assert "end in" in row.found
    assert "log in" in row.hint


def test_a_region_that_does_not_exist(cloud: Cloud) -> None:
    found = bad(rows(of=record("qa", region="eu-nowhere-1"), settings=section(region="eu-nowhere-1", state=None)))
    assert "no region 'eu-nowhere-1'" in found["AWS region"].found
    assert "eu-central-1" in found["AWS region"].hint


def test_a_region_that_is_not_enabled_is_the_one_row(cloud: Cloud) -> None:
    """Everything in such a region answers as to a log-in that nobody knows."""

    def answer(asked: Asked) -> Said | None:
        if asked.region != "ap-east-1":
            return None
        known = asked.service in {"sts", "ec2"}
        return refused_xml("InvalidClientTokenId", status=403) if known else refused("UnrecognizedClientException")

    cloud.front.script = answer
    found = rows(of=record("qa", region="ap-east-1"), settings=section(region="ap-east-1", state=None))
    assert set(found) == {"AWS region"}
    assert "not enabled" in found["AWS region"].found
    assert "enable-region" in found["AWS region"].hint


@pytest.mark.parametrize("version", ["1.29", "1.99"])
def test_a_version_that_is_not_on_offer(cloud: Cloud, version: str) -> None:
    row = bad(rows(spec(version=version)))["Kubernetes version"]
    assert version in row.found
    assert "1.36" in row.hint
    assert "1.29" not in row.hint


def test_a_version_out_of_standard_support_costs_six_times_as_much(cloud: Cloud) -> None:
    assert "out of standard support" in bad(rows(spec(version="1.33")))["Kubernetes version"].found


@pytest.mark.parametrize(
    ("code", "what", "limit"),
    [
        ("L-F678F1CE", "VPCs", 1),
        ("L-0263D0A3", "Elastic IPs", 0),
        ("L-FE5A380F", "NAT gateways", 0),
        ("L-1216C47A", "vCPUs", 3),
        ("L-1194D53C", "EKS clusters", 0),
    ],
)
def test_a_quota_that_is_used_up(cloud: Cloud, code: str, what: str, limit: int) -> None:
    """The account has a VPC of its own, and two m5.large have four vCPUs."""
    cloud.front.quotas[code] = limit
    found = bad(rows())
    assert set(found) == {what}
    assert f"of {limit} used" in found[what].found
    assert f"--quota-code {code}" in found[what].hint
    assert "karrots ls" in found[what].hint


def test_what_is_made_already_needs_no_more(cloud: Cloud, aws: Aws) -> None:
    """A second run, or apply, in an account that the first one has filled."""
    ours = record("qa", network="10.64.0.0/20")
    mine = surroundings(aws, ours, 20, marked=True)
    planted.cluster(aws, "qa", ours.id, mine.subnets)
    cloud.front.quotas |= {"L-F678F1CE": 2, "L-1194D53C": 1}
    assert bad(rows(of=ours)) == {}
    cloud.front.quotas |= {"L-F678F1CE": 1}  # lowered below what is there: no reason to stop what needs no more
    assert bad(rows(of=ours)) == {}
    assert set(bad(rows(of=record("qb", network="10.65.0.0/20")))) == {"VPCs", "EKS clusters"}


SHARED = "network:\n  mode: shared\n"
PRIVATE = "  api: private\n"


@pytest.fixture
def parent(aws: Aws) -> Record:
    """A cluster that lives."""
    made = record("parent", network="10.99.0.0/16")
    planted.cluster(aws, "parent", made.id, surroundings(aws, made, 99, marked=True).subnets)
    return made


def test_a_network_of_the_parents_needs_no_vpc(cloud: Cloud, parent: Record) -> None:
    cloud.front.quotas |= {"L-F678F1CE": 1, "L-0263D0A3": 0, "L-FE5A380F": 0}
    found = rows(spec(SHARED), of=of_parent(parent), parent=parent)
    assert bad(found) == {}
    assert found["network"].found.endswith(" of 'parent'")


def test_a_network_of_a_parent_that_is_not_there(cloud: Cloud) -> None:
    assert "no parent that lives" in bad(rows(spec(SHARED)))["network"].found
    gone = record("parent", network="10.99.0.0/16")
    row = bad(rows(spec(SHARED), of=of_parent(gone), parent=gone))["network"]
    assert (row.found, row.hint) == (
        f"it is to be that of 'parent', which EKS in {REGION} does not have",
        "karrots status parent",
    )


def test_a_network_of_another_cluster_of_the_parents_name(cloud: Cloud, parent: Record) -> None:
    other = replace(parent, id=record("parent").id)
    assert "which EKS in" in bad(rows(spec(SHARED), of=of_parent(other), parent=other))["network"].found


def test_a_private_api_server_that_nobody_knows_a_way_to(cloud: Cloud) -> None:
    row = bad(rows(spec("network:\n" + PRIVATE)))["API server"]
    assert row.found == "it will be private, and there is nothing yet to try the way to it with"
    assert "set 'network.api: public' in cluster.yaml" in row.hint


def test_a_private_api_server_beside_one_that_cannot_be_reached(
    cloud: Cloud, parent: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def reached(server: str, ca: str) -> Reach:
        tried.append(server)
        return Reach(server, "timeout", "nobody answers", "10.99.1.2")

    monkeypatch.setattr(endpoint, "reachable", reached)
    row = bad(rows(spec(SHARED + PRIVATE), of=of_parent(parent), parent=parent))["API server"]
    assert row.found == f"private, and {tried[0]}: nobody answers"


def test_of_a_private_cluster_that_is_made_the_way_is_tried(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = record("qa", network="10.64.0.0/20")
    cloud.front.script = described(ours, "ACTIVE")
    monkeypatch.setattr(endpoint, "reachable", lambda server, ca, **_: Reach(server, "timeout", "silence", "10.20.0.9"))
    row = bad(rows(spec("network:\n" + PRIVATE), of=ours))["API server"]
    assert row.found.endswith(": silence")
    assert "a VPN" in row.hint


def test_a_machine_that_the_region_does_not_have(cloud: Cloud) -> None:
    row = bad(rows(spec(size="x9.huge")))["instance type x9.huge"]
    assert "cluster.yaml" in row.hint


def test_a_machine_that_one_of_the_zones_does_not_have(cloud: Cloud) -> None:
    text = (
        "<DescribeInstanceTypeOfferingsResponse xmlns='http://ec2.amazonaws.com/doc/2016-11-15/'>"
        "<instanceTypeOfferingSet><item><instanceType>m5.large</instanceType><location>eu-central-1a</location>"
        "<locationType>availability-zone</locationType></item></instanceTypeOfferingSet>"
        "</DescribeInstanceTypeOfferingsResponse>"
    )
    cloud.front.script = lambda asked: (
        Said(200, text.encode(), "text/xml") if asked.action == "DescribeInstanceTypeOfferings" else None
    )
    row = bad(rows())["instance type m5.large"]
    assert row.found == "not in eu-central-1b"


def of_parent(parent: Record) -> Record:
    return record("qa", network="10.64.0.0/20", parent=Parent(name=parent.name, id=parent.id, commit="0" * 40))


def test_a_range_that_overlaps_the_one_the_parent_leased(cloud: Cloud) -> None:
    parent = record("parent", network="10.64.8.0/21")
    row = bad(rows(of=of_parent(parent), parent=parent))["address range"]
    assert "10.64.8.0/21 of 'parent'" in row.found


def test_a_range_that_overlaps_what_the_parent_has_by_now(cloud: Cloud, aws: Aws) -> None:
    """Somebody gave its VPC a second range."""
    parent = record("parent", network="10.99.0.0/16")
    theirs = surroundings(aws, parent, 99, marked=True)
    found = {"name": "parent", "arn": "arn:x", "status": "ACTIVE", "resourcesVpcConfig": {"vpcId": theirs.vpc}}
    cloud.front.script = lambda asked: (  # moto does not say which VPC a cluster is in
        json_said({"cluster": found}) if asked.action == "GET /clusters/parent" else None
    )
    aws.call("ec2", "associate_vpc_cidr_block", VpcId=theirs.vpc, CidrBlock="10.64.0.0/16")
    assert "overlaps 10.64.0.0/16" in bad(rows(of=of_parent(parent), parent=parent))["address range"].found
    apart = replace(of_parent(parent), network="10.65.0.0/20")
    assert bad(rows(of=apart, parent=parent)) == {}


def test_a_name_that_another_cluster_has(cloud: Cloud, aws: Aws) -> None:
    other = surroundings(aws, record("qa"), 20, marked=True)
    planted.cluster(aws, "qa", other.id, other.subnets)
    assert "not of this fleet's record" in bad(rows())["cluster name"].found


def test_what_may_not_be_looked_at_is_no_reason_to_stop(cloud: Cloud) -> None:
    def answer(asked: Asked) -> Said | None:
        return refused("AccessDeniedException", status=400) if asked.service == "servicequotas" else None

    cloud.front.script = answer
    found = rows()
    assert bad(found) == {}
    assert "not looked at" in found["VPCs"].found
    assert "servicequotas:GetServiceQuota" in found["VPCs"].hint


def test_a_service_that_answers_garbage_is_told_in_its_row(cloud: Cloud) -> None:
    def answer(asked: Asked) -> Said | None:
        return Said(200, b"<html>", "text/html") if "cluster-versions" in asked.action else None

    cloud.front.script = answer
    found = bad(rows())
    assert set(found) == {"Kubernetes version"}
    assert "no answer" in found["Kubernetes version"].found
    assert found["Kubernetes version"].hint


def test_throttling_is_told_in_its_row(cloud: Cloud, pauses: list[float]) -> None:
    def answer(asked: Asked) -> Said | None:
        return refused("TooManyRequestsException", status=429) if asked.service == "servicequotas" else None

    cloud.front.script = answer
    assert set(bad(rows())) == {"VPCs", "Elastic IPs", "NAT gateways", "vCPUs", "EKS clusters"}


def test_nothing_is_changed(cloud: Cloud) -> None:
    cloud.front.asked.clear()
    rows()
    reading = ("Describe", "Get", "List", "GET", "HEAD")
    assert [str(it) for it in cloud.front.asked if not it.action.startswith(reading)] == []


def test_a_dns_zone_that_is_not_the_accounts(cloud: Cloud, aws: Aws) -> None:
    content = spec("services: {external-dns: {}}\n")
    row = bad(rows(content))["DNS zone"]
    assert row.found == f"no zone of account {ACCOUNT} holds qa.example.com, below which external-dns write records"
    planted.hosted_zone(aws, "example.com")
    assert rows(content)["DNS zone"].found == "example.com holds qa.example.com"
