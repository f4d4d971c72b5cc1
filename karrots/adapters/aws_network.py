"""A cluster's network as Terraform makes it: the VPC and its parts, all of which bear the cluster's id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from karrots.adapters.aws import Answer, Aws, items, tags_of, understood
from karrots.adapters.aws_things import CLUSTER, ID, Kind, Thing, Whose, once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

OVER = {"deleted", "failed"}  # listed for an hour
ASSOCIATION = "rtbassoc-"


def _part(it: Answer, kind: Kind, key: str, vpc: str = "") -> Thing:
    tags = tags_of(it)
    return Thing(kind, str(it[key]), tags.get("Name", ""), tags, vpc or str(it.get("VpcId") or ""))


def _asked(
    aws: Aws, whose: Whose, operation: str, key: str, *, vpc: str = "vpc-id", parameter: str = "Filters"
) -> Iterator[Answer]:
    """What bears our id, our name, or lies in our VPC: what is not ours there would hold it."""
    questions = {f"tag:{ID}": [whose.id], f"tag:{CLUSTER}": [whose.name]}
    questions |= {vpc: sorted(whose.vpcs)} if vpc and whose.vpcs else {}
    for name, values in questions.items():
        filters: Answer = {parameter: [{"Name": name, "Values": values}]}
        yield from aws.pages("ec2", operation, key, **filters)


def _nat_gateways(aws: Aws, whose: Whose) -> Iterator[Thing]:
    """One that goes holds its address and its subnet for a minute."""
    found = _asked(aws, whose, "describe_nat_gateways", "NatGateways", parameter="Filter")
    with understood("ec2 DescribeNatGateways"):
        yield from once(_part(it, "NAT gateway", "NatGatewayId") for it in found if it["State"] not in OVER)


def _addresses(aws: Aws, whose: Whose) -> Iterator[Thing]:
    found = _asked(aws, whose, "describe_addresses", "Addresses", vpc="")
    with understood("ec2 DescribeAddresses"):
        yield from once(_part(it, "Elastic IP", "AllocationId") for it in found)


def _endpoints(aws: Aws, whose: Whose) -> Iterator[Thing]:
    found = _asked(aws, whose, "describe_vpc_endpoints", "VpcEndpoints")
    with understood("ec2 DescribeVpcEndpoints"):
        yield from once(
            _part(it, "VPC endpoint", "VpcEndpointId") for it in found if str(it.get("State")).lower() not in OVER
        )


def _internet_gateways(aws: Aws, whose: Whose) -> Iterator[Thing]:
    found = _asked(aws, whose, "describe_internet_gateways", "InternetGateways", vpc="attachment.vpc-id")
    with understood("ec2 DescribeInternetGateways"):
        yield from once(
            _part(it, "internet gateway", "InternetGatewayId", next((str(at["VpcId"]) for at in attached), ""))
            for it in found
            for attached in [items(it, "Attachments")]
        )


def _subnets(aws: Aws, whose: Whose) -> Iterator[Thing]:
    found = _asked(aws, whose, "describe_subnets", "Subnets")
    with understood("ec2 DescribeSubnets"):
        yield from once(_part(it, "subnet", "SubnetId") for it in found)


def _route_tables(aws: Aws, whose: Whose) -> Iterator[Thing]:
    """Without the main one, which goes with its VPC."""
    found = _asked(aws, whose, "describe_route_tables", "RouteTables")
    with understood("ec2 DescribeRouteTables"):
        yield from once(
            _route_table(it) for it in found if not any(part.get("Main") for part in items(it, "Associations"))
        )


def _route_table(it: Answer) -> Thing:
    table = _part(it, "route table", "RouteTableId")
    associations = {
        str(part["RouteTableAssociationId"]): str(part["SubnetId"])
        for part in items(it, "Associations")
        if part.get("SubnetId")
    }
    out = any(route.get("DestinationCidrBlock") == "0.0.0.0/0" for route in items(it, "Routes"))
    routes = {f"{table.key}_0.0.0.0/0": ""} if out else {}
    return Thing(table.kind, table.key, table.name, table.tags, table.vpc, holds={**associations, **routes})


def _vpcs(aws: Aws, whose: Whose) -> Iterator[Thing]:  # noqa: ARG001  (they were asked for already)
    yield from (Thing("VPC", vpc, "", {ID: whose.id}) for vpc in sorted(whose.vpcs))


# In the order in which they can go.
FINDERS: Mapping[Kind, Callable[[Aws, Whose], Iterator[Thing]]] = {
    "NAT gateway": _nat_gateways,
    "Elastic IP": _addresses,
    "VPC endpoint": _endpoints,
    "internet gateway": _internet_gateways,
    "subnet": _subnets,
    "route table": _route_tables,
    "VPC": _vpcs,
}


def _detach_and_delete(aws: Aws, thing: Thing) -> None:
    if thing.vpc:
        aws.call("ec2", "detach_internet_gateway", InternetGatewayId=thing.key, VpcId=thing.vpc)
    aws.call("ec2", "delete_internet_gateway", InternetGatewayId=thing.key)


def _take_off_and_delete(aws: Aws, thing: Thing) -> None:
    for part in thing.holds:
        if part.startswith(ASSOCIATION):
            aws.call("ec2", "disassociate_route_table", AssociationId=part)
    aws.call("ec2", "delete_route_table", RouteTableId=thing.key)


REMOVERS: Mapping[Kind, Callable[[Aws, Thing], object]] = {
    "NAT gateway": lambda aws, it: aws.call("ec2", "delete_nat_gateway", NatGatewayId=it.key),
    "Elastic IP": lambda aws, it: aws.call("ec2", "release_address", AllocationId=it.key),
    "VPC endpoint": lambda aws, it: aws.call("ec2", "delete_vpc_endpoints", VpcEndpointIds=[it.key]),
    "internet gateway": _detach_and_delete,
    "subnet": lambda aws, it: aws.call("ec2", "delete_subnet", SubnetId=it.key),
    "route table": _take_off_and_delete,
    "VPC": lambda aws, it: aws.call("ec2", "delete_vpc", VpcId=it.key),
}
