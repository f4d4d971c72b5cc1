"""Of an AWS account: who is logged in, for how long, where, and how much of its quotas is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from karrots import clock
from karrots.adapters.aws import items, tags_of, understood
from karrots.adapters.aws_errors import LOGIN_HINT, AwsLoginNeeded, AwsRejected, AwsWrongAccount

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from karrots.adapters.aws import Answer, Aws

# Where a partition's list of regions is asked for: a region that is always enabled.
HOMES = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
# The ways to log in whose credentials stay as they were read; all others are renewed by the SDK, and by Terraform.
FIXED = ("env", "shared-credentials-file", "explicit", "config-file")
USED = ("pending", "running")
STANDARD = "acdhimrtz"  # first letters of the families that share the vCPU quota L-1216C47A


@dataclass(frozen=True)
class Caller:
    account: str
    arn: str


@dataclass(frozen=True)
class Lifetime:
    """How long the credentials last. `seconds` is None when nothing says so; `renewed` without our doing."""

    way: str
    seconds: float | None
    renewed: bool
    temporary: bool


@dataclass(frozen=True)
class Quota:
    service: str
    code: str
    what: str


VPCS = Quota("vpc", "L-F678F1CE", "VPCs")
ADDRESSES = Quota("ec2", "L-0263D0A3", "Elastic IPs")
NAT_GATEWAYS = Quota("vpc", "L-FE5A380F", "NAT gateways")
VCPUS = Quota("ec2", "L-1216C47A", "vCPUs")
CLUSTERS = Quota("eks", "L-1194D53C", "EKS clusters")


def caller(aws: Aws, account: str = "") -> Caller:
    """Raises AwsWrongAccount when `account` is given and another one answers."""
    answer = aws.call("sts", "get_caller_identity")
    with understood("sts GetCallerIdentity"):
        found = Caller(str(answer["Account"]), str(answer["Arn"]))
    if account and found.account != account:
        raise AwsWrongAccount(account, found.account, found.arn)
    return found


def lifetime(aws: Aws) -> Lifetime:
    """Raises AwsLoginNeeded where there are no credentials."""
    found = aws.credentials()
    if found is None:
        raise AwsLoginNeeded("you are not logged in to AWS", why="no credentials were found", hint=LOGIN_HINT)
    way = str(getattr(found, "method", "") or "unknown")
    ends = getattr(found, "_expiry_time", None)  # the SDK has no public word for it
    seconds = ends.timestamp() - clock.seconds() if ends is not None else None
    return Lifetime(way, seconds, renewed=way not in FIXED, temporary=bool(getattr(found, "token", None)))


def regions(aws: Aws) -> dict[str, bool]:
    """All of the partition by name, and whether the account may use them."""
    home = HOMES.get(aws.partition, aws.region)
    answer = aws.call("ec2", "describe_regions", region=home, AllRegions=True)
    with understood("ec2 DescribeRegions"):
        return {str(it["RegionName"]): it.get("OptInStatus") != "not-opted-in" for it in items(answer, "Regions")}


def zones(aws: Aws) -> list[str]:
    """Names of the availability zones a cluster may use, in order."""
    answer = aws.call("ec2", "describe_availability_zones")
    with understood("ec2 DescribeAvailabilityZones"):
        return sorted(
            str(it["ZoneName"])
            for it in items(answer, "AvailabilityZones")
            if it.get("State") == "available" and it.get("ZoneType", "availability-zone") == "availability-zone"
        )


def offered(aws: Aws, types: Iterable[str]) -> dict[str, set[str]]:
    """In which zones each instance type can be had."""
    wanted = sorted(set(types))
    found: dict[str, set[str]] = {name: set() for name in wanted}
    filters = [{"Name": "instance-type", "Values": wanted}]
    pages = aws.pages(
        "ec2", "describe_instance_type_offerings", "InstanceTypeOfferings",
        LocationType="availability-zone", Filters=filters,
    )  # fmt: skip
    with understood("ec2 DescribeInstanceTypeOfferings"):
        for it in pages:
            found.setdefault(str(it["InstanceType"]), set()).add(str(it["Location"]))
    return found


def vcpus(aws: Aws, types: Iterable[str]) -> dict[str, int]:
    """Of each instance type that exists."""
    wanted = sorted(set(types))
    filters = [{"Name": "instance-type", "Values": wanted}]
    pages = aws.pages("ec2", "describe_instance_types", "InstanceTypes", Filters=filters)
    with understood("ec2 DescribeInstanceTypes"):
        return {str(it["InstanceType"]): int(it["VCpuInfo"]["DefaultVCpus"]) for it in pages}


def limit(aws: Aws, quota: Quota) -> float | None:
    """What the account may have of it; None when AWS does not say."""
    for operation in ("get_service_quota", "get_aws_default_service_quota"):
        try:
            answer = aws.call("service-quotas", operation, ServiceCode=quota.service, QuotaCode=quota.code)
        except AwsRejected as error:
            if error.reason != "NoSuchResourceException":
                raise
            continue
        with understood("service-quotas GetServiceQuota"):
            return float(answer["Quota"]["Value"])
    return None


def used(aws: Aws, quota: Quota) -> list[dict[str, str]]:
    """The tags of each thing that counts against the quota now; for vCPUs once for each of them."""
    return COUNTS[quota](aws)


def _vpcs(aws: Aws) -> list[dict[str, str]]:
    return [tags_of(it) for it in aws.pages("ec2", "describe_vpcs", "Vpcs")]


def _addresses(aws: Aws) -> list[dict[str, str]]:
    return [tags_of(it) for it in items(aws.call("ec2", "describe_addresses"), "Addresses")]


def _nat_gateways(aws: Aws) -> list[dict[str, str]]:
    """Of the fullest zone: the quota is one of each zone."""
    alive = [{"Name": "state", "Values": ["pending", "available", "deleting"]}]
    subnets = {
        str(it.get("SubnetId")): str(it.get("AvailabilityZone"))
        for it in aws.pages("ec2", "describe_subnets", "Subnets")
    }
    zones: dict[str, list[dict[str, str]]] = {}
    for it in aws.pages("ec2", "describe_nat_gateways", "NatGateways", Filter=alive):
        zones.setdefault(subnets.get(str(it.get("SubnetId")), ""), []).append(tags_of(it))
    return max(zones.values(), key=len, default=[])


def _clusters(aws: Aws) -> list[dict[str, str]]:
    more: Answer = {}
    found: list[dict[str, str]] = []
    while True:
        answer = aws.call("eks", "list_clusters", **more)
        found += [{} for _ in answer.get("clusters") or ()]
        if not answer.get("nextToken"):
            return found
        more = {"nextToken": answer["nextToken"]}


def _vcpus(aws: Aws) -> list[dict[str, str]]:
    filters = [{"Name": "instance-state-name", "Values": list(USED)}]
    found: list[dict[str, str]] = []
    for reservation in aws.pages("ec2", "describe_instances", "Reservations", Filters=filters):
        for it in items(reservation, "Instances"):
            found += [tags_of(it)] * _cores(it)
    return found


def _cores(instance: Answer) -> int:
    """Spot instances have a quota of their own, and so have families that are not standard."""
    if instance.get("InstanceLifecycle") == "spot" or not str(instance.get("InstanceType", "")).startswith(
        tuple(STANDARD)
    ):
        return 0
    options = instance.get("CpuOptions") or {}
    return int(options.get("CoreCount") or 1) * int(options.get("ThreadsPerCore") or 1)


COUNTS: Mapping[Quota, Callable[[Aws], list[dict[str, str]]]] = {
    VPCS: _vpcs, ADDRESSES: _addresses, NAT_GATEWAYS: _nat_gateways, CLUSTERS: _clusters, VCPUS: _vcpus,
}  # fmt: skip


def ranges(aws: Aws, vpc: str) -> list[str]:
    """The IPv4 ranges of a VPC, in CIDR form; none when it is not there."""
    try:
        answer = aws.call("ec2", "describe_vpcs", VpcIds=[vpc])
    except AwsRejected as error:
        if error.reason != "InvalidVpcID.NotFound":
            raise
        return []
    with understood("ec2 DescribeVpcs"):
        return [
            str(part["CidrBlock"])
            for it in items(answer, "Vpcs")
            for part in items(it, "CidrBlockAssociationSet")
            if (part.get("CidrBlockState") or {}).get("State") == "associated"
        ]
