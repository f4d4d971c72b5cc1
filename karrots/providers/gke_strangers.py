"""What templates/gke makes under names of its own, where in it that is, and by what Terraform imports it.

The forms of the ids are those of the provider's pages and importers:
https://github.com/hashicorp/terraform-provider-google/tree/main/website/docs/r (compute_network, compute_subnetwork,
compute_router, google_service_account, container_cluster), and for a NAT and a node pool
https://github.com/hashicorp/terraform-provider-google/blob/main/google/services/compute/resource_compute_router_nat.go
and google/services/container/resource_container_node_pool.go beside it. Read in November 2026.

Grants of roles are not looked for: Google takes one that is there for one that was made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from karrots.adapters.google_gke import ID
from karrots.fleet.cloud_names import names
from karrots.providers.strangers import Own

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from karrots.adapters.google_gke import Cluster
    from karrots.adapters.google_inventory import Kind, Thing
    from karrots.fleet.record import Record
    from karrots.spec.cluster import ClusterSpec

UNWRITTEN: tuple[Kind, ...] = ("router", "subnetwork", "network", "service account")
DEFAULT_POOL = "default-pool"  # a part of the cluster itself
CLUSTER = "google_container_cluster.cluster"
NETWORK = "google_compute_network.cluster"
NODES = "google_compute_subnetwork.nodes"
PROXIES = "google_compute_subnetwork.proxies"
ROUTER = "google_compute_router.cluster"
NAT = "google_compute_router_nat.cluster"
NODE_ACCOUNT = "google_service_account.nodes"
DNS_ACCOUNT = "google_service_account.dns"


def there(record: Record, found: Iterable[Thing], alive: Cluster | None) -> list[Own]:
    """`found` is what is provably its own of the kinds UNWRITTEN, `alive` the cluster that bears the id.

    Others may lie in its network, or have been added to it by hand: only what has the very name counts.
    """
    keys = {key for thing in found for key in _keys(thing)}
    own = (it for it in named(record) if it.key in keys)
    return [*(_cluster(record, alive) if alive is not None else ()), *own]


def _keys(thing: Thing) -> Iterator[str]:
    yield thing.path
    if thing.kind == "router":
        _, project, _, region, _, router = thing.path.split("/")
        yield from (f"{project}/{region}/{router}/{name}" for name in thing.parts)


def named(record: Record) -> tuple[Own, ...]:
    called, project = names(record), f"projects/{record.account}"
    prefix, region = called["prefix"], f"{project}/regions/{record.region}"
    return (
        Own("network", prefix, NETWORK, f"{project}/global/networks/{prefix}"),
        Own("subnetwork", f"{prefix}-nodes", NODES, f"{region}/subnetworks/{prefix}-nodes"),
        Own("subnetwork", f"{prefix}-proxies", PROXIES, f"{region}/subnetworks/{prefix}-proxies"),
        Own("router", prefix, ROUTER, f"{region}/routers/{prefix}"),
        Own("Cloud NAT", prefix, NAT, f"{record.account}/{record.region}/{prefix}/{prefix}"),
        _account(record, called["node_account"], NODE_ACCOUNT),
        _account(record, called["dns_account"], DNS_ACCOUNT),
    )


def _account(record: Record, name: str, address: str) -> Own:
    """A project of a domain (example.com:fleet) is written the other way round in addresses of accounts."""
    host = ".".join(reversed(record.account.split(":")))
    key = f"projects/{record.account}/serviceAccounts/{name}@{host}.iam.gserviceaccount.com"
    return Own("service account", name, address, key)


def _cluster(record: Record, alive: Cluster) -> Iterator[Own]:
    """The pools of an Autopilot are Google's; those that somebody added by hand do not bear the id."""
    yield cluster(alive)
    for pool in () if alive.autopilot else alive.pools:
        if pool.name != DEFAULT_POOL and pool.labels.get(ID) == record.id:
            yield Own("node pool", pool.name, _pool(pool.name), f"{alive.path}/nodePools/{pool.name}")


def cluster(alive: Cluster) -> Own:
    return Own("GKE cluster", alive.name, CLUSTER, alive.path)


def _pool(name: str) -> str:
    return f'google_container_node_pool.pool["{name}"]'


def rendered(spec: ClusterSpec) -> set[str]:
    """Which of these addresses the root has for such content."""
    own = spec.network.mode == "own"
    network = {NETWORK, NODES, PROXIES} if own else set()
    way_out = {ROUTER, NAT} if own and spec.network.nat != "none" else set()
    return {CLUSTER, NODE_ACCOUNT, DNS_ACCOUNT, *network, *way_out, *map(_pool, _pools(spec))}


def _pools(spec: ClusterSpec) -> Iterator[str]:
    """As templates/gke/nodes.tf.j2 spreads them over zones."""
    for name, pool in ({} if spec.gke.autopilot else spec.nodes).items():
        yield name
        if (pool.count or 0) % spec.network.zones:
            yield f"{name}-rest"
