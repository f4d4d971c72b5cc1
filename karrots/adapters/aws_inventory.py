"""Which things in an AWS region a cluster's controllers made, and whether they are provably that cluster's.

Controllers mark what they make with the cluster's *name*, which a later cluster may bear again. So a name is not enough
to delete anything. The proof is the cluster's id, and it is one of these:

1. the thing's own tag `karrots.dev/id` (Terraform and the controllers it sets up put it there);
2. the VPC the thing lies in: one that bears `karrots.dev/id` of this cluster was made with it and for it alone. A VPC
   shared with the parent bears the parent's id, and proves nothing;
3. the footprint: what was seen while EKS itself said that the cluster of that name bears our id. EKS has one cluster of
   a name at a time in a region.

A thing that bears the name and has none of these is in doubt: it is told, and left alone.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from karrots.adapters.aws import Answer, Aws, items, tags_of, understood
from karrots.adapters.aws_dns import Entry, entries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

ID = "karrots.dev/id"
CLUSTER = "karrots.dev/cluster"
# Tags whose value is the cluster's name, and who puts them there.
NAMES = (
    "elbv2.k8s.aws/cluster",  # the AWS load balancer controller
    "eks:eks-cluster-name",  # EKS Auto Mode, Karpenter
    "eks:cluster-name",  # managed node groups
    "aws:eks:cluster-name",  # EKS itself
    "cluster.k8s.amazonaws.com/name",  # the VPC CNI
    "ebs.csi.aws.com/cluster-name",  # the EBS CSI driver
    "karpenter.k8s.aws/cluster",
    "alpha.eksctl.io/cluster-name",
    CLUSTER,
)
OWNER = "kubernetes.io/cluster/"  # and the name; in-tree controllers, the CSI driver, Karpenter
# Tags that only a controller puts on a thing: Terraform made what has none of them.
MADE = (
    "elbv2.k8s.aws/cluster", "elbv2.k8s.aws/resource", "service.k8s.aws/stack", "ingress.k8s.aws/stack",
    "service.eks.amazonaws.com/stack", "ingress.eks.amazonaws.com/stack", "gateway.k8s.aws/stack",
    "kubernetes.io/service-name", "kubernetes.io/created-for/pvc/name", "ebs.csi.aws.com/cluster",
    "karpenter.sh/nodepool", "karpenter.k8s.aws/cluster", "cluster.k8s.amazonaws.com/name",
    "node.k8s.amazonaws.com/instance_id", "eks:eks-cluster-name",
)  # fmt: skip
CNI = "aws-K8S-"  # how the VPC CNI describes its interfaces, also where it is too old to tag them
BATCH = 20  # the most that one call about tags of load balancers takes

Kind = Literal[
    "instance", "load balancer", "classic load balancer", "target group", "network interface", "security group",
    "volume", "launch template", "log group", "DNS record", "OIDC provider",
]  # fmt: skip


@dataclass(frozen=True)
class Thing:
    """`key` is what AWS's calls name it by; `vpc` is '' for what lies in none; `note` is what AWS says it is for."""

    kind: Kind
    key: str
    name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    vpc: str = ""
    note: str = ""
    entry: Entry | None = None

    @property
    def by_controller(self) -> bool:
        return any(tag in self.tags for tag in MADE) or self.note.startswith(CNI) or self.kind == "DNS record"

    def __str__(self) -> str:
        return self.name if self.name == self.key or not self.name else f"{self.key} ({self.name})"


@dataclass(frozen=True)
class Whose:
    """A cluster and what proves a thing to be its own.

    `vpcs` were made for it alone; `seen` are keys of its footprint; `rival`: another living cluster has its name now.
    """

    name: str
    id: str
    domain: str = ""
    vpcs: frozenset[str] = frozenset()
    seen: frozenset[str] = frozenset()
    rival: bool = False

    def bears_name(self, thing: Thing) -> bool:
        named = any(thing.tags.get(tag) == self.name for tag in NAMES) or f"{OWNER}{self.name}" in thing.tags
        return named or thing.kind in {"log group", "DNS record"}  # found by the name itself

    def is_of_another(self, thing: Thing) -> bool:
        """It bears another id, or only names of other clusters."""
        if thing.tags.get(ID, self.id) != self.id:
            return True
        others = any(thing.tags.get(tag, self.name) != self.name for tag in NAMES)
        return others and not self.bears_name(thing)

    def owns(self, thing: Thing) -> bool:
        if self.is_of_another(thing):
            return False
        if thing.tags.get(ID) == self.id:
            return True
        named = self.bears_name(thing) or (thing.vpc in self.vpcs and thing.note.startswith(CNI))
        return named and not self.rival_has(thing) and (thing.vpc in self.vpcs or thing.key in self.seen)

    def rival_has(self, thing: Thing) -> bool:
        """A cluster that lives may have made it anew; in a VPC that is ours alone it cannot."""
        return self.rival and thing.vpc not in self.vpcs

    def doubts(self, thing: Thing) -> bool:
        """It may be ours: it bears the name, or lies in our VPC, and nothing says whose it is."""
        if self.owns(thing) or self.is_of_another(thing):
            return False
        return thing.vpc in self.vpcs or (self.bears_name(thing) and not self.rival)


@dataclass(frozen=True)
class Found:
    ours: tuple[Thing, ...]
    doubtful: tuple[Thing, ...]


def own_vpcs(aws: Aws, cluster_id: str) -> frozenset[str]:
    """Those that bear its id; they are made by Terraform with the cluster, and go with it."""
    filters = [{"Name": f"tag:{ID}", "Values": [cluster_id]}]
    with understood("ec2 DescribeVpcs"):
        return frozenset(str(it["VpcId"]) for it in aws.pages("ec2", "describe_vpcs", "Vpcs", Filters=filters))


def find(aws: Aws, whose: Whose, kinds: Iterable[Kind] = ()) -> Found:
    """Everything of these kinds (of all, when none is named); each kind is asked for in a thread of its own."""
    wanted = [FINDERS[kind] for kind in (kinds or FINDERS)]
    with ThreadPoolExecutor(max_workers=len(wanted)) as pool:
        found = [thing for things in pool.map(lambda finder: list(finder(aws, whose)), wanted) for thing in things]
    return Found(tuple(filter(whose.owns, found)), tuple(filter(whose.doubts, found)))


def _described(
    aws: Aws, whose: Whose, operation: str, key: str, names: Iterable[str], *, in_vpc: bool, tag: str = "tag"
) -> Iterator[Answer]:
    """What EC2 has with our id, with our name in one of these tags, or in our VPC; each once."""
    questions = [(f"{tag}:{ID}", [whose.id]), (f"{tag}-key", [f"{OWNER}{whose.name}"])]
    questions += [(f"{tag}:{name}", [whose.name]) for name in names]
    questions += [("vpc-id", sorted(whose.vpcs))] if in_vpc and whose.vpcs else []
    for name, values in questions:
        yield from aws.pages("ec2", operation, key, Filters=[{"Name": name, "Values": values}])


def _once(things: Iterable[Thing]) -> Iterator[Thing]:
    yield from {thing.key: thing for thing in things}.values()


def _instances(aws: Aws, whose: Whose) -> Iterator[Thing]:
    names = ("eks:eks-cluster-name", "eks:cluster-name")
    reservations = _described(aws, whose, "describe_instances", "Reservations", names, in_vpc=True)
    with understood("ec2 DescribeInstances"):
        yield from _once(
            Thing("instance", str(it["InstanceId"]), tags.get("Name", ""), tags, str(it.get("VpcId", "")))
            for reservation in reservations
            for it in items(reservation, "Instances")
            for tags in [tags_of(it)]
            if it["State"]["Name"] not in {"terminated", "shutting-down"}
        )


def _interfaces(aws: Aws, whose: Whose) -> Iterator[Thing]:
    """What AWS made for a service of its own (load balancers, NAT, the control plane) goes with that."""
    names = ("cluster.k8s.amazonaws.com/name", "eks:eks-cluster-name")
    found = _described(aws, whose, "describe_network_interfaces", "NetworkInterfaces", names, in_vpc=True)
    with understood("ec2 DescribeNetworkInterfaces"):
        yield from _once(
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
    found = _described(aws, whose, "describe_security_groups", "SecurityGroups", names, in_vpc=True)
    with understood("ec2 DescribeSecurityGroups"):
        yield from _once(
            Thing("security group", str(it["GroupId"]), str(it["GroupName"]), tags_of(it), str(it.get("VpcId", "")))
            for it in found
            if it["GroupName"] != "default"  # goes with its VPC, and cannot go before
        )


def _volumes(aws: Aws, whose: Whose) -> Iterator[Thing]:
    """A volume that is in use goes with its instance, or after it."""
    names = ("ebs.csi.aws.com/cluster-name", "eks:eks-cluster-name")
    found = _described(aws, whose, "describe_volumes", "Volumes", names, in_vpc=False)
    with understood("ec2 DescribeVolumes"):
        yield from _once(
            Thing("volume", str(it["VolumeId"]), _claim(tags), tags)
            for it in found
            for tags in [tags_of(it)]
            if it.get("State") not in {"deleting", "deleted"}
        )


def _claim(tags: Mapping[str, str]) -> str:
    parts = (tags.get(f"kubernetes.io/created-for/pvc/{part}", "") for part in ("namespace", "name"))
    return "/".join(filter(None, parts))


def _launch_templates(aws: Aws, whose: Whose) -> Iterator[Thing]:
    names = ("karpenter.k8s.aws/cluster", "eks:eks-cluster-name", "eks:cluster-name")
    found = _described(aws, whose, "describe_launch_templates", "LaunchTemplates", names, in_vpc=False)
    with understood("ec2 DescribeLaunchTemplates"):
        yield from _once(
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


def _log_groups(aws: Aws, whose: Whose) -> Iterator[Thing]:
    for prefix in (f"/aws/eks/{whose.name}/", f"/aws/containerinsights/{whose.name}/"):
        for it in aws.pages("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=prefix):
            with understood("logs DescribeLogGroups"):
                name, arn = str(it["logGroupName"]), str(it["arn"]).removesuffix(":*")
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
    "launch template": _launch_templates,
    "log group": _log_groups,
    "DNS record": _dns_records,
    "OIDC provider": _oidc_providers,
}
