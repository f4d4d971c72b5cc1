"""Reaching a cluster, what a stopped run left of it, and which rights all of it needs."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from karrots import effects
from karrots.adapters import aws_errors
from karrots.adapters.aws_account import VPCS
from karrots.adapters.aws_errors import AwsDenied, AwsGarbled
from karrots.adapters.aws_state import S3Bucket
from karrots.errors import Failed, LoginNeeded
from karrots.providers import eks
from karrots.providers.base import Footprint
from tests.integration.aws.test_preflight import CA_DATA, described, of_parent, section, spec
from tests.integration.aws.test_strangers import pieces
from tests.integration.aws.test_sweep import record, surroundings
from tests.support import aws_planted as planted
from tests.support.aws import ACCOUNT, REGION, Asked, Cloud, Said, json_said, refused
from tests.support.aws_rights import without

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
    monkeypatch.setattr("karrots.providers.waiting.time.sleep", slept.append)
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


@dataclass(frozen=True)
class Life:
    """All there can be of a cluster, a parent that lives, and the bucket of their states."""

    ours: Record
    parent: Record
    bucket: S3Bucket

    def looked(self) -> Iterator[str]:
        """All questions, one after the other; what is said to a person about each."""
        eks.parts(self.ours, None)
        eks.footprint(self.ours, None)
        told = eks.preflight(spec(), of_parent(self.parent), section(), self.parent)
        yield " ".join(f"{row.found} {row.hint}" for row in told)
        eks.unknown(self.ours, {"resources": [{"mode": "managed", "instances": [{"attributes": {"id": "qa"}}]}]}, None)

    def looked_at_states(self) -> Iterator[str]:
        yield " ".join(f"{fact.found} " for fact in self.bucket.facts(thorough=True) if not fact.ok)
        self.bucket.holds("karrots/none.tfstate")
        self.bucket.remove("karrots/none.tfstate")

    def taken_away(self, footprint: Footprint) -> None:
        eks.drain(self.ours, None, None)
        eks.reclaim(self.ours, footprint, None)
        eks.sweep(self.ours, footprint, None)
        eks.sweep(self.ours, Footprint(), None)


@pytest.fixture
def life(aws: Aws) -> Life:
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
    return Life(ours, parent, bucket)


def unknown_to_moto(of: Record) -> Callable[[Asked], Said | None]:
    others = pieces(of)
    return lambda asked: answered(asked) or others(asked)


def answered(asked: Asked) -> Said | None:
    """An add-on of each cluster, and a quota that was never changed for this account."""
    if re.fullmatch(r"GET /clusters/[^/]+/addons", asked.action):
        return json_said({"addons": ["coredns"]})
    if re.fullmatch(r"GET /clusters/[^/]+/addons/coredns", asked.action):
        return json_said({"addon": {"addonName": "coredns", "addonVersion": "v1", "status": "ACTIVE"}})
    if asked.action == "GetServiceQuota" and VPCS.code.encode() in asked.body:
        return refused("NoSuchResourceException")
    return None


def actions(statement: str = "") -> set[str]:
    statements = json.loads(POLICY.read_text())["Statement"]
    return {action for it in statements if statement in it["Sid"] for action in it["Action"]}


# Of a role, what would hold it: asked for when it is taken away.
OF_A_REMOVAL = {"iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole", "iam:ListRolePolicies"}
# What S3 asks for where a version is deleted and not the object; the SDK has one call for both.
OF_A_VERSION = "s3:DeleteObjectVersion"


def test_the_policy_in_the_documentation_is_what_is_called(life: Life, cloud: Cloud) -> None:
    """Planting is done before, so that only the door's own calls are heard."""
    cloud.front.script = unknown_to_moto(life.ours)
    heard = Heard()
    effects.arm(heard)
    try:
        assert [len(list(life.looked())), len(list(life.looked_at_states()))] == [1, 1]
        life.taken_away(eks.footprint(life.ours, None))
    finally:
        effects.arm(None)
    assert actions() - heard.actions == {OF_A_VERSION}
    assert heard.actions - actions() == set()


def refusal(told: str) -> bool:
    """As S3's door words it, which does not know of rights."""
    return "AccessDenied" in told or "this login may not use it" in told


def missed(right: str, life: Life) -> bool:
    """By its name, or for S3 by what cannot be done."""
    try:
        if right.startswith("s3:"):
            return any(refusal(told) for told in life.looked_at_states())
        return any(right in told for told in life.looked())
    except AwsDenied as error:
        return error.action == right
    except (Failed, LoginNeeded) as error:
        return right.startswith("s3:") and "fleet-states" in str(error)


def test_each_right_to_look_is_missed(life: Life, cloud: Cloud) -> None:
    """Taken away one by one."""
    rights = (actions("LookEverywhere") | actions("TheBucketOfStates")) - OF_A_REMOVAL
    unnoticed = []
    for right in sorted(rights):
        cloud.front.script = without({right}, unknown_to_moto(life.ours))
        if not missed(right, life):
            unnoticed.append(right)
    assert unnoticed == []


def test_with_all_rights_none_is_missed(life: Life, cloud: Cloud) -> None:
    cloud.front.script = without((), unknown_to_moto(life.ours))
    told = " ".join([*life.looked(), *life.looked_at_states()])
    assert [right for right in actions() if right in told] == []
    assert "AccessDenied" not in told


def test_each_right_to_take_away_is_missed_by_its_name(life: Life, cloud: Cloud) -> None:
    """None is there at first; each is given once it was asked for, and what it was for is then gone."""
    left, asked_for = actions("SweepAfterADestroy") | OF_A_REMOVAL, []
    seen = eks.footprint(life.ours, None)
    while True:
        cloud.front.script = without(left, unknown_to_moto(life.ours))
        try:
            life.taken_away(seen)
            break
        except AwsDenied as error:
            asked_for.append(error.action)
            left.remove(error.action)
    assert left == set()
    assert set(asked_for) == actions("SweepAfterADestroy") | OF_A_REMOVAL
    certain = [it.kind for it in eks.sweep(life.ours, seen, None).left if "by hand" not in it.name]
    assert certain == []
