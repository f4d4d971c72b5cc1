"""Clusters on Azure Kubernetes Service. Terraform makes them; here is what it does not see.

Everything is found from the record (name, id, region, subscription) alone, so a destroy works when the cluster is gone
or half made, its branch deleted, or karrots.yaml changed. What may be deleted, and by which proof, is in
karrots.adapters.azure_inventory.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from karrots.adapters import azure_aks, azure_inventory, azure_removal
from karrots.adapters.azure import Azure
from karrots.adapters.azure_account import outbound, subscription
from karrots.adapters.azure_inventory import CLUSTER, ID, Found, Whose, find
from karrots.adapters.kube import Access
from karrots.fleet.cloud_names import names
from karrots.providers import aks_defaults, aks_preflight, aks_prices, aks_strangers
from karrots.providers.aks_defaults import living
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
from karrots.providers.cloud import asked, by_kind, identity_variables
from karrots.providers.releasing import release
from karrots.providers.strangers import taken_over, unwritten, when_whole
from karrots.providers.tainted import addresses, tainted
from karrots.providers.waiting import pause, settled
from karrots.spec import fleet

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from karrots.adapters.azure_aks import Cluster, Pool
    from karrots.adapters.azure_inventory import Thing
    from karrots.adapters.kube import Kube
    from karrots.adapters.tokens import Tokens
    from karrots.fleet.record import Record
    from karrots.providers.strangers import Own
    from karrots.spec.cluster import ClusterSpec
    from karrots.spec.fleet import Cloud

NAME = "aks"
CLUSTER_KIND = "azurerm_kubernetes_cluster"
CLUSTER_RESOURCES = (aks_strangers.CLUSTER,)
ANSWERS = ""
PATIENCE = OF_A_CLOUD
MEMORY = TERRAFORM_BYTES
POOL_KIND = "azurerm_kubernetes_cluster_node_pool"
MADE = (CLUSTER_KIND, POOL_KIND)

ROUNDS = 3  # in which nothing goes any more, before what is left is told
# What is taken away before Terraform's destroy, while whoever made it may still run.
BEFORE = ("tags", "DNS")
DOUBT = "in doubt: it bears the name and no id, so look at it and delete it by hand"
PLURALS = {"identity": "identities", "storage account": "storage accounts"}
# Of a footprint: what proves other things to be the cluster's, and is nothing to look for itself.
PROOFS = ("principals", "issuers")


def door(record: Record, settings: Cloud | None) -> Azure:
    """In the record's subscription; in the tenant that karrots.yaml names, where nothing else does."""
    tenant = settings.tenant if isinstance(settings, fleet.Aks) else None
    return Azure(record.account, tenant or "")


def own_door(record: Record, settings: Cloud | None) -> Azure:
    """Raises AzureWrongSubscription: who does not see it would find nothing, and say that all is gone."""
    azure = door(record, settings)
    subscription(azure)
    return azure


def name_of(record: Record) -> str:
    return names(record)["cluster"]


def group_of(record: Record) -> str:
    return names(record)["resource_group"]


def preflight(spec: ClusterSpec, record: Record, settings: Cloud | None, parent: Record | None) -> list[Check]:
    return aks_preflight.checks(spec, record, settings, parent)


def estimate(spec: ClusterSpec, record: Record) -> Estimate | None:
    return aks_prices.estimate(spec, record.region)


def variables(
    record: Record, settings: Cloud | None, repository: Path, origin: Origin | None = None
) -> Mapping[str, Any]:
    shared = origin.network if origin is not None else None
    network = network_of(shared, settings) if shared is not None else None
    return identity_variables(record, settings, network, defaults(record, settings, origin))


def defaults(record: Record, settings: Cloud | None, origin: Origin | None) -> Mapping[str, str]:
    def ask(of: Origin) -> Mapping[str, str]:
        return aks_defaults.defaults(door(record, settings), record, of)

    return asked(record, origin, ask)


def network_of(parent: Record, settings: Cloud | None) -> Mapping[str, Any]:
    """As AKS says now; of a cluster that is not there nothing, which preflight refuses and a destroy can do with."""
    azure = door(parent, settings)
    found = living(azure, parent)
    subnet = found.subnets[0] if found is not None and found.subnets else ""
    return {"subnet_id": subnet, "outbound_addresses": outbound(azure, subnet) if subnet else []}


def access(record: Record, outputs: Mapping[str, Any], settings: Cloud | None) -> Access | None:
    """Terraform's outputs are taken at their word; without them AKS is asked, and another's cluster is none."""
    if outputs.get("endpoint") and outputs.get("ca_data"):
        authority = azure_aks.pem(str(outputs["ca_data"]))
        return Access(str(outputs["endpoint"]), authority, tokens=tokens(record, settings))
    if not record.account:
        return None
    azure = door(record, settings)
    found = living(azure, record)
    if found is None or not found.answers:
        return None
    return Access(found.endpoint, _authority(azure, record), tokens=azure_aks.tokens(azure))


def _authority(azure: Azure, record: Record) -> str:
    """The right to ask for it may be as new as the cluster."""

    def asked() -> str:
        return azure_aks.authority(azure, group_of(record), name_of(record))

    return azure.settled(asked) if record.phase in ("claimed", "creating") else asked()


def tokens(record: Record, settings: Cloud | None) -> Tokens | None:
    return azure_aks.tokens(door(record, settings))


def git_access(record: Record, remote_url: str | None) -> None:
    """As git.access of karrots.yaml says."""


def lost(record: Record) -> tuple[str, ...]:
    """Terraform's own refresh tells."""
    return ()


def untaint(record: Record, state: Mapping[str, Any], settings: Cloud | None) -> tuple[str, ...]:
    """Terraform marks what it did not see finished, and would make it again: ten minutes for what is whole."""
    marked = list(tainted(state, MADE))
    if not marked:
        return ()
    azure = own_door(record, settings)
    return addresses(marked, partial(_is_whole, azure, record))


def _is_whole(azure: Azure, record: Record, kind: str, attributes: Mapping[str, Any]) -> bool:
    return settled(lambda: _status(azure, record, kind, attributes), azure_aks.MAKING) == azure_aks.READY


def _status(azure: Azure, record: Record, kind: str, attributes: Mapping[str, Any]) -> str:
    """In Azure's words, '' for what is not there or is another's."""
    found = living(azure, record)
    if found is None:
        return ""
    if kind == POOL_KIND:
        pools = azure_aks.pools(azure, found.group, found.name)
        return next((it.status for it in pools if it.name == attributes.get("name")), "")
    return found.status


def unknown(record: Record, state: Mapping[str, Any], settings: Cloud | None) -> tuple[Leftover, ...]:
    """Terraform would refuse to make any of it: what exists has to be imported."""
    if not record.account:
        return ()
    azure = own_door(record, settings)
    return tuple(it.leftover for it in _unwritten(azure, record, state))


def _unwritten(azure: Azure, record: Record, state: Mapping[str, Any]) -> list[Own]:
    return unwritten(aks_strangers.there(azure, record, living(azure, record)), state)


def imports(
    record: Record, strangers: Sequence[Leftover], settings: Cloud | None, spec: ClusterSpec
) -> Mapping[str, str]:
    """Everything but roles in others' zones: their addresses are not certain."""
    azure = own_door(record, settings)
    there = aks_strangers.there(azure, record, living(azure, record), aks_strangers.pools_of(spec))
    wanted = taken_over(there, strangers, aks_strangers.rendered(spec))
    return when_whole(wanted, MADE, partial(_is_whole, azure, record))


def tend(record: Record) -> list[str]:
    """AKS mends its control planes itself."""
    return []


def parts(record: Record, settings: Cloud | None) -> list[Part]:
    azure = door(record, settings)
    found = living(azure, record)
    if found is None:
        return [Part("AKS cluster", "not there")]
    state = found.status.lower() if found.running else "stopped"
    pools = [_part(it) for it in azure_aks.pools(azure, found.group, found.name)]
    return [Part("control plane", state, detail=found.version), *pools]


def _part(pool: Pool) -> Part:
    bounds = f" of {pool.least}-{pool.most}" if pool.most is not None else ""
    kind = "system, " if pool.system else "spot, " if pool.spot else ""
    return Part(f"nodes {pool.name}", pool.status.lower(), detail=f"{pool.count}{bounds}, {kind}{pool.size}")


def footprint(record: Record, settings: Cloud | None) -> Footprint:
    """What bears the id, and what later proves other things: principals of its identities, issuer of its tokens."""
    if not record.account:
        return Footprint()
    azure = own_door(record, settings)
    whose = whose_of(azure, record, Footprint())
    held = by_kind((plural(it.kind), it.key) for it in find(azure, whose).ours)
    alive = living(azure, record)
    held |= {"clusters": (alive.id,)} if alive is not None else {}
    held |= {"principals": tuple(sorted(whose.principals))} if whose.principals else {}
    held |= {"issuers": tuple(sorted(whose.issuers))} if whose.issuers else {}
    return Footprint(held)


def plural(kind: str) -> str:
    return PLURALS.get(kind, f"{kind}s")


def whose_of(azure: Azure, record: Record, held: Footprint) -> Whose:
    groups, spoiled = azure_inventory.own_groups(azure, record.id)
    alive = living(azure, record)
    proofs = {kind: frozenset(held.held.get(kind, ())) for kind in PROOFS}
    return Whose(
        name=name_of(record),
        id=record.id,
        group=group_of(record).lower(),
        node_group=names(record)["node_resource_group"].lower(),
        domain=record.domain,
        groups=groups,
        spoiled=spoiled,
        principals=proofs["principals"] | azure_inventory.own_principals(azure, record.id) | _kubelets(alive, groups),
        issuers=proofs["issuers"] | ({alive.issuer.rstrip("/")} if alive and alive.issuer else set()),
        rival=any(_is_rival(it, record) for it in azure_aks.clusters(azure)),
    )


def _kubelets(alive: Cluster | None, groups: frozenset[str]) -> set[str]:
    """The nodes' identity, unless it was there before the cluster and may be others' too."""
    if alive is None or not alive.kubelet[1]:
        return set()
    parts = alive.kubelet[0].lower().split("/")
    return {alive.kubelet[1].lower()} if len(parts) > 4 and parts[4] in groups else set()


def _is_rival(cluster: Cluster, record: Record) -> bool:
    named = name_of(record) in (cluster.name, cluster.tags.get(CLUSTER))
    return named and cluster.tags.get(ID) != record.id


def refuse_destroy(record: Record, settings: Cloud | None) -> None:
    """Nothing of it is protected."""


def drain(record: Record, kube: Kube | None, settings: Cloud | None) -> tuple[Leftover, ...]:
    """The cluster's own controllers are let do it. What they made outside of the groups that go with the cluster, and
    leave there, is taken away here.
    """
    inside = release(kube) if kube is not None else ()
    if not record.account:
        return inside
    azure = own_door(record, settings)
    whose = whose_of(azure, record, Footprint())
    made = [it for it in find(azure, whose, BEFORE).ours if it.by_controller and it.group not in whose.groups]
    if not inside:
        azure_removal.remove(azure, whose, made)
    return (*inside, *(_leftover(it) for it in made))


def _leftover(thing: Thing) -> Leftover:
    return Leftover(thing.kind, str(thing))


def sweep(record: Record, footprint: Footprint, settings: Cloud | None) -> Swept:
    if not record.account:
        return Swept({})
    azure = own_door(record, settings)
    found = find(azure, whose_of(azure, record, footprint))
    looked_for = {kind: len(keys) for kind, keys in footprint.held.items() if kind not in PROOFS}
    return Swept(looked_for, tuple(_left(azure, record, found)))


def _left(azure: Azure, record: Record, found: Found) -> Iterator[Leftover]:
    alive = living(azure, record)
    if alive is not None:
        yield Leftover("AKS cluster", f"{alive.name} ({alive.status})")
    yield from (_leftover(it) for it in found.ours)
    yield from (Leftover(it.kind, f"{it} ({DOUBT})", doubtful=True) for it in found.doubtful)


def reclaim(
    record: Record, footprint: Footprint, settings: Cloud | None, state: Mapping[str, Any] | None = None
) -> None:
    """First the cluster, which takes its nodes' group along; then what is proved; then its groups.

    What one thing holds goes in a later round. Ends when nothing of ours is left, or nothing goes any more.
    """
    if not record.account:
        return
    azure = own_door(record, settings)
    whose = whose_of(azure, record, footprint)
    only = None if state is None else {it.key.lower() for it in _unwritten(azure, record, state)}
    if living(azure, record) is not None and _is_wanted(aks_strangers.cluster(record).key, only):
        azure_aks.remove(azure, group_of(record), name_of(record))
    with_group = _is_wanted(aks_strangers.group_of(record), only)
    going = whose if with_group else replace(whose, groups=frozenset())  # one that stays takes nothing along
    for last in range(ROUNDS):
        things = [it for it in find(azure, whose).ours if _is_wanted(it.key, only)]
        if not things or not azure_removal.remove(azure, going, things):
            return
        if last < ROUNDS - 1:
            pause()


def _is_wanted(key: str, only: Collection[str] | None) -> bool:
    return only is None or key.lower() in only
