"""What templates/eks makes and Terraform may not have written down: told by tag, imported where it has a name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from karrots.adapters import aws_eks
from karrots.adapters.aws_inventory import find
from karrots.adapters.aws_things import ID, TERRAFORMS, Kind, Thing, Whose
from karrots.fleet.cloud_names import names
from karrots.providers.base import Leftover
from karrots.providers.strangers import managed
from karrots.spec.services import ASKING, asking

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from karrots.adapters.aws import Aws
    from karrots.adapters.aws_eks import Cluster
    from karrots.fleet.record import Record
    from karrots.spec.cluster import ClusterSpec

EKS_CLUSTER = "EKS cluster"
UNWRITTEN: tuple[Kind, ...] = (*sorted(TERRAFORMS), "launch template", "log group")
CLUSTER = "aws_eks_cluster.cluster"
LOG_GROUP = "aws_cloudwatch_log_group.cluster"
# Where in templates/eks the roles are, by what their names end with.
ROLES = {
    "cluster": "aws_iam_role.cluster",
    "nodes": "aws_iam_role.nodes",
    "vpc-cni": "aws_iam_role.vpc_cni",
    "ebs-csi": "aws_iam_role.ebs_csi",
    "external-dns": 'aws_iam_role.controllers["external-dns"]',
    "cert-manager": 'aws_iam_role.controllers["cert-manager"]',
    "load-balancer-controller": 'aws_iam_role.controllers["aws-load-balancer-controller"]',
    **{name: f'aws_iam_role.controllers["{name}"]' for name in ASKING},
}
OWN_NODES = ("vpc-cni", "ebs-csi", "load-balancer-controller")


def unknown(aws: Aws, whose: Whose, alive: Cluster | None, state: Mapping[str, Any]) -> tuple[Leftover, ...]:
    """`alive` is the cluster, when EKS has it and it bears the id."""
    known = known_to(state)
    found = [it for it in find(aws, whose, UNWRITTEN).ours if not it.by_controller]
    things = [Leftover(it.kind, str(it)) for it in found if it.key not in known]
    cluster = _cluster(aws, whose, alive, known) if alive is not None else ()
    return (*cluster, *things, *_routes(found, known))


def known_to(state: Mapping[str, Any]) -> frozenset[str]:
    """By what AWS calls them; parts of a cluster by the cluster and their name."""
    return frozenset(key for _, attributes in managed(state) for key in _keys(attributes))


def _keys(attributes: Mapping[str, Any]) -> Iterator[str]:
    yield str(attributes.get("id"))
    if attributes.get("route_table_id") and attributes.get("destination_cidr_block"):
        yield f"{attributes['route_table_id']}_{attributes['destination_cidr_block']}"


def _routes(found: list[Thing], known: frozenset[str]) -> Iterator[Leftover]:
    """Of a table that the state knows, to places that are Terraform's own; others' routes are none of its business."""
    own = {it.key for it in found} | {""}
    for table in (it for it in found if it.key in known):
        parts = (part for part, place in table.holds.items() if place in own and part not in known)
        yield from (Leftover("route", f"{part} of {table}") for part in parts)


def _cluster(aws: Aws, whose: Whose, alive: Cluster, known: frozenset[str]) -> Iterator[Leftover]:
    if alive.name not in known:
        yield Leftover(EKS_CLUSTER, f"{alive.name} ({alive.status})")
    for piece in aws_eks.pieces(aws, alive.name):
        if piece.key not in known and aws_eks.tags_of_piece(aws, alive.name, piece).get(ID) == whose.id:
            yield Leftover(piece.kind, piece.name)


def rendered(spec: ClusterSpec) -> set[str]:
    """Which of these addresses the root has for such content: with Auto Mode AWS runs the other controllers."""
    absent = {*(OWN_NODES if spec.eks.auto_mode else ()), *ASKING} - {*asking(spec)}
    return {CLUSTER, LOG_GROUP, *(address for name, address in ROLES.items() if name not in absent)}


def place(record: Record, stranger: Leftover) -> tuple[str, str] | None:
    """Its address in the rendered root, and what Terraform imports it by; None for what has no name of its own."""
    called = names(record)
    if stranger.kind == EKS_CLUSTER:
        return CLUSTER, called["cluster"]
    if stranger.kind == "role":
        return ROLES[stranger.name.removeprefix(f"{called['prefix']}-")], stranger.name
    if stranger == Leftover("log group", f"/aws/eks/{called['cluster']}/cluster"):
        return LOG_GROUP, stranger.name
    return None
