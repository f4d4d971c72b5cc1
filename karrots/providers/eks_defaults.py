"""What content leaves open of an EKS cluster: versions of add-ons that `eks.addons` does not name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from karrots.adapters import aws_eks
from karrots.adapters.aws_things import ID
from karrots.fleet.cloud_names import names

if TYPE_CHECKING:
    from karrots.adapters.aws import Aws
    from karrots.adapters.aws_eks import Cluster
    from karrots.fleet.record import Record
    from karrots.providers.base import Origin
    from karrots.spec.cluster import ClusterSpec

# As templates/eks/addons.tf installs them.
ADDONS = ("aws-ebs-csi-driver", "coredns", "eks-pod-identity-agent", "kube-proxy", "vpc-cni")


def defaults(aws: Aws, record: Record, origin: Origin) -> dict[str, str]:
    """What is there stays as it is; what is not there yet begins as the parent has it."""
    wanted, spec = left_open(origin.spec), origin.spec
    own = _versions(aws, spec, record) if wanted and living(aws, record) else {}
    return own if own.keys() >= wanted else {**from_parent(aws, spec, origin.parent), **own}


def left_open(spec: ClusterSpec) -> set[str]:
    """Auto Mode has none of them."""
    return set() if spec.eks.auto_mode else {*ADDONS} - set(spec.eks.addons)


def from_parent(aws: Aws, spec: ClusterSpec, parent: Record | None) -> dict[str, str]:
    """An add-on's version fits a minor version of Kubernetes."""
    if parent is None or not left_open(spec):
        return {}
    found = living(aws, parent)
    return _versions(aws, spec, parent) if found is not None and found.version == spec.kubernetes else {}


def living(aws: Aws, record: Record) -> Cluster | None:
    """The cluster in EKS, when it bears the record's id."""
    found = aws_eks.cluster(aws, names(record)["cluster"])
    return found if found is not None and found.tags.get(ID) == record.id else None


def _versions(aws: Aws, spec: ClusterSpec, record: Record) -> dict[str, str]:
    wanted = left_open(spec)
    found = aws_eks.addons(aws, names(record)["cluster"])
    return {it.name: it.version for it in found if it.version and it.name in wanted}
