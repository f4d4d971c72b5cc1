"""Clusters on Amazon EKS. Terraform makes them; here is what it does not see.

Everything is found from the record (name, id, region, account) alone, so a destroy works when the cluster is gone or
half made, its branch deleted, or karrots.yaml changed. What may be deleted, and by which proof, is in
karrots.adapters.aws_things.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from karrots.adapters import aws_eks, aws_removal
from karrots.adapters.aws import Aws
from karrots.adapters.aws_account import caller
from karrots.adapters.aws_inventory import find
from karrots.adapters.aws_things import ID, Found, Kind, Whose, own_vpcs
from karrots.adapters.kube import Access
from karrots.fleet.cloud_names import names
from karrots.providers import eks_defaults, eks_preflight, eks_prices, eks_strangers
from karrots.providers.base import (
    OF_A_CLOUD,
    TERRAFORM_BYTES,
    Check,
    Estimate,
    Footprint,
    Leftover,
    Origin,
    Part,
    Swept,
)
from karrots.providers.cloud import KEPT, asked, by_kind, identity_variables
from karrots.providers.eks_defaults import living
from karrots.providers.eks_strangers import EKS_CLUSTER, UNWRITTEN, known_to
from karrots.providers.releasing import release
from karrots.providers.tainted import addresses, tainted
from karrots.providers.waiting import pause, settled
from karrots.spec import fleet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from karrots.adapters.aws_things import Thing
    from karrots.adapters.kube import Kube
    from karrots.adapters.tokens import Tokens
    from karrots.fleet.record import Record
    from karrots.spec.cluster import ClusterSpec
    from karrots.spec.fleet import Cloud

NAME = "eks"
CLUSTER_RESOURCES = ("aws_eks_cluster.cluster",)
ANSWERS = ""
PATIENCE = OF_A_CLOUD
MEMORY = TERRAFORM_BYTES
NODE_GROUPS = ("aws_eks_node_group",)
ADDONS = ("aws_eks_addon",)

MAKING = ("CREATING", "PENDING", "UPDATING")
GOING_SECONDS = 20 * 60.0
# What is taken away before Terraform's destroy: it would hold the network, or be out of reach afterwards.
BEFORE: tuple[Kind, ...] = (
    "load balancer", "classic load balancer", "target group", "instance", "network interface", "security group",
    "DNS record",
)  # fmt: skip
# What may hold the network of a cluster that is gone.
HOLDING: tuple[Kind, ...] = ("network interface", "security group")
DOUBT = "in doubt: it bears the name and no id, so look at it and delete it by hand"


def door(record: Record, settings: Cloud | None) -> Aws:
    """In the record's region, with the profile that karrots.yaml names."""
    profile = settings.profile if isinstance(settings, fleet.Eks) else None
    return Aws(record.region, profile)


def own_door(record: Record, settings: Cloud | None) -> Aws:
    """Raises AwsWrongAccount: in another account things of our name are another's."""
    aws = door(record, settings)
    caller(aws, record.account)
    return aws


def name_of(record: Record) -> str:
    return names(record)["cluster"]


def preflight(spec: ClusterSpec, record: Record, settings: Cloud | None, parent: Record | None) -> list[Check]:
    return eks_preflight.checks(spec, record, settings, parent)


def estimate(spec: ClusterSpec, record: Record) -> Estimate | None:
    return eks_prices.estimate(spec, record.region)


def variables(
    record: Record, settings: Cloud | None, repository: Path, origin: Origin | None = None
) -> Mapping[str, Any]:
    shared = origin.network if origin is not None else None
    network = network_of(shared, settings) if shared is not None else None
    return identity_variables(record, settings, network, defaults(record, settings, origin))


def defaults(record: Record, settings: Cloud | None, origin: Origin | None) -> Mapping[str, str]:
    def ask(of: Origin) -> Mapping[str, str]:
        return eks_defaults.defaults(door(record, settings), record, of)

    return asked(record, origin, ask)


def network_of(parent: Record, settings: Cloud | None) -> Mapping[str, Any]:
    """As EKS says now; of a cluster that is not there nothing, which preflight refuses and a destroy can do with."""
    found = living(door(parent, settings), parent)
    return {"vpc_id": found.vpc, "subnet_ids": sorted(found.subnets)} if found else {"vpc_id": "", "subnet_ids": []}


def access(record: Record, outputs: Mapping[str, Any], settings: Cloud | None) -> Access | None:
    """Terraform's outputs are taken at their word; without them EKS is asked, and another's cluster is none."""
    if outputs.get("endpoint") and outputs.get("ca_data"):
        return Access(str(outputs["endpoint"]), aws_eks.pem(str(outputs["ca_data"])), tokens=tokens(record, settings))
    found = living(door(record, settings), record) if record.region else None
    if found is None or not found.answers:
        return None
    return Access(found.endpoint, aws_eks.pem(found.authority), tokens=tokens(record, settings))


def tokens(record: Record, settings: Cloud | None) -> Tokens | None:
    return aws_eks.tokens(door(record, settings), name_of(record))


def git_access(record: Record, remote_url: str | None) -> None:
    """As git.access of karrots.yaml says."""


def lost(record: Record) -> tuple[str, ...]:
    """Terraform's own refresh tells."""
    return ()


def untaint(record: Record, state: Mapping[str, Any], settings: Cloud | None) -> tuple[str, ...]:
    """Terraform marks what it did not see finished, and would make it again: 20 minutes for a cluster that is whole."""
    marked = list(tainted(state, {"aws_eks_cluster", *NODE_GROUPS, *ADDONS}))
    if not marked:
        return ()
    aws = own_door(record, settings)
    return addresses(marked, partial(_is_whole, aws, record))


def _is_whole(aws: Aws, record: Record, kind: str, attributes: Mapping[str, Any]) -> bool:
    return settled(lambda: _status(aws, record, kind, attributes), MAKING) == "ACTIVE"


def _status(aws: Aws, record: Record, kind: str, attributes: Mapping[str, Any]) -> str:
    """In EKS's words, '' for what is not there or is another's."""
    found = living(aws, record)
    if found is None:
        return ""
    name = name_of(record)
    if kind in NODE_GROUPS:
        groups = aws_eks.node_groups(aws, name)
        return next((it.status for it in groups if it.name == attributes.get("node_group_name")), "")
    if kind in ADDONS:
        return next((it.status for it in aws_eks.addons(aws, name) if it.name == attributes.get("addon_name")), "")
    return found.status


def unknown(record: Record, state: Mapping[str, Any], settings: Cloud | None) -> tuple[Leftover, ...]:
    """Of Terraform's kinds; what controllers make is in no state. Only what bears the id."""
    if not record.region:
        return ()
    aws = own_door(record, settings)
    return eks_strangers.unknown(aws, whose_of(aws, record, Footprint()), living(aws, record), state)


def imports(
    record: Record, strangers: Sequence[Leftover], settings: Cloud | None, spec: ClusterSpec
) -> Mapping[str, str]:
    """The cluster, its log group and its roles: what has one name, and takes long to make or is easy to take over."""
    found = [eks_strangers.place(record, it) for it in strangers]
    wanted = dict(it for it in found if it is not None)
    if len(wanted) < len(found) or not wanted.keys() <= eks_strangers.rendered(spec):
        return {}
    cluster = CLUSTER_RESOURCES[0]
    if cluster in wanted and not _is_whole(own_door(record, settings), record, "aws_eks_cluster", {}):
        return {}
    return wanted


def tend(record: Record) -> list[str]:
    """EKS mends its control planes itself."""
    return []


def parts(record: Record, settings: Cloud | None) -> list[Part]:
    aws = door(record, settings)
    found = living(aws, record)
    if found is None:
        return [Part("EKS cluster", "not there")]
    groups = [
        Part(
            f"nodes {it.name}", it.status.lower(), detail=f"{it.desired} of {it.least}-{it.most}, {', '.join(it.sizes)}"
        )
        for it in aws_eks.node_groups(aws, name_of(record))
    ]
    addons = [Part(it.name, it.status.lower(), detail=it.version) for it in aws_eks.addons(aws, name_of(record))]
    trouble = "; ".join(found.troubles)
    return [Part("control plane", found.status.lower(), detail=trouble or found.version), *groups, *addons]


def footprint(record: Record, settings: Cloud | None) -> Footprint:
    """While the cluster lives and bears our id, whatever bears its name is its own: that is the third proof."""
    if not record.region:
        return Footprint()
    aws = own_door(record, settings)
    whose = whose_of(aws, record, Footprint())
    found = find(aws, whose)
    alive = living(aws, record)
    things = [*found.ours, *(it for it in found.doubtful if alive is not None and whose.bears_name(it))]
    held = by_kind((plural(it.kind), it.key) for it in things)
    if alive is not None:
        held["clusters"] = (alive.arn,)
    return Footprint(held)


def plural(kind: str) -> str:
    return f"{kind}s"


def whose_of(aws: Aws, record: Record, held: Footprint) -> Whose:
    named = aws_eks.cluster(aws, name_of(record))
    return Whose(
        name=name_of(record),
        id=record.id,
        domain=record.domain,
        vpcs=own_vpcs(aws, record.id),
        seen=frozenset(key for kind, keys in held.held.items() if kind not in {"clusters", "VPCs"} for key in keys),
        rival=named is not None and named.tags.get(ID) != record.id,
        prefix=names(record)["prefix"],
    )


def refuse_destroy(record: Record, settings: Cloud | None) -> None:
    """Nothing of it is protected."""


def drain(record: Record, kube: Kube | None, settings: Cloud | None) -> tuple[Leftover, ...]:
    """First the cluster's own controllers are let do it; what they leave, or cannot do any more, is done here."""
    inside = release(kube) if kube is not None else ()
    if not record.region:
        return inside
    aws = own_door(record, settings)
    made = [it for it in find(aws, whose_of(aws, record, Footprint()), BEFORE).ours if it.by_controller]
    if not inside:
        aws_removal.remove(aws, made)
    return (*inside, *(Leftover(it.kind, str(it)) for it in made))


def sweep(record: Record, footprint: Footprint, settings: Cloud | None) -> Swept:
    if not record.region:
        return Swept({})
    aws = own_door(record, settings)
    found = find(aws, whose_of(aws, record, footprint))
    looked_for = {kind: len(keys) for kind, keys in footprint.held.items()}
    return Swept(looked_for, tuple(_left(aws, record, found)))


def _left(aws: Aws, record: Record, found: Found) -> Iterator[Leftover]:
    alive = living(aws, record)
    if alive is not None:
        yield Leftover(EKS_CLUSTER, f"{alive.name} ({alive.status})")
    yield from (Leftover(it.kind, str(it)) for it in found.ours)
    yield from (Leftover(it.kind, f"{it} ({_doubt(it)})", doubtful=True) for it in found.doubtful)


def _doubt(thing: Thing) -> str:
    return KEPT if thing.kind == "snapshot" else DOUBT


def reclaim(
    record: Record, footprint: Footprint, settings: Cloud | None, state: Mapping[str, Any] | None = None
) -> None:
    """What one thing holds goes in a later round. Ends when nothing of ours is left, or in time."""
    if not record.region:
        return
    aws = own_door(record, settings)
    known, kinds = (known_to(state), (*UNWRITTEN, *HOLDING)) if state is not None else (frozenset(), ())
    end = time.monotonic() + GOING_SECONDS
    before: set[str] | None = None
    while True:
        alive = name_of(record) not in known and _remove_cluster(aws, record)
        found = find(aws, whose_of(aws, record, footprint), kinds).ours
        things = [it for it in found if it.key not in known and not (alive and it.kind not in BEFORE)]
        aws_removal.remove(aws, things)
        if not (things or alive) or time.monotonic() > end:
            return
        there = {it.key for it in things}
        if there == before:
            pause()
        before = there


def _remove_cluster(aws: Aws, record: Record) -> bool:
    """One that a killed Terraform made and could not write down. Whether it is there still.

    While it goes it needs its roles, its network, and the log group, which it would make anew.
    """
    if living(aws, record) is None:
        return False
    name = name_of(record)
    for node_group in aws_eks.node_groups(aws, name):
        aws_eks.remove_node_group(aws, name, node_group.name)
    aws_eks.remove(aws, name)
    return living(aws, record) is not None
