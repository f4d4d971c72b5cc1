"""Deleting what aws_things proved to be a cluster's own, in the order in which AWS lets things go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from karrots.adapters import aws_dns, aws_network, aws_roles
from karrots.adapters.aws import Answer, Aws, items
from karrots.adapters.aws_errors import AwsRejected
from karrots.adapters.aws_inventory import FINDERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from karrots.adapters.aws_things import Kind, Thing

# Somebody else was faster, or it is on its way.
GONE = (
    "AccessPointNotFound", "InvalidGroup.NotFound", "InvalidInstanceID.NotFound", "InvalidLaunchTemplateId.NotFound",
    "InvalidNetworkInterfaceID.NotFound", "InvalidSnapshot.NotFound", "InvalidVolume.NotFound", "LoadBalancerNotFound",
    "NoSuchEntity", "NoSuchEntityException", "ResourceNotFoundException", "TargetGroupNotFound",
    "InvalidPermission.NotFound", "InvalidAllocationID.NotFound", "InvalidAssociationID.NotFound",
    "InvalidInternetGatewayID.NotFound", "InvalidRouteTableID.NotFound", "InvalidSubnetID.NotFound",
    "InvalidVpcEndpointId.NotFound", "InvalidVpcID.NotFound", "NatGatewayNotFound",
)  # fmt: skip
# It goes once something else has gone: it is asked for again.
HELD = ("DependencyViolation", "InvalidNetworkInterface.InUse", "InvalidSnapshot.InUse", "InvalidParameterValue",
        "ResourceInUse", "VolumeInUse", "IncorrectState", "OperationNotPermitted", "InvalidIPAddress.InUse",
        "DeleteConflict", "Gateway.NotAttached")  # fmt: skip
# AWS would say no in words that mean something else: an address that a gateway still has is 'not yours', and one whose
# VPC has no way out any more cannot be given back.
AFTER: Mapping[Kind, Kind] = {"Elastic IP": "NAT gateway", "internet gateway": "Elastic IP"}


def remove(aws: Aws, things: Iterable[Thing]) -> tuple[Thing, ...]:
    """Ask AWS to take them away; gives those that cannot go yet."""
    order = list(FINDERS)
    wanted = sorted(things, key=lambda it: order.index(it.kind))
    there = {thing.kind for thing in wanted}
    return tuple(it for it in wanted if AFTER.get(it.kind) in there or not _removed(aws, it))


def _removed(aws: Aws, thing: Thing) -> bool:
    try:
        REMOVERS[thing.kind](aws, thing)
    except AwsRejected as error:
        if error.reason in HELD:
            return False
        if error.reason not in GONE:
            raise
    return True


def _security_group(aws: Aws, thing: Thing) -> None:
    """Rules that name it, in other groups of its VPC and in itself, would hold it."""
    for group in aws.pages("ec2", "describe_security_groups", "SecurityGroups", Filters=_naming(thing.key, "")):
        _revoke(aws, "revoke_security_group_ingress", group, "IpPermissions", thing.key)
    for group in aws.pages("ec2", "describe_security_groups", "SecurityGroups", Filters=_naming(thing.key, "egress.")):
        _revoke(aws, "revoke_security_group_egress", group, "IpPermissionsEgress", thing.key)
    aws.call("ec2", "delete_security_group", GroupId=thing.key)


def _naming(group: str, way: str) -> list[Answer]:
    return [{"Name": f"{way}ip-permission.group-id", "Values": [group]}]


def _revoke(aws: Aws, operation: str, group: Answer, key: str, named: str) -> None:
    rules = []
    for rule in items(group, key):
        pairs = [{"GroupId": named} for pair in items(rule, "UserIdGroupPairs") if pair.get("GroupId") == named]
        ports: Answer = {name: rule[name] for name in ("IpProtocol", "FromPort", "ToPort") if name in rule}
        rules += [{**ports, "UserIdGroupPairs": pairs}] if pairs else []
    if rules:
        aws.call("ec2", operation, GroupId=group["GroupId"], IpPermissions=rules)


def _dns_record(aws: Aws, thing: Thing) -> None:
    if thing.entry is not None:
        aws_dns.remove(aws, thing.entry)


REMOVERS: Mapping[Kind, Callable[[Aws, Thing], object]] = {
    "load balancer": lambda aws, it: aws.call("elbv2", "delete_load_balancer", LoadBalancerArn=it.key),
    "classic load balancer": lambda aws, it: aws.call("elb", "delete_load_balancer", LoadBalancerName=it.key),
    "target group": lambda aws, it: aws.call("elbv2", "delete_target_group", TargetGroupArn=it.key),
    "instance": lambda aws, it: aws.call("ec2", "terminate_instances", InstanceIds=[it.key]),
    "network interface": lambda aws, it: aws.call("ec2", "delete_network_interface", NetworkInterfaceId=it.key),
    "security group": _security_group,
    "volume": lambda aws, it: aws.call("ec2", "delete_volume", VolumeId=it.key),
    "snapshot": lambda aws, it: aws.call("ec2", "delete_snapshot", SnapshotId=it.key),
    "launch template": lambda aws, it: aws.call("ec2", "delete_launch_template", LaunchTemplateId=it.key),
    "log group": lambda aws, it: aws.call("logs", "delete_log_group", logGroupName=it.key),
    "DNS record": _dns_record,
    "OIDC provider": lambda aws, it: aws.call(
        "iam", "delete_open_id_connect_provider", OpenIDConnectProviderArn=it.key
    ),
    "role": aws_roles.remove_role,
    **aws_network.REMOVERS,
}  # fmt: skip
