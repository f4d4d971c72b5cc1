"""Clusters on Google Kubernetes Engine. Terraform makes them; here is what it does not see.

Everything is found from the record (name, id, region, project) alone, so a destroy works when the cluster is gone or
half made, its branch deleted, or karrots.yaml changed. What may be deleted, and by which proof, is in
karrots.adapters.google_inventory.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from karrots.adapters import google_gke, google_removal
from karrots.adapters.google import Google
from karrots.adapters.google_gke import ID
from karrots.adapters.google_inventory import Found, Kind, Thing, Whose, find, path_of
from karrots.adapters.kube import Access
from karrots.errors import Refused
from karrots.fleet.cloud_names import names
from karrots.providers import gke_defaults, gke_preflight, gke_prices, gke_strangers
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
from karrots.providers.gke_defaults import living
from karrots.providers.gke_strangers import UNWRITTEN
from karrots.providers.releasing import release
from karrots.providers.strangers import taken_over, unwritten, when_whole
from karrots.providers.tainted import addresses, tainted
from karrots.providers.waiting import pause, settled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from karrots.adapters.google_gke import Cluster
    from karrots.adapters.kube import Kube
    from karrots.adapters.tokens import Tokens
    from karrots.fleet.record import Record
    from karrots.providers.strangers import Own
    from karrots.spec.cluster import ClusterSpec
    from karrots.spec.fleet import Cloud

NAME = "gke"
CLUSTER_RESOURCES = (gke_strangers.CLUSTER,)
ANSWERS = ""
NODE_POOLS = "google_container_node_pool"
PATIENCE = OF_A_CLOUD
MEMORY = TERRAFORM_BYTES
MADE = ("google_container_cluster", NODE_POOLS)

MAKING = ("PROVISIONING", "RECONCILING")
STILL_LOOKS = 90  # a quarter of an hour
# What is taken away before Terraform's destroy: it would hold the network, or be out of reach afterwards. Machines and
# GKE's own firewall rules go with the cluster.
BEFORE: tuple[Kind, ...] = (
    "forwarding rule", "target proxy", "URL map", "certificate", "backend service", "target pool", "health check",
    "network endpoint group", "address", "firewall rule", "DNS record",
)  # fmt: skip
GKES_OWN = "gke-"
CLUSTERS = "clusters"
NUMBERS = "cluster ids of GKE"
DOUBT = "in doubt: nothing on it says this cluster's id, so look at it and delete it by hand"


def door(record: Record) -> Google:
    """To the record's own project, wherever karrots.yaml leads by now."""
    return Google(record.account)


def name_of(record: Record) -> str:
    return names(record)["cluster"]


def preflight(spec: ClusterSpec, record: Record, settings: Cloud | None, parent: Record | None) -> list[Check]:
    return gke_preflight.checks(spec, record, settings, parent)


def estimate(spec: ClusterSpec, record: Record) -> Estimate | None:
    return gke_prices.estimate(spec, record.region)


def variables(
    record: Record, settings: Cloud | None, repository: Path, origin: Origin | None = None
) -> Mapping[str, Any]:
    shared = origin.network if origin is not None else None
    network = network_of(shared) if shared is not None else None
    return identity_variables(record, settings, network, defaults(record, settings, origin))


def defaults(record: Record, settings: Cloud | None, origin: Origin | None) -> Mapping[str, str]:
    def ask(of: Origin) -> Mapping[str, str]:
        return gke_defaults.defaults(door(record), record, of)

    return asked(record, origin, ask)


def network_of(parent: Record) -> Mapping[str, Any]:
    """As GKE says now; of a cluster that is not there nothing, which preflight refuses and a destroy can do with.

    Pods of several clusters share a range; services do not, and GKE gives them one of its own.
    """
    found = living(door(parent), parent)
    if found is None:
        return {"network": "", "subnetwork": "", "pods_range": "", "services_range": None}
    return {
        "network": found.network,
        "subnetwork": found.subnetwork,
        "pods_range": found.pods_range,
        "services_range": None,
    }


def access(record: Record, outputs: Mapping[str, Any], settings: Cloud | None) -> Access | None:
    """Terraform's outputs are taken at their word; without them GKE is asked, and another's cluster is none."""
    if outputs.get("endpoint"):
        authority = str(outputs.get("ca_data") or "")
        return Access(str(outputs["endpoint"]), google_gke.pem(authority), tokens=tokens(record, settings))
    found = living(door(record), record) if record.region else None
    if found is None or not found.answers:
        return None
    return Access(found.server, found.ca, tokens=tokens(record, settings))


def tokens(record: Record, settings: Cloud | None) -> Tokens | None:
    return google_gke.tokens(door(record))


def git_access(record: Record, remote_url: str | None) -> None:
    """As git.access of karrots.yaml says."""


def lost(record: Record) -> tuple[str, ...]:
    """Terraform's own refresh tells."""
    return ()


def untaint(record: Record, state: Mapping[str, Any], settings: Cloud | None) -> tuple[str, ...]:
    """Terraform marks what it did not see finished, and would make it again. GKE goes on by itself: waited for here."""
    marked = list(tainted(state, MADE))
    if not marked:
        return ()
    google = door(record)
    return addresses(marked, partial(_is_whole, google, record))


def _is_whole(google: Google, record: Record, kind: str, attributes: Mapping[str, Any]) -> bool:
    return settled(lambda: _status(google, record, kind, attributes), MAKING) == "RUNNING"


def _status(google: Google, record: Record, kind: str, attributes: Mapping[str, Any]) -> str:
    """In GKE's words, '' for what is not there or is another's."""
    found = living(google, record)
    if found is None:
        return ""
    if kind == NODE_POOLS:
        return next((it.status for it in found.pools if it.name == attributes.get("name")), "")
    return found.status


def unknown(record: Record, state: Mapping[str, Any], settings: Cloud | None) -> tuple[Leftover, ...]:
    """Of what the root makes under a name of its own: only that may be there already when Terraform comes to it."""
    if not record.region:
        return ()
    google = door(record)
    return tuple(it.leftover for it in unwritten(_own(google, record), state))


def _own(google: Google, record: Record) -> list[Own]:
    found = find(google, whose_of(google, record, Footprint()), UNWRITTEN)
    return gke_strangers.there(record, found.ours, living(google, record))


def imports(
    record: Record, strangers: Sequence[Leftover], settings: Cloud | None, spec: ClusterSpec
) -> Mapping[str, str]:
    """Everything that bears a name and not only the cluster: Google's names are ids."""
    google = door(record)
    wanted = taken_over(_own(google, record), strangers, gke_strangers.rendered(spec))
    return when_whole(wanted, MADE, partial(_is_whole, google, record))


def tend(record: Record) -> list[str]:
    """GKE mends its control planes itself."""
    return []


def parts(record: Record, settings: Cloud | None) -> list[Part]:
    found = living(door(record), record)
    if found is None:
        return [Part("GKE cluster", "not there")]
    pools = [Part(f"nodes {it.name}", it.status.lower(), detail=_pool_detail(it)) for it in found.pools]
    detail = "; ".join(found.troubles) or f"{found.version}, {found.channel.lower()} channel, {found.location}"
    return [Part("control plane", found.status.lower(), detail=detail), *pools]


def _pool_detail(pool: google_gke.NodePool) -> str:
    scale = f"{pool.least}-{pool.most}" if pool.most is not None else ""
    return ", ".join(filter(None, (pool.size, "spot" if pool.spot else "", scale, *pool.troubles)))


def footprint(record: Record, settings: Cloud | None) -> Footprint:
    """While the cluster lives and bears our id, whatever bears its name is its own."""
    if not record.region:
        return Footprint()
    google = door(record)
    alive = living(google, record)
    whose = whose_of(google, record, Footprint())
    found = find(google, whose)
    things = [*found.ours, *(it for it in found.doubtful if alive is not None and whose.bears_name(it))]
    held = by_kind((plural(it.kind), it.key) for it in things)
    return Footprint({**held, **({CLUSTERS: (alive.path,), NUMBERS: (alive.number,)} if alive else {})})


def refuse_destroy(record: Record, settings: Cloud | None) -> None:
    """The same apply that sets these labels sets `deletion_protection`, which GKE itself knows nothing of."""
    alive = living(door(record), record) if record.region else None
    if alive is not None and "karrots-parent" not in alive.labels and "karrots-expires" not in alive.labels:
        raise Refused(
            f"cluster '{record.name}' is protected from being destroyed",
            why="it was made to stay: it has no parent and no expiry, and Terraform's state says deletion_protection",
            hint=f"give it an end, which takes the protection away:\n"
            f"cd {record.directory} && karrots create {record.name} --ttl 1d\nkarrots destroy {record.name}",
        )


def plural(kind: str) -> str:
    return "target proxies" if kind == "target proxy" else f"{kind}es" if kind.endswith("s") else f"{kind}s"


def whose_of(google: Google, record: Record, held: Footprint) -> Whose:
    named = google_gke.clusters(google, name_of(record), record.region)
    alive = [it for it in named if it.labels.get(ID) == record.id]
    numbers = (*held.held.get(NUMBERS, ()), *(it.number for it in alive))
    rivals = [it.number for it in named if it not in alive]
    return Whose(
        name=name_of(record),
        id=record.id,
        region=record.region,
        prefix=names(record)["prefix"],
        domain=record.domain,
        numbers=frozenset(filter(None, numbers)),
        foreign=frozenset(filter(None, rivals)),
        parts=frozenset(path_of(group) for it in alive for group in it.groups),
        seen=frozenset(key for keys in held.held.values() for key in keys if "#" in key),
        rival=bool(rivals),
    )


def drain(record: Record, kube: Kube | None, settings: Cloud | None) -> tuple[Leftover, ...]:
    """First the cluster's own controllers are let do it; what they leave, or cannot do any more, is done here."""
    inside = release(kube) if kube is not None else ()
    if not record.region:
        return inside
    google = door(record)
    found = find(google, whose_of(google, record, Footprint()))
    made = [it for it in found.ours if it.kind in BEFORE and it.by_controller and not _goes_with_it(it)]
    if not inside:
        google_removal.remove(google, made)
    return (*inside, *(Leftover(it.kind, str(it)) for it in made))


def _goes_with_it(thing: Thing) -> bool:
    return thing.kind == "firewall rule" and thing.name.startswith(GKES_OWN)


def sweep(record: Record, footprint: Footprint, settings: Cloud | None) -> Swept:
    if not record.region:
        return Swept({})
    google = door(record)
    found = find(google, whose_of(google, record, footprint))
    looked_for = {kind: len(keys) for kind, keys in footprint.held.items() if kind != NUMBERS}
    return Swept(looked_for, tuple(_left(google, record, found)))


def _left(google: Google, record: Record, found: Found) -> Iterator[Leftover]:
    alive = living(google, record)
    if alive is not None:
        yield Leftover("GKE cluster", f"{alive.name} ({alive.status})")
    yield from (Leftover(it.kind, str(it)) for it in found.ours)
    yield from (Leftover(it.kind, f"{it} ({_doubt(it)})", doubtful=True) for it in found.doubtful)


def _doubt(thing: Thing) -> str:
    return KEPT if thing.kind == "snapshot" else DOUBT


def reclaim(
    record: Record, footprint: Footprint, settings: Cloud | None, state: Mapping[str, Any] | None = None
) -> None:
    """What one thing holds goes in a later round. Ends when nothing of ours is left, or nothing moves any more."""
    if not record.region:
        return
    google = door(record)
    before: Counter[str] = Counter()
    still = 0
    while still < STILL_LOOKS:
        alive = _cluster_to_take(google, record, state)
        if alive is not None:
            google_gke.remove(google, alive.path)
        things = _to_take(google, record, footprint, state)
        stays = _cluster_to_take(google, record, state) is not None
        left = Counter(it.kind for it in things) + Counter({"cluster": int(stays)})
        if not left:
            return
        held = google_removal.remove(google, [] if stays else things)
        if (held or stays) and before:
            pause()
        still = still + 1 if left == before else 0
        before = left


def _cluster_to_take(google: Google, record: Record, state: Mapping[str, Any] | None) -> Cluster | None:
    alive = living(google, record)
    if alive is None or (state is not None and not unwritten([gke_strangers.cluster(alive)], state)):
        return None
    return alive


def _to_take(google: Google, record: Record, footprint: Footprint, state: Mapping[str, Any] | None) -> Sequence[Thing]:
    """Before Terraform's destroy, with a state: what it does not know of. A router takes its NAT along."""
    whose = whose_of(google, record, footprint)
    if state is None:
        return find(google, whose).ours
    found = find(google, whose, UNWRITTEN).ours
    keys = {it.key for it in unwritten(gke_strangers.there(record, found, None), state)}
    return [it for it in found if it.path in keys]
