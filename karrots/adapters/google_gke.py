"""GKE: what a cluster is now, which versions there are, and the token that logs in to one."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from karrots import clock
from karrots.adapters.google import everywhere, understood, unless
from karrots.adapters.tokens import Token, Tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from karrots.adapters.google import Google

ID = "karrots-id"
CLUSTER = "karrots-cluster"
ALIVE = ("RUNNING", "RECONCILING", "DEGRADED")
# Of a token that does not say when it ends.
GUESSED_SECONDS = 300.0


@dataclass(frozen=True)
class NodePool:
    name: str
    status: str
    version: str
    size: str
    spot: bool
    least: int | None
    most: int | None
    troubles: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cluster:
    """`path` is its name in GKE's interface, `number` the id that GKE gave it, which no other cluster ever has.

    `status` in GKE's words; `authority` is PEM in base64; `dns` is '' where its DNS endpoint takes nobody from outside.
    """

    path: str
    name: str
    location: str
    number: str
    status: str
    version: str
    channel: str
    endpoint: str
    authority: str
    dns: str
    labels: Mapping[str, str]
    network: str
    subnetwork: str
    ranges: tuple[str, ...]
    pods_range: str = ""
    pools: tuple[NodePool, ...] = ()
    groups: tuple[str, ...] = ()
    troubles: tuple[str, ...] = ()
    autopilot: bool = False

    @property
    def answers(self) -> bool:
        """Whether its API server can be asked."""
        return self.status in ALIVE and bool(self.endpoint or self.dns)

    @property
    def server(self) -> str:
        return f"https://{self.dns or self.endpoint}"

    @property
    def ca(self) -> str:
        """PEM, '' for the DNS endpoint: every computer trusts its certificate."""
        return "" if self.dns else pem(self.authority)


def clusters(google: Google, name: str, region: str) -> list[Cluster]:
    """All of that name in the region and its zones: a name is taken once in each of these places.

    Raises GoogleUnreachable when GKE could not look into all of them.
    """
    parent = f"projects/{google.project}/locations/-"
    answer = google.clusters("list", lambda client: client.list_clusters(parent=parent, **_once()))
    everywhere("container clusters.list", [zone for zone in answer.missing_zones if zone.startswith(region)])
    with understood("container clusters.list"):
        found = [_cluster(google.project, it) for it in answer.clusters if it.name == name]
    return [it for it in found if it.location == region or it.location.startswith(f"{region}-")]


def _once() -> dict[str, Any]:
    """The door waits and asks again by itself."""
    from karrots.adapters.google import SECONDS

    return {"retry": None, "timeout": SECONDS}


def _cluster(project: str, found: Any) -> Cluster:
    dns = found.control_plane_endpoints_config.dns_endpoint_config
    allocation = found.ip_allocation_policy
    ranges = (found.cluster_ipv4_cidr, found.services_ipv4_cidr, allocation.node_ipv4_cidr_block)
    return Cluster(
        path=f"projects/{project}/locations/{found.location}/clusters/{found.name}",
        name=found.name,
        location=found.location,
        number=found.id,
        status=found.status.name,
        version=found.current_master_version,
        channel=found.release_channel.channel.name,
        endpoint=found.endpoint,
        authority=found.master_auth.cluster_ca_certificate,
        dns=dns.endpoint if dns.allow_external_traffic else "",
        labels=dict(found.resource_labels),
        network=found.network_config.network or found.network,
        subnetwork=found.network_config.subnetwork or found.subnetwork,
        ranges=tuple(filter(None, ranges)),
        pods_range=allocation.cluster_secondary_range_name,
        pools=tuple(_pool(it) for it in found.node_pools),
        groups=tuple(url for it in found.node_pools for url in it.instance_group_urls),
        troubles=_troubles(found),
        autopilot=found.autopilot.enabled,
    )


def _pool(found: Any) -> NodePool:
    scaling = found.autoscaling
    return NodePool(
        name=found.name,
        status=found.status.name,
        version=found.version,
        size=found.config.machine_type,
        spot=found.config.spot,
        least=scaling.total_min_node_count if scaling.enabled else None,
        most=scaling.total_max_node_count if scaling.enabled else None,
        troubles=_troubles(found),
        labels=dict(found.config.resource_labels),
    )


def _troubles(found: Any) -> tuple[str, ...]:
    told = tuple(it.message for it in found.conditions if it.message)
    return told or ((found.status_message,) if found.status_message else ())


def pem(authority: str) -> str:
    """Raises GoogleGarbled for what is no base64 of text."""
    with understood("container clusters.get"):
        return base64.b64decode(authority, validate=True).decode("ascii")


def versions(google: Google, location: str, channel: str) -> list[str]:
    """Full versions that a cluster of this channel can be made with today, the default first."""
    name = f"projects/{google.project}/locations/{location}"
    answer = google.clusters(
        "getServerConfig", lambda client: client.get_server_config(name=name, **_once()),
        permission="container.clusters.list",
    )  # fmt: skip
    found = {it.channel.name: (it.default_version, *it.valid_versions) for it in answer.channels}
    with understood("container getServerConfig"):
        return list(dict.fromkeys(filter(None, found[channel])))


def remove(google: Google, path: str) -> None:
    """Refused by GKE, and not an error here, while something else is done to it: ask again."""
    with unless(400, 404, 409):
        google.clusters("delete", lambda client: client.delete_cluster(name=path, **_once()))


def tokens(google: Google) -> Tokens:
    return Tokens(lambda: token(google))


def token(google: Google) -> Token:
    """Of the log-in itself: API servers of GKE take what Google's interfaces take, for about an hour."""
    if google.is_renewed:
        google.log_in()
    credentials = google.credentials
    ends = credentials.expiry  # UTC, and does not say so
    seconds = (ends - ends.__class__(1970, 1, 1)).total_seconds() if ends else clock.seconds() + GUESSED_SECONDS
    return Token(str(credentials.token), seconds)
