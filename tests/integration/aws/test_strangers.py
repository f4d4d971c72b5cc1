"""What Terraform made and no state knows: it is named, taken over where it has one name, and else taken away."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from karrots import places
from karrots.adapters.aws_roles import ROLES
from karrots.adapters.aws_things import ID, TERRAFORMS
from karrots.fleet.cloud_names import names
from karrots.providers import eks, eks_strangers
from karrots.providers.base import Footprint, Leftover
from tests.integration.aws.test_preflight import described, spec
from tests.integration.aws.test_sweep import alive, record, surroundings
from tests.support import aws_planted as planted
from tests.support.aws import json_said
from tests.support.variants import VARIANTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from karrots.adapters.aws import Answer, Aws
    from karrots.fleet.record import Record
    from tests.support.aws import Asked, Cloud, Said
    from tests.support.aws_planted import Planted


def state(**attributes: object) -> dict[str, Any]:
    """One that knows things with these attributes."""
    instances = [{"attributes": value} for value in attributes.values()]
    return {"resources": [{"mode": "managed", "type": "x", "name": "x", "instances": instances}]}


TERRAFORM_MADE = set(TERRAFORMS) | {"log group"}


def whole(aws: Aws, of: Record) -> Planted:
    made = surroundings(aws, of, 20, marked=True)
    made.made_by_terraform()
    made.log_groups()
    return made


def known(made: Planted) -> dict[str, Any]:
    """The state of a Terraform that saved all of it."""
    [table] = [it for it in aws_tables(made) if it["RouteTableId"] == made.keys["route table"]]
    ids = {kind.replace(" ", "_"): {"id": key} for kind, key in made.keys.items()}
    ids |= {f"subnet_{at}": {"id": key} for at, key in enumerate(made.subnets)}
    ids["association"] = {"id": table["Associations"][0]["RouteTableAssociationId"]}
    ids["route"] = {"id": "r-x", "route_table_id": table["RouteTableId"], "destination_cidr_block": "0.0.0.0/0"}
    return ids


def aws_tables(made: Planted) -> list[Answer]:
    found: list[Answer] = made.aws.call("ec2", "describe_route_tables")["RouteTables"]
    return found


def unknown(of: Record, held: Mapping[str, Any]) -> set[str]:
    return {item.kind for item in eks.unknown(of, held, None)}


def test_what_terraform_made_and_no_state_knows_is_named(aws: Aws) -> None:
    """Controllers' things bear the id as well, and are never in a state; another's are another's."""
    ours, theirs = record("qa"), record("qa")
    mine = whole(aws, ours)
    mine.security_group()
    mine.volume()
    mine.launch_template()
    planted.cluster(aws, "qa", ours.id, mine.subnets)
    assert unknown(ours, {}) == TERRAFORM_MADE | {"EKS cluster"}
    assert unknown(theirs, {}) == set()
    saved = known(mine) | {"cluster": {"id": "qa"}}
    assert unknown(ours, state(**saved)) == set()
    assert unknown(ours, state(**{key: value for key, value in saved.items() if key != "cluster"})) == {"EKS cluster"}


@pytest.mark.parametrize("lacking", ["route", "association"])
def test_a_route_that_no_state_knows_is_named(aws: Aws, lacking: str) -> None:
    """It bears no tag; its table does. Terraform would make it a second time, and fail."""
    ours = record("qa")
    mine = whole(aws, ours)
    saved = {key: value for key, value in known(mine).items() if key != lacking}
    assert [item.kind for item in eks.unknown(ours, state(**saved), None)] == ["route"]


def test_routes_of_others_in_our_tables_are_none_of_terraforms_business(aws: Aws) -> None:
    ours = record("qa")
    mine = whole(aws, ours)
    saved = state(**known(mine))
    theirs = aws.call("ec2", "create_subnet", VpcId=mine.vpc, CidrBlock="10.20.9.0/24")["Subnet"]["SubnetId"]
    table, way_out = mine.keys["route table"], mine.keys["internet gateway"]
    aws.call("ec2", "associate_route_table", RouteTableId=table, SubnetId=theirs)
    aws.call("ec2", "create_route", RouteTableId=table, DestinationCidrBlock="192.0.2.0/24", GatewayId=way_out)
    assert eks.unknown(ours, saved, None) == ()


def test_what_the_state_knows_is_left_to_terraform(aws: Aws) -> None:
    ours = record("qa")
    mine = whole(aws, ours)
    planted.cluster(aws, "qa", ours.id, mine.subnets)
    kept = {"VPC", "subnet", "route_table", "internet_gateway", "role", "subnet_1"}
    saved = state(**{key: value for key, value in known(mine).items() if key in kept})
    eks.reclaim(ours, Footprint(), None, saved)
    assert alive(aws, mine) == {"VPC", "subnet", "route table", "internet gateway", "role"}
    assert aws.call("eks", "list_clusters")["clusters"] == []


def pieces(of: Record) -> Callable[[Asked], Said | None]:
    """Of a cluster: an add-on, an access entry and an association of Terraform, and an add-on of somebody else."""
    own = {"tags": {ID: of.id}}
    at = f"GET /clusters/{of.name}"
    association = {"namespace": "dns", "serviceAccount": "dns", "associationId": "a-1"}
    answers: dict[str, dict[str, Any]] = {
        f"{at}/addons": {"addons": ["coredns", "theirs"]},
        f"{at}/addons/coredns": {"addon": own},
        f"{at}/addons/theirs": {"addon": {"tags": {}}},
        f"{at}/access-entries": {"accessEntries": ["arn:x"]},
        f"{at}/access-entries/arn%3Ax": {"accessEntry": own},
        f"{at}/access-entries/arn:x": {"accessEntry": own},
        f"{at}/pod-identity-associations": {"associations": [association]},
        f"{at}/pod-identity-associations/a-1": {"association": own},
    }
    return lambda asked: json_said(answers[asked.action]) if asked.action in answers else None


def test_what_the_state_does_not_know_of_a_cluster_is_named(aws: Aws, cloud: Cloud) -> None:
    """Terraform would make each a second time, and fail."""
    ours = record("qa")
    mine = surroundings(aws, ours, 20, marked=True)
    planted.cluster(aws, "qa", ours.id, mine.subnets)
    cloud.front.script = pieces(ours)
    network = {"vpc": {"id": mine.vpc}, "one": {"id": mine.subnets[0]}, "two": {"id": mine.subnets[1]}}
    saved = network | {"cluster": {"id": "qa"}}
    found = eks.unknown(ours, state(**saved), None)
    assert {item.kind: item.name for item in found} == {
        "add-on": "coredns",
        "access entry": "arn:x",
        "Pod Identity association": "dns/dns",
    }
    saved |= {"addon": {"id": "qa:coredns"}, "entry": {"id": "qa:arn:x"}, "association": {"id": "a-1"}}
    cloud.front.asked.clear()
    assert eks.unknown(ours, state(**saved), None) == ()
    described = [it for it in cloud.front.asked if "/addons/" in it.action]
    assert [it.action for it in described] == ["GET /clusters/qa/addons/theirs"], "only of what is not known"


def test_without_a_cloud_nobody_is_asked(cloud: Cloud) -> None:
    assert eks.unknown(record("qa", region=""), {}, None) == ()
    assert cloud.front.asked == []


CLUSTER = Leftover("EKS cluster", "qa (CREATING)")


def test_what_has_one_name_is_taken_over_by_it(aws: Aws) -> None:
    ours = record("qa")
    mine = surroundings(aws, ours, 20, marked=True)
    mine.role()
    mine.log_groups()
    planted.cluster(aws, "qa", ours.id, mine.subnets)
    network = {"vpc": {"id": mine.vpc}, "one": {"id": mine.subnets[0]}, "two": {"id": mine.subnets[1]}}
    strangers = eks.unknown(ours, state(**network), None)
    assert eks.imports(ours, strangers, None, spec()) == {
        "aws_eks_cluster.cluster": "qa",
        "aws_iam_role.nodes": mine.keys["role"],
        "aws_cloudwatch_log_group.cluster": "/aws/eks/qa/cluster",
    }
    assert eks.imports(ours, [*strangers, Leftover("VPC", mine.vpc)], None, spec()) == {}, "all of them or none"


@pytest.mark.parametrize(("last", "taken"), [("ACTIVE", {"aws_eks_cluster.cluster": "qa"}), ("FAILED", {})])
def test_a_cluster_that_eks_still_makes_is_waited_for(aws: Aws, cloud: Cloud, last: str, taken: dict[str, str]) -> None:
    ours = record("qa")
    mine = surroundings(aws, ours, 20, marked=True)
    planted.cluster(aws, "qa", ours.id, mine.subnets)
    cloud.front.script = described(ours, "CREATING", "CREATING", "CREATING", last)
    assert eks.imports(ours, [CLUSTER], None, spec()) == taken


def test_a_role_that_the_root_has_no_place_for_is_not_taken_over() -> None:
    """Somebody changed cluster.yaml meanwhile: Terraform would refuse an import that leads nowhere."""
    ours = record("qa")
    role = f"{names(ours)['prefix']}-vpc-cni"
    assert eks.imports(ours, [Leftover("role", role)], None, spec()) == {"aws_iam_role.vpc_cni": role}
    assert eks.imports(ours, [Leftover("role", role)], None, spec("eks: {auto_mode: true}\n")) == {}


def test_addresses_are_those_of_the_template() -> None:
    text = "".join(file.read_text() for file in (places.templates() / "eks").iterdir())
    text += "".join(VARIANTS[name].files()["roles.tf"] for name in ("eks-services", "eks-karpenter"))
    assert set(eks_strangers.ROLES) == set(ROLES)
    for address in [*eks_strangers.ROLES.values(), "aws_eks_cluster.cluster", "aws_cloudwatch_log_group.cluster"]:
        kind, name, key = re.fullmatch(r'(\w+)\.(\w+)(?:\["(.+)"\])?', address).groups()  # type: ignore[union-attr]
        assert f'resource "{kind}" "{name}"' in text
        assert key is None or re.search(rf"^    {key} = {{", text, re.MULTILINE)
