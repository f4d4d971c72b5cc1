"""What is planted as a cluster's controllers would make it is found and deleted, and nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from karrots import places
from karrots.adapters.aws_inventory import FINDERS
from karrots.adapters.aws_roles import ROLES
from karrots.adapters.aws_things import ID
from karrots.errors import LoginNeeded
from karrots.fleet.record import Record, new_id
from karrots.providers import eks
from karrots.providers.base import Footprint
from tests.support import aws_planted as planted
from tests.support.aws import ACCOUNT, REGION, json_said
from tests.support.aws_planted import Planted
from tests.support.records import record as made_up
from tests.support.variants import VARIANTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from karrots.adapters.aws import Answer, Aws
    from tests.support.aws import Asked, Cloud, Said


def record(name: str = "qa", **changes: object) -> Record:
    plain = made_up(name, provider="eks", region=REGION, account=ACCOUNT, domain=f"{name}.example.com")
    return replace(plain, **changes)  # type: ignore[arg-type]


def surroundings(aws: Aws, of: Record, number: int, *, marked: bool) -> Planted:
    """`marked`: the controllers put our id on what they make, as the templates tell them to."""
    found = Planted(aws, of.name, of.id, f"10.{number}.0.0/16", of.domain, {ID: of.id} if marked else {})
    found.network()
    return found


def left(of: Record, footprint: Footprint | None = None) -> set[str]:
    swept = eks.sweep(of, footprint or Footprint(), None)
    return {item.kind for item in swept.left}


def alive(aws: Aws, whose: Planted) -> set[str]:
    """The kinds of its things that are still there, asked for without our own finders."""
    keys = whose.keys
    instances = [it for group in aws.call("ec2", "describe_instances")["Reservations"] for it in group["Instances"]]
    there = {
        "load balancer": [
            it["LoadBalancerArn"] for it in aws.call("elbv2", "describe_load_balancers")["LoadBalancers"]
        ],
        "target group": [it["TargetGroupArn"] for it in aws.call("elbv2", "describe_target_groups")["TargetGroups"]],
        "classic load balancer": [
            it["LoadBalancerName"] for it in aws.call("elb", "describe_load_balancers")["LoadBalancerDescriptions"]
        ],
        "instance": [it["InstanceId"] for it in instances if it["State"]["Name"] == "running"],
        "network interface": [
            it["NetworkInterfaceId"] for it in aws.call("ec2", "describe_network_interfaces")["NetworkInterfaces"]
        ],
        "security group": [it["GroupId"] for it in aws.call("ec2", "describe_security_groups")["SecurityGroups"]],
        "volume": [it["VolumeId"] for it in aws.call("ec2", "describe_volumes")["Volumes"]],
        "snapshot": [it["SnapshotId"] for it in aws.call("ec2", "describe_snapshots")["Snapshots"]],
        "launch template": [
            it["LaunchTemplateId"] for it in aws.call("ec2", "describe_launch_templates")["LaunchTemplates"]
        ],
        "log group": [it["logGroupName"] for it in aws.call("logs", "describe_log_groups")["logGroups"]],
        "OIDC provider": [
            it["Arn"] for it in aws.call("iam", "list_open_id_connect_providers")["OpenIDConnectProviderList"]
        ],
        "DNS record": dns_keys(aws),
        "role": [it["RoleName"] for it in aws.call("iam", "list_roles")["Roles"]],
        "NAT gateway": [it["NatGatewayId"] for it in standing(aws, "describe_nat_gateways", "NatGateways")],
        "VPC endpoint": [it["VpcEndpointId"] for it in standing(aws, "describe_vpc_endpoints", "VpcEndpoints")],
        "Elastic IP": [it["AllocationId"] for it in standing(aws, "describe_addresses", "Addresses")],
        "internet gateway": [
            it["InternetGatewayId"] for it in standing(aws, "describe_internet_gateways", "InternetGateways")
        ],
        "route table": [it["RouteTableId"] for it in standing(aws, "describe_route_tables", "RouteTables")],
        "subnet": [it["SubnetId"] for it in standing(aws, "describe_subnets", "Subnets")],
        "VPC": [it["VpcId"] for it in standing(aws, "describe_vpcs", "Vpcs")],
    }
    return {kind for kind, key in keys.items() if key in there[kind]}


def standing(aws: Aws, operation: str, key: str) -> list[Answer]:
    return [it for it in aws.call("ec2", operation)[key] if it.get("State") != "deleted"]


def dns_keys(aws: Aws) -> list[str]:
    found = []
    for zone in aws.call("route53", "list_hosted_zones")["HostedZones"]:
        name = zone["Id"].removeprefix("/hostedzone/")
        answer = aws.call("route53", "list_resource_record_sets", HostedZoneId=name)
        found += [f"{name}/{it['Name']}/{it['Type']}" for it in answer["ResourceRecordSets"]]
    return found


EVERY = set(FINDERS)


def test_exactly_ours_are_found_and_deleted(aws: Aws) -> None:
    """Beside us: a cluster of the same name-prefix, and one of the same name with another id."""
    zone = planted.hosted_zone(aws, "example.com")
    ours, longer = record("qa"), record("qa-two")
    theirs = record("qa", domain="other.example.com")
    planted.record(aws, zone, "www.qa.example.com", "A", "192.0.2.1")
    things = [surroundings(aws, of, number, marked=True) for number, of in enumerate((ours, longer, theirs), 20)]
    for each in things[:2]:
        each.all(zone)
    things[2].keys = {}
    for plant in ("security_group", "load_balancer", "classic_load_balancer", "target_group", "instance", "interface",
                  "volume", "snapshot", "launch_template", "oidc_provider"):  # fmt: skip
        getattr(things[2], plant)()
    things[2].records(zone)
    things[2].made_by_terraform()
    same_name = set(things[2].keys)

    assert left(ours) == EVERY
    eks.reclaim(ours, Footprint(), None)

    assert left(ours) == set()
    assert alive(aws, things[0]) == set()
    assert alive(aws, things[1]) == EVERY
    assert alive(aws, things[2]) == same_name
    assert f"{zone}/www.qa.example.com./A" in dns_keys(aws)
    assert not [key for key in dns_keys(aws) if ".qa.example.com" in key and "www" not in key]


def test_a_name_alone_is_enough_in_a_vpc_that_bears_our_id(aws: Aws) -> None:
    ours = record("qa")
    mine = surroundings(aws, ours, 20, marked=False)
    mine.load_balancer()
    mine.security_group()
    mine.interface()
    mine.instance()
    assert left(ours) == {"load balancer", "security group", "network interface", "instance", "VPC", "subnet"}
    eks.reclaim(ours, Footprint(), None)
    assert alive(aws, mine) == set()


def test_a_name_alone_is_only_told_where_nothing_proves_whose_it_is(aws: Aws) -> None:
    """A volume lies in no VPC; a load balancer in the parent's."""
    parent, ours = record("parent"), record("qa")
    shared = surroundings(aws, parent, 20, marked=True)
    mine = replace(shared, name="qa", id=ours.id, marks={}, keys={})
    mine.load_balancer()
    mine.volume()
    mine.log_groups()
    swept = eks.sweep(ours, Footprint(), None)
    assert {item.kind for item in swept.left} == {"load balancer", "volume", "log group"}
    assert all("by hand" in item.name for item in swept.left)
    eks.reclaim(ours, Footprint(), None)
    assert left(ours) == {"load balancer", "volume", "log group"}


# What copies a volume's tags to its snapshots (AWS Backup, Data Lifecycle Manager, Velero) copies the id too.
OF_A_BACKUP: dict[str, str | None] = {"CSIVolumeSnapshotName": None, "CSIVolumeName": "pvc-1"}


@pytest.mark.parametrize(
    "changes",
    [OF_A_BACKUP, {ID: None}, {"ebs.csi.aws.com/cluster-name": None}],
    ids=["by a backup", "without the id", "without the name"],
)
def test_a_snapshot_that_lacks_a_mark_is_told_and_left(aws: Aws, changes: dict[str, str | None]) -> None:
    """Also when it was seen while the cluster lived: what is kept of a cluster is kept on purpose."""
    ours = record("qa")
    mine = surroundings(aws, ours, 20, marked=True)
    planted.cluster(aws, "qa", ours.id, mine.subnets)
    mine.snapshot(**changes)
    footprint = eks.footprint(ours, None)
    aws.call("eks", "delete_cluster", name="qa")
    eks.reclaim(ours, footprint, None)
    told = [it for it in eks.sweep(ours, footprint, None).left if it.kind == "snapshot"]
    assert len(told) == 1
    assert told[0].doubtful
    assert told[0].name.startswith(mine.keys["snapshot"])
    assert "by hand" in told[0].name
    assert alive(aws, mine) == {"snapshot"}


def test_a_snapshot_of_another_id_is_not_told(aws: Aws) -> None:
    surroundings(aws, record("qa"), 20, marked=True).snapshot()
    assert "snapshot" not in left(record("qa"))


def test_what_was_seen_while_the_cluster_lived_is_its_own(aws: Aws) -> None:
    parent, ours = record("parent"), record("qa")
    shared = surroundings(aws, parent, 20, marked=True)
    mine = replace(shared, name="qa", id=ours.id, marks={}, keys={})
    planted.cluster(aws, "qa", ours.id, shared.subnets)
    mine.load_balancer()
    mine.volume()
    mine.log_groups()
    footprint = eks.footprint(ours, None)
    assert {"load balancers", "volumes", "log groups", "clusters"} <= set(footprint.held)
    aws.call("eks", "delete_cluster", name="qa")
    eks.reclaim(ours, footprint, None)
    swept = eks.sweep(ours, footprint, None)
    assert swept.left == ()
    assert swept.looked_for["load balancers"] == 1


def test_what_a_later_cluster_of_the_name_may_have_made_is_not_touched(aws: Aws) -> None:
    """The footprint knows the log group, but a cluster of that name lives again and writes to it."""
    ours, later = record("qa"), record("qa")
    new = surroundings(aws, later, 20, marked=True)
    planted.cluster(aws, "qa", later.id, new.subnets)
    replace(new, marks={}).log_groups()
    footprint = Footprint({"log groups": ("/aws/eks/qa/cluster",)})
    assert left(ours, footprint) == set()
    eks.reclaim(ours, footprint, None)
    assert aws.call("logs", "describe_log_groups")["logGroups"]
    assert eks.access(ours, {}, None) is None


def test_a_cluster_that_nobody_wrote_down_is_ended(aws: Aws) -> None:
    """Terraform was killed between EKS's answer and its state."""
    ours = record("qa")
    mine = surroundings(aws, ours, 20, marked=True)
    planted.cluster(aws, "qa", ours.id, mine.subnets)
    node_role = aws.call("iam", "get_role", RoleName=f"r-{ours.id}")["Role"]["Arn"]
    aws.call(
        "eks",
        "create_nodegroup",
        clusterName="qa",
        nodegroupName="default",
        subnets=list(mine.subnets),
        nodeRole=node_role,
    )
    assert "EKS cluster" in left(ours)
    eks.reclaim(ours, Footprint(), None)
    assert aws.call("eks", "list_clusters")["clusters"] == []


def test_a_cluster_of_our_name_and_another_id_is_left_alone(aws: Aws) -> None:
    ours, theirs = record("qa"), record("qa")
    other = surroundings(aws, theirs, 20, marked=True)
    planted.cluster(aws, "qa", theirs.id, other.subnets)
    assert left(ours) == set()
    eks.reclaim(ours, Footprint(), None)
    assert aws.call("eks", "list_clusters")["clusters"] == ["qa"]
    assert eks.footprint(ours, None).held == {}


def test_a_group_that_other_groups_let_in_goes_with_their_rules(aws: Aws) -> None:
    ours = record("qa")
    mine = surroundings(aws, ours, 20, marked=True)
    mine.security_group()
    nodes = aws.call("ec2", "create_security_group", GroupName="nodes", Description="x", VpcId=mine.vpc)["GroupId"]
    rule = {
        "IpProtocol": "tcp",
        "FromPort": 80,
        "ToPort": 80,
        "UserIdGroupPairs": [{"GroupId": mine.keys["security group"]}],
    }
    aws.call("ec2", "authorize_security_group_ingress", GroupId=nodes, IpPermissions=[rule])
    left_before = eks.drain(ours, None, None)
    assert [item.kind for item in left_before] == ["security group"]
    assert eks.drain(ours, None, None) == ()
    kept = aws.call("ec2", "describe_security_groups", GroupIds=[nodes])["SecurityGroups"][0]
    assert kept["IpPermissions"] == []


def test_draining_leaves_what_terraform_made(aws: Aws) -> None:
    """It bears our id, and no controller's mark."""
    ours = record("qa")
    mine = surroundings(aws, ours, 20, marked=True)
    tags = planted.pairs({ID: ours.id, "kubernetes.io/cluster/qa": "owned"})
    nodes = aws.call(
        "ec2", "create_security_group", GroupName="nodes", Description="x", VpcId=mine.vpc,
        TagSpecifications=[{"ResourceType": "security-group", "Tags": tags}],
    )["GroupId"]  # fmt: skip
    mine.load_balancer()
    while eks.drain(ours, None, None):
        pass
    assert alive(aws, mine) == set()
    assert aws.call("ec2", "describe_security_groups", GroupIds=[nodes])["SecurityGroups"]


def test_a_record_that_somebody_else_vouches_for_too_is_left(aws: Aws) -> None:
    ours = record("qa")
    zone = planted.hosted_zone(aws, "example.com")
    mine = Planted(aws, "qa", ours.id, "10.0.0.0/16", ours.domain)
    mine.records(zone)
    other = f'"heritage=external-dns,external-dns/owner={new_id()},external-dns/resource=x"'
    planted.record(aws, zone, "shop.qa.example.com", "TXT", other)
    eks.reclaim(ours, Footprint(), None)
    there = dns_keys(aws)
    assert f"{zone}/shop.qa.example.com./A" in there
    assert f"{zone}/shop.qa.example.com./TXT" in there
    assert f"{zone}/a-shop.qa.example.com./TXT" not in there
    assert f"{zone}/old.qa.example.com./CNAME" not in there


def test_in_another_account_nothing_is_looked_at(aws: Aws) -> None:
    with pytest.raises(LoginNeeded):
        eks.sweep(record("qa", account="999999999999"), Footprint(), None)
    with pytest.raises(LoginNeeded):
        eks.reclaim(record("qa", account="999999999999"), Footprint(), None)


def test_nothing_is_left_of_what_never_was(aws: Aws) -> None:
    swept = eks.sweep(record("qa"), Footprint(), None)
    assert swept.left == ()
    assert eks.footprint(record("qa"), None).held == {}
    assert eks.drain(record("qa"), None, None) == ()


def test_a_role_of_our_name_without_the_id_is_told_and_stays(aws: Aws) -> None:
    ours = record("qa")
    mine = Planted(aws, "qa", ours.id, "10.0.0.0/16", ours.domain)
    mine.role({})
    footprint = Footprint({"roles": (mine.keys["role"],)})
    eks.reclaim(ours, footprint, None)
    swept = eks.sweep(ours, footprint, None)
    assert [(item.kind, "by hand" in item.name) for item in swept.left] == [("role", True)]


def test_a_part_of_our_network_without_the_id_is_told_and_stays(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody put a subnet there: it holds the VPC, and they should know."""
    monkeypatch.setattr(eks, "GOING_SECONDS", 0)
    ours = record("qa")
    mine = surroundings(aws, ours, 20, marked=True)
    own = {"Key": "kubernetes.io/cluster/qa", "Value": "owned"}
    theirs = aws.call("ec2", "create_subnet", VpcId=mine.vpc, CidrBlock="10.20.9.0/24")["Subnet"]["SubnetId"]
    aws.call("ec2", "create_tags", Resources=[theirs], Tags=[own])
    eks.reclaim(ours, Footprint({"subnets": (theirs,)}), None)
    swept = eks.sweep(ours, Footprint({"subnets": (theirs,)}), None)
    assert {item.kind: "by hand" in item.name for item in swept.left} == {"VPC": False, "subnet": True}
    assert [it["SubnetId"] for it in standing(aws, "describe_subnets", "Subnets") if it["VpcId"] == mine.vpc] == [
        theirs
    ]


def going(of: Record, looks: int) -> Callable[[Asked], Said | None]:
    """EKS says for so many looks that the cluster is on its way out."""
    left = [{"name": of.name, "arn": "arn:x", "status": "DELETING", "tags": {ID: of.id}}] * looks

    def answer(asked: Asked) -> Said | None:
        if asked.action == f"GET /clusters/{of.name}/node-groups":
            return json_said({"nodegroups": []})
        return json_said({"cluster": left.pop()}) if left and asked.action == f"GET /clusters/{of.name}" else None

    return answer


def test_roles_and_logs_wait_until_the_cluster_is_gone(aws: Aws, cloud: Cloud) -> None:
    """EKS needs the first to take its own things away, and would make the second anew."""
    ours = record("qa")
    mine = surroundings(aws, ours, 20, marked=True)
    mine.made_by_terraform()
    mine.log_groups()
    planted.cluster(aws, "qa", ours.id, mine.subnets)
    cloud.front.asked.clear()
    cloud.front.script = going(ours, looks=6)
    eks.reclaim(ours, Footprint(), None)
    assert alive(aws, mine) == set()
    asked = [str(it) for it in cloud.front.asked]
    last_seen = max(at for at, it in enumerate(asked) if it == "eks DELETE /clusters/qa")
    order = ["ec2 DeleteNatGateway", "ec2 ReleaseAddress", "ec2 DeleteInternetGateway"]
    assert last_seen < asked.index("iam DeleteRole")
    assert last_seen < asked.index("logs DeleteLogGroup")
    assert [last_seen, *map(asked.index, order)] == sorted([last_seen, *map(asked.index, order)])


def test_the_names_of_roles_are_those_of_the_template() -> None:
    """A role that is not asked for by its name would stay for ever."""
    text = "".join(file.read_text() for file in (places.templates() / "eks").iterdir())
    named = re.findall(r'\{var\.names\.prefix\}-([a-z-]+)"\n  assume_role_policy', text)
    asked = [VARIANTS[name].files()["roles.tf"] for name in ("eks-services", "eks-karpenter")]
    found = {*named, *(role for root in (text, *asked) for role in re.findall(r'role   = "([a-z-]+)"', root))}
    assert found == set(ROLES)


def test_what_a_team_shares_with_a_cluster_is_the_teams(aws: Aws) -> None:
    """`kubernetes.io/cluster/<name>: shared` lets the cluster use a thing; it says nothing of who made it."""
    ours = record("qa")
    mine = surroundings(aws, ours, 20, marked=True)
    planted.cluster(aws, "qa", ours.id, mine.subnets)
    network = aws.call("ec2", "create_vpc", CidrBlock="10.50.0.0/16")["Vpc"]["VpcId"]
    made = aws.call("ec2", "create_security_group", GroupName="team", Description="x", VpcId=network)["GroupId"]
    tag = {"Key": "kubernetes.io/cluster/qa", "Value": "shared"}
    aws.call("ec2", "create_tags", Resources=[made], Tags=[tag])
    footprint = eks.footprint(ours, None)
    assert made not in footprint.held.get("security groups", ())
    eks.reclaim(ours, footprint, None)
    groups = [it["GroupId"] for it in aws.call("ec2", "describe_security_groups")["SecurityGroups"]]
    assert made in groups


def test_a_log_group_that_somebody_keeps_below_the_clusters_name_stays(aws: Aws) -> None:
    ours = record("qa")
    mine = surroundings(aws, ours, 20, marked=True)
    planted.cluster(aws, "qa", ours.id, mine.subnets)
    for name in ("/aws/eks/qa/cluster", "/aws/eks/qa/audit-archive"):
        aws.call("logs", "create_log_group", logGroupName=name)
    footprint = eks.footprint(ours, None)
    assert footprint.held["log groups"] == ("/aws/eks/qa/cluster",)
    eks.reclaim(ours, footprint, None)
    left = [it["logGroupName"] for it in aws.call("logs", "describe_log_groups")["logGroups"]]
    assert left == ["/aws/eks/qa/audit-archive"]
