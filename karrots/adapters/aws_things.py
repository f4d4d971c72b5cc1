"""Which things in an AWS region a cluster's controllers made, and whether they are provably that cluster's.

Controllers mark what they make with the cluster's *name*, which a later cluster may bear again. So a name is not enough
to delete anything. The proof is the cluster's id, and it is one of these:

1. the thing's own tag `karrots.dev/id` (Terraform and the controllers it sets up put it there);
2. the VPC the thing lies in: one that bears `karrots.dev/id` of this cluster was made with it and for it alone. A VPC
   shared with the parent bears the parent's id, and proves nothing;
3. the footprint: what was seen while EKS itself said that the cluster of that name bears our id. EKS has one cluster of
   a name at a time in a region.

A thing that bears the name and has none of these is in doubt: it is told, and left alone. What Terraform itself makes
always bears the id, so of these kinds only the first counts.

A snapshot is there to outlive what it was taken of. AWS Backup, Data Lifecycle Manager and Velero copy a volume's tags
to their snapshots, so the id proves nothing: only one that the EBS CSI driver marked as its own, and that bears both
name and id, is the cluster's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from karrots.adapters.aws import Answer, Aws, understood

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from karrots.adapters.aws_dns import Entry

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
OWNED = "owned"  # `shared` is what a team puts on a thing of its own, for the cluster to use
# Tags that only a controller puts on a thing: Terraform made what has none of them.
MADE = (
    "elbv2.k8s.aws/cluster", "elbv2.k8s.aws/resource", "service.k8s.aws/stack", "ingress.k8s.aws/stack",
    "service.eks.amazonaws.com/stack", "ingress.eks.amazonaws.com/stack", "gateway.k8s.aws/stack",
    "kubernetes.io/service-name", "kubernetes.io/created-for/pvc/name", "ebs.csi.aws.com/cluster",
    "karpenter.sh/nodepool", "karpenter.k8s.aws/cluster", "cluster.k8s.amazonaws.com/name",
    "node.k8s.amazonaws.com/instance_id", "eks:eks-cluster-name",
)  # fmt: skip
# On snapshots alone, and of none but those that the EBS CSI driver takes.
# https://github.com/kubernetes-sigs/aws-ebs-csi-driver/blob/master/docs/tagging.md
SNAPSHOT = "CSIVolumeSnapshotName"
CNI = "aws-K8S-"  # how the VPC CNI describes its interfaces, also where it is too old to tag them

Kind = Literal[
    "instance", "load balancer", "classic load balancer", "target group", "network interface", "security group",
    "volume", "snapshot", "launch template", "log group", "DNS record", "OIDC provider",
    "NAT gateway", "Elastic IP", "VPC endpoint", "internet gateway", "subnet", "route table", "VPC", "role",
]  # fmt: skip
# Terraform's alone: no controller makes any.
TERRAFORMS: frozenset[Kind] = frozenset({
    "NAT gateway", "Elastic IP", "VPC endpoint", "internet gateway", "subnet", "route table", "VPC", "role",
})  # fmt: skip


@dataclass(frozen=True)
class Thing:
    """`key` is what AWS's calls name it by; `vpc` is '' for what lies in none; `note` is what AWS says it is for.

    `holds` are the parts of a route table that Terraform counts as things of their own: a route by '', or an
    association by the subnet it is for.
    """

    kind: Kind
    key: str
    name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    vpc: str = ""
    note: str = ""
    entry: Entry | None = None
    holds: Mapping[str, str] = field(default_factory=dict)

    @property
    def by_controller(self) -> bool:
        return any(tag in self.tags for tag in MADE) or self.note.startswith(CNI) or self.kind == "DNS record"

    def __str__(self) -> str:
        return self.key if self.name in {"", self.key} else f"{self.key} ({self.name})"


@dataclass(frozen=True)
class Whose:
    """A cluster and what proves a thing to be its own. `prefix` is what its roles' names begin with.

    `vpcs` were made for it alone; `seen` are keys of its footprint; `rival`: another living cluster has its name now.
    """

    name: str
    id: str
    domain: str = ""
    vpcs: frozenset[str] = frozenset()
    seen: frozenset[str] = frozenset()
    rival: bool = False
    prefix: str = ""

    def bears_name(self, thing: Thing) -> bool:
        named = any(thing.tags.get(tag) == self.name for tag in NAMES)
        owned = thing.tags.get(f"{OWNER}{self.name}") == OWNED
        return named or owned or thing.kind in {"log group", "DNS record", "role"}  # found by the name itself

    def is_of_another(self, thing: Thing) -> bool:
        """It bears another id, or only names of other clusters."""
        if thing.tags.get(ID, self.id) != self.id:
            return True
        others = any(thing.tags.get(tag, self.name) != self.name for tag in NAMES)
        return others and not self.bears_name(thing)

    def owns(self, thing: Thing) -> bool:
        if self.is_of_another(thing):
            return False
        if thing.kind == "snapshot":
            return SNAPSHOT in thing.tags and thing.tags.get(ID) == self.id and self.bears_name(thing)
        if thing.kind in TERRAFORMS or thing.tags.get(ID) == self.id:
            return thing.tags.get(ID) == self.id
        named = self.bears_name(thing) or (thing.vpc in self.vpcs and thing.note.startswith(CNI))
        return named and not self.rival_has(thing) and (thing.vpc in self.vpcs or thing.key in self.seen)

    def rival_has(self, thing: Thing) -> bool:
        """A cluster that lives may have made it anew; in a VPC that is ours alone it cannot."""
        return self.rival and thing.vpc not in self.vpcs

    def doubts(self, thing: Thing) -> bool:
        """It may be ours: it bears name or id, or lies in our VPC, and nothing proves whose it is."""
        if self.owns(thing) or self.is_of_another(thing):
            return False
        named = self.bears_name(thing) and not self.rival
        return named or thing.vpc in self.vpcs or thing.tags.get(ID) == self.id


@dataclass(frozen=True)
class Found:
    ours: tuple[Thing, ...]
    doubtful: tuple[Thing, ...]


def own_vpcs(aws: Aws, cluster_id: str) -> frozenset[str]:
    """Those that bear its id; they are made by Terraform with the cluster, and go with it."""
    filters = [{"Name": f"tag:{ID}", "Values": [cluster_id]}]
    with understood("ec2 DescribeVpcs"):
        return frozenset(str(it["VpcId"]) for it in aws.pages("ec2", "describe_vpcs", "Vpcs", Filters=filters))


def described(
    aws: Aws, whose: Whose, operation: str, key: str, names: Iterable[str], *, in_vpc: bool, tag: str = "tag"
) -> Iterator[Answer]:
    """What EC2 has with our id, with our name in one of these tags, or in our VPC; each once."""
    questions = [(f"{tag}:{ID}", [whose.id]), (f"{tag}-key", [f"{OWNER}{whose.name}"])]
    questions += [(f"{tag}:{name}", [whose.name]) for name in names]
    questions += [("vpc-id", sorted(whose.vpcs))] if in_vpc and whose.vpcs else []
    for name, values in questions:
        yield from aws.pages("ec2", operation, key, Filters=[{"Name": name, "Values": values}])


def once(things: Iterable[Thing]) -> Iterator[Thing]:
    yield from {thing.key: thing for thing in things}.values()
