"""Which things in a project a cluster's controllers made, and whether they are provably that cluster's.

A name is not enough to delete anything, as a later cluster may bear it again. The proof is the cluster's id:

1. the thing's own label `karrots-id` (Terraform puts it on the cluster, and GKE on what it makes that takes labels);
2. GKE's own number of the cluster (karrots.adapters.google_marks), where it was seen that the cluster of that number
   bears our id: now, or when the destroy began;
3. the network the thing lies in, when that was made for this cluster alone: it has the cluster's own name and says the
   id in its description. A network shared with the parent proves nothing;
4. the footprint: things, by Compute's own number of each, that were seen to be the cluster's while it lived;
5. kinship: parts of a load balancer bear no label and lie in no network. One that bears the same word of its controller
   as a proven thing, or that refers to one or is referred to by one, is of the same cluster.

A thing that bears the name and has none of these is in doubt: it is told, and left alone. So is what others put into
our network.

A snapshot is there to outlive its disk, and GKE's driver writes into it only what its VolumeSnapshotClass says. So it
is the cluster's only if that driver took it and the class wrote both name and id into its labels. Any other snapshot of
a disk of ours is in doubt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from karrots.adapters import google_dns, google_marks
from karrots.adapters.google import understood
from karrots.adapters.google_errors import GoogleApiOff
from karrots.adapters.google_gke import CLUSTER, ID
from karrots.adapters.google_marks import CONTROLLERS, NAME_LABEL, OURS_ALONE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from karrots.adapters.google import Answer, Google
    from karrots.adapters.google_dns import Entry

Kind = Literal[
    "forwarding rule", "target proxy", "URL map", "certificate", "backend service", "target pool", "health check",
    "network endpoint group", "address", "firewall rule", "instance group manager", "instance group", "instance",
    "disk", "snapshot", "DNS record", "router", "subnetwork", "network", "service account",
]  # fmt: skip
# In the order in which they can go; Compute's collections of each. What lies in no zone or region has its own list.
COLLECTIONS: Mapping[Kind, tuple[str, ...]] = {
    "forwarding rule": ("forwardingRules",),
    "target proxy": ("targetHttpProxies", "targetHttpsProxies", "targetTcpProxies"),
    "URL map": ("urlMaps",),
    "certificate": ("sslCertificates",),
    "backend service": ("backendServices",),
    "target pool": ("targetPools",),
    "health check": ("healthChecks", "httpHealthChecks"),
    "network endpoint group": ("networkEndpointGroups",),
    "address": ("addresses",),
    "firewall rule": ("firewalls",),
    "instance group manager": ("instanceGroupManagers",),
    "instance group": ("instanceGroups",),
    "instance": ("instances",),
    "disk": ("disks",),
    "snapshot": ("snapshots",),
    "router": ("routers",),
    "subnetwork": ("subnetworks",),
    "network": ("networks",),
}
GLOBAL = ("firewalls", "networks", "httpHealthChecks", "snapshots")
NUMBERED = ("firewall rule", "subnetwork")
OF_TERRAFORM = ("router", "subnetwork", "network", "service account")
ORDER: tuple[Kind, ...] = (*COLLECTIONS, "DNS record", "service account")
NO_LINKS = ("selfLink", "network", "subnetwork", "subnetworks", "zone", "region", "machineType")


@dataclass(frozen=True)
class Thing:
    """`path` is what Compute's calls name it by, `number` its own id there; `points` are paths of what it refers to.

    `source` is the key of the disk that a snapshot was taken of; `parts` are names of what is in it: a router's NATs.
    """

    kind: Kind
    path: str
    name: str
    number: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    network: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()
    points: frozenset[str] = frozenset()
    source: str = ""
    entry: Entry | None = None
    parts: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """As a footprint holds it: the number tells it from a later one of the same name."""
        return f"{self.path}#{self.number}"

    @property
    def by_controller(self) -> bool:
        told = google_marks.described(self.note)
        return (
            self.kind == "DNS record"
            or CONTROLLERS.match(self.name) is not None
            or NAME_LABEL in self.labels
            or any(str(word).startswith(("kubernetes.io/", "k8s", "cluster-uid")) for word in told)
        )

    @property
    def words(self) -> frozenset[str]:
        return google_marks.words(self.name, self.note)

    def __str__(self) -> str:
        told = google_marks.described(self.note)
        of = "volumesnapshot" if self.kind == "snapshot" else "pvc"
        parts = (told.get(f"kubernetes.io/created-for/{of}/{part}") for part in ("namespace", "name"))
        claim = "/".join(str(part) for part in parts if part)
        return f"{self.name} ({claim})" if claim else self.name


@dataclass(frozen=True)
class Whose:
    """A cluster and what proves a thing to be its own.

    `prefix` is what its network is called; `numbers` are GKE's of it, `foreign` those of clusters that bear another id;
    `parts` are paths that GKE lists as its own while it lives; `seen` are keys of its footprint; `rival`: a living
    cluster with another id has its name.
    """

    name: str
    id: str
    region: str
    prefix: str
    domain: str = ""
    numbers: frozenset[str] = frozenset()
    foreign: frozenset[str] = frozenset()
    parts: frozenset[str] = frozenset()
    seen: frozenset[str] = frozenset()
    rival: bool = False

    @property
    def note(self) -> str:
        """How its root describes what takes no labels."""
        return f"karrots-id: {self.id}"

    def made_for_it(self, thing: Thing) -> bool:
        """A network or an account of its root, which names the whole id."""
        if thing.kind == "network":
            return thing.name == self.prefix and thing.note == self.note
        return thing.kind == "service account" and thing.note == self.note

    def bears_name(self, thing: Thing) -> bool:
        named = google_marks.clusters(thing.labels, thing.note)
        here = any(name == self.name and self._is_here(place) for name, place in named)
        return here or any(name == self.name for name, _ in self._numbered(thing)) or self._is_network(thing)

    def with_numbers_of(self, things: list[Thing]) -> Whose:
        """A thing that bears an id and a number says which cluster has that number."""
        told = [(google_marks.number_of(it.labels), it.labels[ID]) for it in things if ID in it.labels]
        ours = {number for number, bearer in told if number and bearer == self.id}
        others = {number for number, bearer in told if number and bearer != self.id}
        return replace(self, numbers=self.numbers | ours, foreign=self.foreign | (others - ours - self.numbers))

    def is_of_another(self, thing: Thing) -> bool:
        """It bears another id or number, or only names of other clusters."""
        if ID in thing.labels:
            return thing.labels[ID] != self.id
        digits, number = self._numbered(thing), google_marks.number_of(thing.labels)
        if number and (self.numbers or number in self.foreign):
            return number not in self.numbers
        if digits and (self.numbers or self._is_foreign(digits)):
            return not self._is_numbered(digits)
        named = digits or google_marks.clusters(thing.labels, thing.note)
        return bool(named) and not self.bears_name(thing)

    def owns(self, thing: Thing, networks: frozenset[str]) -> bool:
        """By itself; kinship is found by `find`. `networks` are those made for this cluster."""
        if thing.kind == "snapshot":
            named = thing.labels.get(CLUSTER) == self.name
            return named and thing.labels.get(ID) == self.id and google_marks.by_driver(thing.note)
        if thing.labels.get(ID) == self.id or self.made_for_it(thing):
            return True
        if self.is_of_another(thing):
            return False
        if google_marks.number_of(thing.labels) in self.numbers or self._is_numbered(self._numbered(thing)):
            return True
        inside = thing.network in networks and (thing.by_controller or thing.kind in OF_TERRAFORM)
        return inside or thing.path in self.parts or thing.key in self.seen

    def doubts(self, thing: Thing, networks: frozenset[str], disks: frozenset[str]) -> bool:
        """`disks` are keys of those that are ours, or were."""
        named = self.bears_name(thing) and not self.rival
        return named or thing.network in networks or thing.source in disks or thing.labels.get(ID) == self.id

    def _numbered(self, thing: Thing) -> set[tuple[str, str]]:
        """Names of machines and their groups are cut, and hold other digits."""
        return google_marks.numbered([*([thing.name] if thing.kind in NUMBERED else []), *thing.tags])

    def _is_numbered(self, digits: set[tuple[str, str]]) -> bool:
        return any(name == self.name and it.startswith(first) for name, first in digits for it in self.numbers)

    def _is_foreign(self, digits: set[tuple[str, str]]) -> bool:
        return any(it.startswith(first) for _, first in digits for it in self.foreign)

    def _is_here(self, place: str) -> bool:
        return place in {"", self.region} or place.startswith(f"{self.region}-")

    def _is_network(self, thing: Thing) -> bool:
        return thing.kind == "network" and thing.name == self.prefix


@dataclass(frozen=True)
class Found:
    ours: tuple[Thing, ...]
    doubtful: tuple[Thing, ...]


def find(google: Google, whose: Whose, kinds: Sequence[Kind] = ()) -> Found:
    """Everything, of all kinds: one proves another. What Terraform makes is proved without the other kinds.

    Each kind is asked for in a thread of its own.
    """
    finders = [_finder(google, whose, kind) for kind in kinds or ORDER]
    with ThreadPoolExecutor(max_workers=len(finders)) as pool:
        things = [thing for found in pool.map(_there, finders) for thing in found]
    return told_apart(things, whose)


def _finder(google: Google, whose: Whose, kind: Kind) -> Callable[[], Iterator[Thing]]:
    if kind == "DNS record":
        return partial(_dns_records, google, whose)
    return partial(_accounts, google) if kind == "service account" else partial(_of_kind, google, kind)


def _there(finder: Callable[[], Iterator[Thing]]) -> list[Thing]:
    """What is not switched on holds nothing."""
    try:
        return list(finder())
    except GoogleApiOff:
        return []


def told_apart(things: list[Thing], whose: Whose) -> Found:
    whose = whose.with_numbers_of(things)
    networks = frozenset(thing.path for thing in things if whose.made_for_it(thing))
    others = _with_kin([thing for thing in things if whose.is_of_another(thing)], things)
    free = [thing for thing in things if thing.path not in others]
    ours = _with_kin([thing for thing in free if whose.owns(thing, networks)], free)
    left = [thing for thing in free if thing.path not in ours]
    disks = whose.seen | {thing.key for thing in things if thing.kind == "disk" and thing.path in ours}
    doubtful = [thing for thing in left if whose.doubts(thing, networks, disks)]
    return Found(tuple(thing for thing in things if thing.path in ours), tuple(doubtful))


def _with_kin(proven: list[Thing], things: list[Thing]) -> frozenset[str]:
    """Paths of these and of all that is kin to them, to any degree."""
    kin = {thing.path for thing in proven}
    newest = proven
    while newest:
        words = frozenset().union(*(thing.words for thing in newest))
        points = frozenset().union(*(thing.points for thing in newest))
        paths = {thing.path for thing in newest}
        newest = [
            thing for thing in things
            if thing.path not in kin and _may_be_kin(thing)
            and (thing.words & words or thing.path in points or thing.points & paths)
        ]  # fmt: skip
        kin |= {thing.path for thing in newest}
    return frozenset(kin)


def _may_be_kin(thing: Thing) -> bool:
    """Others' names are anybody's. A group of machines bears no mark, but its machines say who made them."""
    return thing.kind == "instance group manager" or OURS_ALONE.match(thing.name) is not None


def _of_kind(google: Google, kind: Kind) -> Iterator[Thing]:
    for collection in COLLECTIONS[kind]:
        with understood(f"compute {collection}.list"):
            for it in _listed(google, collection):
                thing = _thing(kind, it, google.project)
                if kind != "instance group" or thing.name.startswith("k8s"):  # others go with their manager
                    yield thing


def _listed(google: Google, collection: str) -> Iterator[Answer]:
    if collection not in GLOBAL:
        return google.everywhere(collection)
    path = f"projects/{google.project}/global/{collection}"
    return google.pages("compute", f"{collection}.list", path, "items")


def _thing(kind: Kind, found: Answer, project: str) -> Thing:
    interfaces: list[Answer] = found.get("networkInterfaces") or [{}]
    return Thing(
        kind=kind,
        path=path_of(str(found["selfLink"])),
        name=str(found["name"]),
        number=str(found.get("id", "")),
        labels={str(key): str(value) for key, value in (found.get("labels") or {}).items()},
        network=path_of(str(found.get("network") or interfaces[0].get("network") or "")),
        note=str(found.get("description") or ""),
        tags=tuple(str(tag) for tag in found.get("targetTags") or ()),
        points=frozenset([*_links(found), *_makers(found, project)]),
        source=_source(found),
        parts=tuple(str(it["name"]) for it in found.get("nats") or ()),
    )


def _source(found: Answer) -> str:
    disk = found.get("sourceDisk")
    return f"{path_of(str(disk))}#{found.get('sourceDiskId', '')}" if disk else ""


def _makers(found: Answer, project: str) -> Iterator[str]:
    """The group that made a machine; written with the number of the project."""
    for it in (found.get("metadata") or {}).get("items") or ():
        if it.get("key") == "created-by":
            yield re.sub(r"^projects/[^/]+", f"projects/{project}", str(it.get("value")))


def path_of(link: str) -> str:
    """From `projects/` on: the same for each of the hosts and versions that Compute writes links with."""
    at = link.find("projects/")
    return link[at:] if at >= 0 else ""


def _links(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from filter(None, [path_of(value)] if value.startswith("https://") else [])
    elif isinstance(value, dict):
        yield from (link for key, each in value.items() if key not in NO_LINKS for link in _links(each))
    elif isinstance(value, Iterable):
        yield from (link for each in value for link in _links(each))


def _dns_records(google: Google, whose: Whose) -> Iterator[Thing]:
    """External-dns writes our id beside each of its records: a record without that is never found here."""
    for entry in google_dns.entries(google, whose.id, whose.domain):
        yield Thing("DNS record", entry.key, entry.title, labels={ID: whose.id}, entry=entry)


def _accounts(google: Google) -> Iterator[Thing]:
    pages = google.pages("iam", "serviceAccounts.list", f"projects/{google.project}/serviceAccounts", "accounts")
    with understood("iam serviceAccounts.list"):
        for it in pages:
            path, number = str(it["name"]), str(it.get("uniqueId", ""))
            yield Thing("service account", path, str(it["email"]), number, note=str(it.get("description") or ""))
