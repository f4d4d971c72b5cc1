"""Of a project in Google Cloud: who is logged in, for how long, what is switched on, and how much of quotas is left."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from karrots.adapters.google import items, understood
from karrots.adapters.google_errors import GoogleDenied, GoogleRejected, GoogleWrongProject

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from karrots.adapters.google import Answer, Google

APIS = ("container", "compute", "iam", "dns", "cloudresourcemanager")
# Families of machines that count against a quota of their own; the others share CPUS.
OWN_CPUS = {"n2": "N2_CPUS", "n2d": "N2D_CPUS", "c2": "C2_CPUS", "c2d": "C2D_CPUS", "c3": "C3_CPUS", "t2d": "T2D_CPUS",
            "t2a": "T2A_CPUS", "m1": "M1_CPUS", "m2": "M2_CPUS", "a2": "A2_CPUS"}  # fmt: skip


@dataclass(frozen=True)
class Lifetime:
    """How long the log-in lasts. `seconds` is None when nothing says so; `renewed` without our doing."""

    way: str
    seconds: float | None
    renewed: bool


@dataclass(frozen=True)
class Quota:
    most: float
    used: float


@dataclass(frozen=True)
class Region:
    """`zones` by name, in order; `quotas` by Google's word for them."""

    name: str
    is_up: bool
    zones: tuple[str, ...] = ()
    quotas: Mapping[str, Quota] = field(default_factory=dict)


def who(google: Google) -> str:
    """As far as the log-in itself tells; nobody is asked."""
    found = google.credentials
    named = getattr(found, "service_account_email", "") or getattr(found, "account", "")
    return str(named or "a log-in that does not say whose it is")


def active(google: Google) -> None:
    """Raises GoogleWrongProject for a project that is not there, not ours, or about to be deleted."""
    try:
        found = google.call("resourcemanager", "projects.get", "GET", f"projects/{google.project}")
    except (GoogleDenied, GoogleRejected) as error:  # Google does not tell one from the other
        if isinstance(error, GoogleRejected) and error.status not in {400, 404}:
            raise
        raise GoogleWrongProject(google.project, error.why) from error
    if found.get("lifecycleState") != "ACTIVE":
        raise GoogleWrongProject(google.project, f"its state is {found.get('lifecycleState')}")


def lifetime(google: Google) -> Lifetime:
    found = google.credentials
    way = type(found).__module__.rpartition(".")[2].replace("_", " ")
    if google.is_renewed:
        return Lifetime(way, None, renewed=True)
    told = google.call("oauth2", "tokeninfo", "POST", "tokeninfo", form={"access_token": str(found.token)})
    with understood("oauth2 tokeninfo"):
        left = float(told["expires_in"]) if "expires_in" in told else None
    return Lifetime("an access token", left, renewed=False)


def switched_off(google: Google) -> list[str]:
    """Of the APIs that a cluster needs, those that the project has not."""
    query = {"filter": "state:ENABLED", "pageSize": "200"}
    pages = google.pages("serviceusage", "services.list", f"projects/{google.project}/services", "services", **query)
    with understood("serviceusage services.list"):
        there = {str(it["config"]["name"]) for it in pages}
    return [api for api in APIS if f"{api}.googleapis.com" not in there]


def regions(google: Google) -> dict[str, Region]:
    """All there are, with what this project may have in each."""
    pages = google.pages("compute", "regions.list", f"projects/{google.project}/regions", "items")
    with understood("compute regions.list"):
        return {str(it["name"]): _region(it) for it in pages}


def _region(found: Answer) -> Region:
    zones = tuple(sorted(str(it).rpartition("/")[2] for it in found.get("zones") or ()))
    return Region(str(found["name"]), found.get("status") == "UP", zones, _quotas(found))


def global_quotas(google: Google) -> Mapping[str, Quota]:
    """Of what lies in no region: networks, routes, firewall rules …"""
    answer = google.call("compute", "projects.get", "GET", f"projects/{google.project}")
    with understood("compute projects.get"):
        return _quotas(answer)


def _quotas(found: Answer) -> dict[str, Quota]:
    return {str(it["metric"]): Quota(float(it["limit"]), float(it["usage"])) for it in items(found, "quotas")}


@dataclass(frozen=True)
class Machine:
    """`zones` has it; `cores` is 0 where none has."""

    size: str
    cores: int
    zones: frozenset[str]

    @property
    def quota(self) -> str:
        return OWN_CPUS.get(self.size.partition("-")[0], "CPUS")


def machines(google: Google, sizes: Iterable[str], zones: Iterable[str]) -> dict[str, Machine]:
    places = list(zones)
    return {size: _machine(google, size, places) for size in sorted(set(sizes))}


def _machine(google: Google, size: str, zones: list[str]) -> Machine:
    found = {zone: cores for zone in zones for cores in _cores(google, size, zone)}
    return Machine(size, max(found.values(), default=0), frozenset(found))


def _cores(google: Google, size: str, zone: str) -> Iterator[int]:
    """None where the zone has no such machine."""
    path = f"projects/{google.project}/zones/{zone}/machineTypes/{size}"
    try:
        answer = google.call("compute", "machineTypes.get", "GET", path)
    except GoogleRejected as error:
        if error.status not in {400, 404}:
            raise
        return
    with understood("compute machineTypes.get"):
        yield int(answer["guestCpus"])


def cores_needed(found: Mapping[str, Machine], nodes: Mapping[str, int]) -> Counter[str]:
    """By quota, for so many nodes of each size."""
    wanted: Counter[str] = Counter()
    for size, count in nodes.items():
        wanted[found[size].quota] += found[size].cores * count
    return +wanted


def ranges(google: Google, subnetwork: str) -> list[str]:
    """The IPv4 ranges of a subnetwork by its path, in CIDR form; none when it is not there."""
    try:
        answer = google.call("compute", "subnetworks.get", "GET", subnetwork)
    except GoogleRejected as error:
        if error.status != 404:
            raise
        return []
    with understood("compute subnetworks.get"):
        return [str(answer["ipCidrRange"]), *(str(it["ipCidrRange"]) for it in items(answer, "secondaryIpRanges"))]
