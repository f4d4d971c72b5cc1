"""Where in an AWS region a cluster's things are looked for; whose they are is for aws_things to say."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from karrots.adapters import aws_network, aws_roles
from karrots.adapters.aws import Aws, items, tags_of, understood
from karrots.adapters.aws_dns import entries
from karrots.adapters.aws_things import ID, SNAPSHOT, Found, Kind, Thing, Whose, described, once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

BATCH = 20  # the most that one call about tags of load balancers takes


def find(aws: Aws, whose: Whose, kinds: Iterable[Kind] = ()) -> Found:
    """Everything of these kinds (of all, when none is named); each kind is asked for in a thread of its own."""
    wanted = [FINDERS[kind] for kind in (kinds or FINDERS)]
    with ThreadPoolExecutor(max_workers=len(wanted)) as pool:
        found = [thing for things in pool.map(lambda finder: list(finder(aws, whose)), wanted) for thing in things]
    return Found(tuple(filter(whose.owns, found)), tuple(filter(whose.doubts, found)))


def _instances(aws: Aws, whose: Whose) -> Iterator[Thing]:
    names = ("eks:eks-cluster-name", "eks:cluster-name")
    reservations = described(aws, whose, "describe_instances", "Reservations", names, in_vpc=True)
    with understood("ec2 DescribeInstances"):
        yield from once(
            Thing("instance", str(it["InstanceId"]), tags.get("Name", ""), tags, str(it.get("VpcId", "")))
            for reservation in reservations
            for it in items(reservation, "Instances")
            for tags in [tags_of(it)]
            if it["State"]["Name"] not in {"terminated", "shutting-down"}
        )


def _interfaces(aws: Aws, whose: Whose) -> Iterator[Thing]:
    """What AWS made for a service of its own (load balancers, NAT, the control plane) goes with that."""
    names = ("cluster.k8s.amazonaws.com/name", "eks:eks-cluster-name")
    found = described(aws, whose, "describe_network_interfaces", "NetworkInterfaces", names, in_vpc=True)
    with understood("ec2 DescribeNetworkInterfaces"):
        yield from once(
            Thing(
                "network interface",
                str(it["NetworkInterfaceId"]),
                str(it.get("Description", "")),
                tags_of(it, "TagSet"),
                str(it.get("VpcId", "")),
                str(it.get("Description", "")),
            )
            for it in found
            if not it.get("RequesterManaged") and it.get("Status") == "available"
        )


def _security_groups(aws: Aws, whose: Whose) -> Iterator[Thing]:
    names = ("elbv2.k8s.aws/cluster", "eks:eks-cluster-name", "aws:eks:cluster-name")
    found = described(aws, whose, "describe_security_groups", "SecurityGroups", names, in_vpc=True)
    with understood("ec2 DescribeSecurityGroups"):
        yield from once(
            Thing("security group", str(it["GroupId"]), str(it["GroupName"]), tags_of(it), str(it.get("VpcId", "")))
            for it in found
            if it["GroupName"] != "default"  # goes with its VPC, and cannot go before
        )


def _volumes(aws: Aws, whose: Whose) -> Iterator[Thing]:
    """A volume that is in use goes with its instance, or after it."""
    names = ("ebs.csi.aws.com/cluster-name", "eks:eks-cluster-name")
    found = described(aws, whose, "describe_volumes", "Volumes", names, in_vpc=False)
    with understood("ec2 DescribeVolumes"):
        yield from once(
            Thing("volume", str(it["VolumeId"]), _claim(tags), tags)
            for it in found
            for tags in [tags_of(it)]
            if it.get("State") not in {"deleting", "deleted"}
        )


def _snapshots(aws: Aws, whose: Whose) -> Iterator[Thing]:
    names = ("ebs.csi.aws.com/cluster-name", "eks:eks-cluster-name")
    found = described(aws, whose, "describe_snapshots", "Snapshots", names, in_vpc=False)
    with understood("ec2 DescribeSnapshots"):
        yield from once(
            Thing("snapshot", str(it["SnapshotId"]), tags.get(SNAPSHOT, ""), tags)
            for it in found
            for tags in [tags_of(it)]
        )


def _claim(tags: Mapping[str, str]) -> str:
    parts = (tags.get(f"kubernetes.io/created-for/pvc/{part}", "") for part in ("namespace", "name"))
    return "/".join(filter(None, parts))


def _launch_templates(aws: Aws, whose: Whose) -> Iterator[Thing]:
    names = ("karpenter.k8s.aws/cluster", "eks:eks-cluster-name", "eks:cluster-name")
    found = described(aws, whose, "describe_launch_templates", "LaunchTemplates", names, in_vpc=False)
    with understood("ec2 DescribeLaunchTemplates"):
        yield from once(
            Thing("launch template", str(it["LaunchTemplateId"]), str(it["LaunchTemplateName"]), tags_of(it))
            for it in found
        )


def _load_balancers(aws: Aws, whose: Whose) -> Iterator[Thing]:  # noqa: ARG001  (all of the region; tags tell)
    pages = aws.pages("elbv2", "describe_load_balancers", "LoadBalancers")
    with understood("elbv2 DescribeLoadBalancers"):
        found = {str(it["LoadBalancerArn"]): it for it in pages}
    for arn, tags in _tags_of_balancers(aws, list(found)):
        yield Thing("load balancer", arn, str(found[arn]["LoadBalancerName"]), tags, str(found[arn].get("VpcId", "")))


def _target_groups(aws: Aws, whose: Whose) -> Iterator[Thing]:  # noqa: ARG001
    pages = aws.pages("elbv2", "describe_target_groups", "TargetGroups")
    with understood("elbv2 DescribeTargetGroups"):
        found = {str(it["TargetGroupArn"]): it for it in pages}
    for arn, tags in _tags_of_balancers(aws, list(found)):
        yield Thing("target group", arn, str(found[arn]["TargetGroupName"]), tags, str(found[arn].get("VpcId", "")))


def _tags_of_balancers(aws: Aws, arns: list[str]) -> Iterator[tuple[str, dict[str, str]]]:
    for batch in _batches(arns):
        answer = aws.call("elbv2", "describe_tags", ResourceArns=batch)
        with understood("elbv2 DescribeTags"):
            yield from ((str(it["ResourceArn"]), tags_of(it)) for it in items(answer, "TagDescriptions"))


def _classic_load_balancers(aws: Aws, whose: Whose) -> Iterator[Thing]:  # noqa: ARG001
    pages = aws.pages("elb", "describe_load_balancers", "LoadBalancerDescriptions")
    with understood("elb DescribeLoadBalancers"):
        found = {str(it["LoadBalancerName"]): it for it in pages}
    for batch in _batches(list(found)):
        answer = aws.call("elb", "describe_tags", LoadBalancerNames=batch)
        with understood("elb DescribeTags"):
            for it in items(answer, "TagDescriptions"):
                name = str(it["LoadBalancerName"])
                yield Thing("classic load balancer", name, name, tags_of(it), str(found[name].get("VPCId", "")))


def _batches(names: list[str]) -> Iterator[list[str]]:
    for first in range(0, len(names), BATCH):
        yield names[first : first + BATCH]


LOG_GROUPS = ("cluster", "application", "dataplane", "host", "performance")


def _log_groups(aws: Aws, whose: Whose) -> Iterator[Thing]:
    """EKS's own and Container Insights'; what else somebody keeps below such a name is somebody's."""
    for prefix in (f"/aws/eks/{whose.name}/", f"/aws/containerinsights/{whose.name}/"):
        for it in aws.pages("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=prefix):
            with understood("logs DescribeLogGroups"):
                name, arn = str(it["logGroupName"]), str(it["arn"]).removesuffix(":*")
            if name.removeprefix(prefix) not in LOG_GROUPS:
                continue
            tags = aws.call("logs", "list_tags_for_resource", resourceArn=arn).get("tags") or {}
            yield Thing("log group", name, name, dict(tags))


def _dns_records(aws: Aws, whose: Whose) -> Iterator[Thing]:
    """External-dns writes our id beside each of its records: a record without that is never found here."""
    for entry in entries(aws, whose.id, whose.domain):
        yield Thing("DNS record", entry.key, entry.title, {ID: whose.id}, entry=entry)


def _oidc_providers(aws: Aws, whose: Whose) -> Iterator[Thing]:  # noqa: ARG001
    answer = aws.call("iam", "list_open_id_connect_providers")
    with understood("iam ListOpenIDConnectProviders"):
        arns = [str(it["Arn"]) for it in items(answer, "OpenIDConnectProviderList")]
    for arn in arns:
        if "oidc-provider/oidc.eks." in arn:
            tags = aws.call("iam", "list_open_id_connect_provider_tags", OpenIDConnectProviderArn=arn)
            yield Thing("OIDC provider", arn, arn.rpartition("/")[2], tags_of(tags))


# In the order in which they can go.
FINDERS: Mapping[Kind, Callable[[Aws, Whose], Iterator[Thing]]] = {
    "load balancer": _load_balancers,
    "classic load balancer": _classic_load_balancers,
    "target group": _target_groups,
    "instance": _instances,
    "network interface": _interfaces,
    "security group": _security_groups,
    "volume": _volumes,
    "snapshot": _snapshots,
    "DNS record": _dns_records,
    "OIDC provider": _oidc_providers,
    "launch template": _launch_templates,
    **aws_network.FINDERS,
    "role": aws_roles.roles,
    "log group": _log_groups,
}
