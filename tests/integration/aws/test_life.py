"""Reaching a cluster, what a stopped run left of it, and which rights all of it needs."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from karrots import effects
from karrots.adapters import aws_errors
from karrots.adapters.aws_errors import AwsGarbled
from karrots.adapters.aws_state import S3Bucket
from karrots.providers import eks
from karrots.providers.base import Footprint
from tests.integration.aws.test_preflight import CA_DATA, described, of_parent, section, spec
from tests.integration.aws.test_strangers import pieces
from tests.integration.aws.test_sweep import record, surroundings
from tests.support import aws_planted as planted
from tests.support.aws import ACCOUNT, REGION, Cloud

if TYPE_CHECKING:
    from karrots.adapters.aws import Aws
    from karrots.effects import Fault
    from karrots.fleet.record import Record
    from karrots.providers.base import Provider

PLACE: Provider = eks  # the type checker compares them
POLICY = Path(__file__).parents[3] / "docs" / "policies" / "aws.json"
PEM = "-----BEGIN CERTIFICATE-----\n"


def made(aws: Aws) -> Record:
    ours = record("qa", network="10.64.0.0/20")
    mine = surroundings(aws, ours, 20, marked=True)
    planted.cluster(aws, "qa", ours.id, mine.subnets)
    return ours


def test_it_is_reached_by_terraforms_outputs_without_asking(cloud: Cloud) -> None:
    outputs = {"endpoint": "https://x.eks.amazonaws.com", "ca_data": CA_DATA}
    access = eks.access(record("qa"), outputs, None)
    assert access is not None
    assert (access.server, access.ca) == ("https://x.eks.amazonaws.com", PEM)
    assert access.tokens is not None
    assert access.tokens.now().text.startswith("k8s-aws-v1.")
    assert cloud.front.asked == []


def test_outputs_that_are_none_are_told(cloud: Cloud) -> None:
    with pytest.raises(AwsGarbled):
        eks.access(record("qa"), {"endpoint": "https://x", "ca_data": "%"}, None)


def test_it_is_reached_by_asking_eks(aws: Aws, cloud: Cloud) -> None:
    ours = made(aws)
    cloud.front.script = described(ours, "ACTIVE")
    access = eks.access(ours, {}, None)
    assert access is not None
    assert (access.server, access.ca) == ("https://qa.eks.amazonaws.com", PEM)
    assert eks.access(record("qa"), {}, None) is None
    assert eks.access(record("none"), {}, None) is None


@pytest.mark.parametrize("status", ["CREATING", "DELETING", "FAILED"])
def test_a_cluster_that_does_not_answer_yet_is_not_reached(aws: Aws, cloud: Cloud, status: str) -> None:
    ours = made(aws)
    cloud.front.script = described(ours, status)
    assert eks.access(ours, {}, None) is None


def test_its_parts_are_told(aws: Aws) -> None:
    ours = made(aws)
    role = aws.call("iam", "get_role", RoleName=f"r-{ours.id}")["Role"]["Arn"]
    subnets = aws.call("ec2", "describe_subnets")["Subnets"][:1]
    aws.call("eks", "create_nodegroup", clusterName="qa", nodegroupName="default", nodeRole=role,
             subnets=[it["SubnetId"] for it in subnets])  # fmt: skip
    found = {part.name: part.state for part in eks.parts(ours, None)}
    assert found == {"control plane": "active", "nodes default": "active"}
    assert [part.state for part in eks.parts(record("none"), None)] == ["not there"]


def state(status: str = "tainted", kind: str = "aws_eks_cluster", **instance: Any) -> dict[str, Any]:
    one = {"status": status, "attributes": {"name": "qa"}, **instance}
    name = "cluster" if kind == "aws_eks_cluster" else "fixed"
    return {"resources": [{"mode": "managed", "type": kind, "name": name, "instances": [one]}]}


def test_a_tainted_cluster_that_is_active_is_whole(aws: Aws) -> None:
    assert eks.untaint(made(aws), state(), None) == ("aws_eks_cluster.cluster",)


def test_nothing_tainted_asks_nobody(cloud: Cloud) -> None:
    assert eks.untaint(record("qa"), state(status=""), None) == ()
    assert eks.untaint(record("qa"), {}, None) == ()
    assert cloud.front.asked == []


def test_one_that_eks_still_makes_is_waited_for(aws: Aws, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("karrots.providers.eks.time.sleep", slept.append)
    ours = made(aws)
    cloud.front.script = described(ours, "CREATING", "CREATING", "CREATING", "CREATING", "ACTIVE")
    assert eks.untaint(ours, state(), None) == ("aws_eks_cluster.cluster",)
    assert slept


@pytest.mark.parametrize("status", ["FAILED", "DELETING"])
def test_one_that_failed_is_made_again(aws: Aws, cloud: Cloud, status: str) -> None:
    ours = made(aws)
    cloud.front.script = described(ours, status)
    assert eks.untaint(ours, state(), None) == ()


def test_anothers_of_the_same_name_stays_tainted(aws: Aws) -> None:
    made(aws)
    assert eks.untaint(record("qa"), state(), None) == ()


def test_node_groups_have_addresses_with_keys(aws: Aws) -> None:
    ours = made(aws)
    role = aws.call("iam", "get_role", RoleName=f"r-{ours.id}")["Role"]["Arn"]
    subnet = aws.call("ec2", "describe_subnets")["Subnets"][0]["SubnetId"]
    aws.call("eks", "create_nodegroup", clusterName="qa", nodegroupName="big", nodeRole=role, subnets=[subnet])
    attributes = {"node_group_name": "big"}
    found = state(kind="aws_eks_node_group", index_key="big", attributes=attributes)
    assert eks.untaint(ours, found, None) == ('aws_eks_node_group.fixed["big"]',)
    gone = state(kind="aws_eks_node_group", index_key="x", attributes={"node_group_name": "x"})
    assert eks.untaint(ours, gone, None) == ()


class Heard:
    """Stands where a fault plan stands, and writes down which rights each call needs."""

    def __init__(self) -> None:
        self.actions: set[str] = set()
        self._one = threading.Lock()

    def next(self, site: str) -> Fault | None:
        kind, _, what = site.partition(" ")
        service, _, operation = what.partition(" ")
        if kind == "aws" and operation:
            with self._one:
                self.actions.add(aws_errors.action_of(service, operation))
        return None

    def skewed(self, moment: float) -> float:
        return moment


def test_the_policy_in_the_documentation_is_what_is_called(aws: Aws, cloud: Cloud) -> None:
    """Planting is done first, so that only the door's own calls are heard."""
    ours = record("qa", network="10.64.0.0/20")
    zone = planted.hosted_zone(aws, "example.com")
    mine = surroundings(aws, ours, 20, marked=True)
    mine.all(zone)
    parent = record("parent", network="10.99.0.0/16")
    theirs = surroundings(aws, parent, 99, marked=True)
    planted.cluster(aws, "parent", parent.id, theirs.subnets)
    planted.cluster(aws, "qa", ours.id, mine.subnets)
    role = aws.call("iam", "get_role", RoleName=f"r-{ours.id}")["Role"]["Arn"]
    aws.call("eks", "create_nodegroup", clusterName="qa", nodegroupName="big", nodeRole=role, subnets=[mine.subnets[0]])
    nodes = aws.call("ec2", "create_security_group", GroupName="nodes", Description="x", VpcId=mine.vpc)["GroupId"]
    pair = [{"GroupId": mine.keys["security group"]}]
    rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": pair}
    aws.call("ec2", "authorize_security_group_ingress", GroupId=nodes, IpPermissions=[rule])
    aws.call("ec2", "authorize_security_group_egress", GroupId=nodes, IpPermissions=[rule])
    bucket = S3Bucket("fleet-states", REGION, ACCOUNT)
    bucket.mend("bucket")
    heard = Heard()
    effects.arm(heard)
    try:
        eks.preflight(spec(), of_parent(parent), section(), parent)
        eks.parts(ours, None)
        footprint = eks.footprint(ours, None)
        cloud.front.script = pieces(ours)
        eks.unknown(ours, {"resources": [{"mode": "managed", "instances": [{"attributes": {"id": "qa"}}]}]}, None)
        cloud.front.script = lambda _: None
        eks.drain(ours, None, None)
        eks.reclaim(ours, footprint, None)
        eks.sweep(ours, footprint, None)
        eks.sweep(ours, Footprint(), None)
        bucket.facts(thorough=True)
        bucket.holds("karrots/none.tfstate")
        bucket.remove("karrots/none.tfstate")
    finally:
        effects.arm(None)
    written = {action for it in json.loads(POLICY.read_text())["Statement"] for action in it["Action"]}
    # every quota that is asked for has a value of its own
    assert written - heard.actions == {"servicequotas:GetAWSDefaultServiceQuota"}
    assert heard.actions - written == set()
