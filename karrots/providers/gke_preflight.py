"""What can be known of a GKE cluster before its first paid minute. The questions are asked side by side."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

from karrots.adapters import google_account, google_dns, google_gke
from karrots.adapters.google import Google
from karrots.adapters.google_account import Quota, Region
from karrots.adapters.google_errors import GoogleApiOff, GoogleExtraMissing, GoogleLoginNeeded, GoogleWrongProject
from karrots.adapters.google_gke import ID
from karrots.errors import KarrotsError
from karrots.fleet.cloud_names import names
from karrots.providers.base import Check
from karrots.providers.cloud import taken
from karrots.providers.dns_zone import zone_rows
from karrots.providers.endpoint import endpoint_check, private_check
from karrots.providers.gke_defaults import from_parent
from karrots.providers.questions import Answered, address_range, no_parent, of_error, side_by_side
from karrots.spec import fleet
from karrots.spec.suggest import suggestion

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from karrots.adapters.google_account import Lifetime, Machine
    from karrots.adapters.google_gke import Cluster
    from karrots.fleet.record import Record
    from karrots.spec.cluster import ClusterSpec, NodePool
    from karrots.spec.fleet import Cloud

DEFAULT_SIZE = "e2-standard-4"  # as templates/gke/variables.tf has it
DEFAULT_DISK = 100  # GiB of pd-balanced, as GKE gives a node
LEAST_SECONDS = 30 * 60.0  # a create takes a quarter of an hour at most
NETWORK_NEEDS = {"NETWORKS": 1, "SUBNETWORKS": 2, "FIREWALLS": 6}  # GKE's own rules, and those of a load balancer
SETTINGS_HINT = "add providers.gke (project, region, state.bucket) to karrots.yaml"


@dataclass(frozen=True)
class Question:
    """All that the checks ask with. Shared between their threads."""

    google: Google
    spec: ClusterSpec
    record: Record
    settings: fleet.Gke
    parent: Record | None

    @property
    def name(self) -> str:
        return names(self.record)["cluster"]

    @property
    def region(self) -> str:
        return self.record.region or self.settings.region

    @property
    def pools(self) -> dict[str, NodePool]:
        """Autopilot makes nodes by itself."""
        return {} if self.spec.gke.autopilot else self.spec.nodes

    @property
    def nodes(self) -> int:
        return sum(pool.initial for pool in self.pools.values())

    @cached_property
    def there(self) -> list[Cluster]:
        return google_gke.clusters(self.google, self.name, self.region)

    @cached_property
    def is_made(self) -> bool:
        return any(it.labels.get(ID) == self.record.id for it in self.there)

    @cached_property
    def parents_cluster(self) -> Cluster | None:
        parent = self.parent
        if parent is None or (parent.provider, parent.account) != (self.record.provider, self.record.account):
            return None
        named = google_gke.clusters(self.google, names(parent)["cluster"], parent.region)
        return next((it for it in named if it.labels.get(ID) == parent.id), None)

    @cached_property
    def regions(self) -> dict[str, Region]:
        return google_account.regions(self.google)

    @property
    def own(self) -> Region:
        """Empty where there is no such region: a row of its own says so."""
        return self.regions.get(self.region, Region(self.region, is_up=False))

    @property
    def zones(self) -> tuple[str, ...]:
        """That nodes go to, as templates/gke/zones.tf chooses them."""
        return self.own.zones[: self.spec.network.zones]

    @cached_property
    def machines(self) -> Mapping[str, Machine]:
        sizes = [pool.size or DEFAULT_SIZE for pool in self.pools.values()]
        return google_account.machines(self.google, sizes, self.zones)


def checks(spec: ClusterSpec, record: Record, settings: Cloud | None, parent: Record | None) -> list[Check]:
    if not isinstance(settings, fleet.Gke):
        return [Check("karrots.yaml", ok=False, found="it says nothing of providers.gke", hint=SETTINGS_HINT)]
    try:
        google = Google(record.account or settings.project)
    except KarrotsError as error:
        return [of_error("Google SDK" if isinstance(error, GoogleExtraMissing) else "Google login", error)]
    return told(side_by_side(CHECKS, Question(google, spec, record, settings, parent)))


def told(found: list[Answered]) -> list[Check]:
    """What stands in the way of all else is told alone, and not once in each row."""
    login, project, apis, region, *others = found
    if isinstance(login.error, GoogleLoginNeeded):
        return list(login.rows)
    if isinstance(project.error, (GoogleLoginNeeded, GoogleWrongProject)):
        return [*login.rows, *project.rows]
    if region.error is None and not all(row.ok for row in region.rows):
        return [*login.rows, *project.rows, *apis.rows, *region.rows]
    others = [region, *others]
    if not all(row.ok for row in apis.rows):
        others = [it for it in others if not isinstance(it.error, GoogleApiOff)]
    return [row for it in (login, project, apis, *others) for row in it.rows]


def login(question: Question) -> list[Check]:
    google = question.google
    if google.is_renewed:
        google.log_in()
    return [
        Check("Google login", ok=True, found=google_account.who(google)),
        lasting(google_account.lifetime(google)),
    ]


def lasting(found: Lifetime) -> Check:
    what = "Google credentials"
    if found.renewed:
        return Check(what, ok=True, found=f"{found.way}, renewed")
    if found.seconds is None:
        return Check(what, ok=True, found=f"{found.way}; nothing says until when")
    enough = found.seconds >= LEAST_SECONDS
    hint = "" if enough else "unset GOOGLE_OAUTH_ACCESS_TOKEN\ngcloud auth application-default login"
    return Check(what, ok=enough, found=f"{found.way}, ends in {int(found.seconds // 60)} min", hint=hint)


def project(question: Question) -> list[Check]:
    google_account.active(question.google)
    return [Check("project", ok=True, found=question.google.project)]


def apis(question: Question) -> list[Check]:
    missing = google_account.switched_off(question.google)
    if not missing:
        return [Check("Google APIs", ok=True, found=f"{len(google_account.APIS)} of {len(google_account.APIS)} are on")]
    named = " ".join(f"{api}.googleapis.com" for api in missing)
    hint = f"gcloud services enable {named} --project {question.google.project}   (takes some minutes)"
    return [Check("Google APIs", ok=False, found=f"not switched on: {', '.join(missing)}", hint=hint)]


def region(question: Question) -> list[Check]:
    name, known = question.region, question.regions
    if name not in known:
        near = ", ".join(sorted(it for it in known if it.startswith(name[:3]))) or ", ".join(sorted(known))
        hint = f"correct providers.gke.region in karrots.yaml: {near}"
        found = f"there is no region '{name}'{suggestion(name, known)}"
        return [Check("region", ok=False, found=found, hint=hint)]
    hint = "" if known[name].is_up else "try again later, or another region"
    return [Check("region", ok=known[name].is_up, found=name if known[name].is_up else f"'{name}' is down", hint=hint)]


def name(question: Question) -> list[Check]:
    other = next((it for it in question.there if it.labels.get(ID) != question.record.id), None)
    if other is not None:
        look = f"gcloud container clusters describe {other.name} --location {other.location}"
        hint = f"choose another name: karrots branch --name …   (or look: {look})"
        found = f"GKE has a cluster '{other.name}' in {other.location} that is not of this fleet's record"
        return [Check("cluster name", ok=False, found=found, hint=hint)]
    return [Check("cluster name", ok=True, found=question.name + (" (made)" if question.is_made else " is free"))]


def version(question: Question) -> list[Check]:
    wanted, channel = question.spec.kubernetes, question.spec.gke.channel
    offered = google_gke.versions(question.google, question.region, channel)
    full = next((it for it in offered if it.startswith(f"{wanted}.")), None)
    if full is not None:
        return [Check("Kubernetes version", ok=True, found=f"{full} of the {channel.lower()} channel")]
    if question.is_made:
        return [Check("Kubernetes version", ok=True, found=f"{wanted} or later: the cluster is made, GKE upgrades it")]
    minors = ", ".join(dict.fromkeys(re.sub(r"^(\d+\.\d+).*", r"\1", it) for it in offered))
    hint = f"set kubernetes in cluster.yaml to one of: {minors}   (or another gke.channel)"
    found = f"the {channel.lower()} channel has no {wanted} in {question.region}"
    return [Check("Kubernetes version", ok=False, found=found, hint=hint)]


def zones(question: Question) -> list[Check]:
    there, needed = len(question.own.zones), question.spec.network.zones
    hint = "" if there >= needed else f"set network.zones in cluster.yaml to {there} or less"
    return [Check("zones", ok=there >= needed, found=f"{there} of {needed} needed", hint=hint)]


def machines(question: Question) -> list[Check]:
    if not question.pools:
        return [Check("machine types", ok=True, found="Autopilot chooses")]
    return [_machine(found, question.zones) for found in question.machines.values()]


def _machine(found: Machine, zones: Sequence[str]) -> Check:
    what = f"machine type {found.size}"
    missing = sorted(set(zones) - found.zones)
    if not found.zones:
        return Check(what, ok=False, found="the region's zones have none", hint="choose another size in cluster.yaml")
    if missing:
        hint = f"choose another size in cluster.yaml: {found.size} is in {', '.join(sorted(found.zones))}"
        return Check(what, ok=False, found=f"not in {', '.join(missing)}", hint=hint)
    return Check(what, ok=True, found=f"in {', '.join(zones)}")


def addresses(question: Question) -> list[Check]:
    if question.spec.network.mode == "shared":
        return [shared_network(question)]
    return [address_range(question.record.network, question.parent, partial(parents_ranges, question))]


def parents_ranges(question: Question, parent: Record) -> list[str]:
    """As Google has them now, which may be more than the one that was leased."""
    leased = [parent.network] if parent.network else []
    found = question.parents_cluster
    live = [*found.ranges, *google_account.ranges(question.google, found.subnetwork)] if found else []
    return sorted({*leased, *live})


def shared_network(question: Question) -> Check:
    """Its nodes go where the parent's are, so the parent has to be there."""
    parent, found = question.parent, question.parents_cluster
    if parent is None:
        return no_parent()
    if found is None:
        told = f"it is to be that of '{parent.name}', which is not in GKE in {question.google.project}"
        return Check("network", ok=False, found=told, hint=f"karrots status {parent.name}")
    return Check("network", ok=True, found=f"{found.network.rpartition('/')[2]} of '{parent.name}'")


def regional(question: Question) -> list[Check]:
    """What the nodes at the start take: cores by family, addresses, disks."""
    if question.region not in question.regions:
        return []
    wanted = Counter() if question.is_made else regional_needs(question)
    return [_quota(metric, question.own.quotas.get(metric), count, question.region) for metric, count in wanted.items()]


def regional_needs(question: Question) -> Counter[str]:
    """Spot machines count as others do, unless the project has a quota of their own."""
    spot = question.own.quotas.get("PREEMPTIBLE_CPUS", Quota(0, 0)).most > 0
    kept = [pool for pool in question.pools.values() if not (spot and pool.spot)]
    wanted: Counter[str] = Counter()
    for pool in kept:
        found = question.machines[pool.size or DEFAULT_SIZE]
        wanted[found.quota] += found.cores * pool.initial
    wanted["IN_USE_ADDRESSES"] += addresses_needed(question)
    wanted["SSD_TOTAL_GB"] += sum((pool.disk or DEFAULT_DISK) * pool.initial for pool in question.pools.values())
    return +wanted


def addresses_needed(question: Question) -> int:
    network = question.spec.network
    if network.nat == "none":
        return question.nodes
    return int(network.mode == "own")


def worldwide(question: Question) -> list[Check]:
    if question.spec.network.mode == "shared" or question.is_made:
        return []
    found = google_account.global_quotas(question.google)
    return [_quota(metric, found.get(metric), count, "") for metric, count in NETWORK_NEEDS.items()]


def _quota(metric: str, quota: Quota | None, more: int, region: str) -> Check:
    what = f"quota {metric}"
    if quota is None:
        return Check(what, ok=True, found=f"{more} more needed; Google does not say how many it allows")
    found = f"{quota.used:.0f} of {quota.most:.0f} used, {more} more needed"
    if quota.used + more <= quota.most:
        return Check(what, ok=True, found=found)
    place = f" in {region}" if region else ""
    hint = (
        f"ask for more {metric}{place}: https://console.cloud.google.com/iam-admin/quotas\n"
        "or destroy clusters that are not needed: karrots ls"
    )
    return Check(what, ok=False, found=found, hint=hint)


def api_server(question: Question) -> list[Check]:
    """Of one that is not on the internet: is there a way to it?"""
    if question.spec.network.api != "private":
        return []
    mine = next((it for it in question.there if it.labels.get(ID) == question.record.id and it.answers), None)
    if mine is not None:
        return [endpoint_check("gke", mine.server, mine.ca, private=True)]
    shares = question.parents_cluster if question.spec.network.mode == "shared" else None
    return private_check("gke", question.spec, shares.server if shares is not None and shares.answers else "")


def inherited(question: Question) -> list[Check]:
    parent = question.parent
    if parent is None or question.is_made:
        return []

    def ask() -> Mapping[str, str]:
        return from_parent(question.google, question.spec, question.region, question.parents_cluster)

    return [taken(question.record, parent, ask)]


def dns_zone(question: Question) -> list[Check]:
    project = question.google.project
    make = f"gcloud dns managed-zones create zone --dns-name=NAME. --description=karrots --project={project}"
    account = f"project {project}"
    return zone_rows(question.spec, question.record, lambda: google_dns.zones(question.google).values(), account, make)


# What the row is called where the question itself fails; the first four tell where nothing else can be asked.
CHECKS: tuple[tuple[str, Callable[[Question], Sequence[Check]]], ...] = (
    ("Google login", login),
    ("project", project),
    ("Google APIs", apis),
    ("region", region),
    ("cluster name", name),
    ("Kubernetes version", version),
    ("from the parent", inherited),
    ("zones", zones),
    ("machine types", machines),
    ("address range", addresses),
    ("API server", api_server),
    ("DNS zone", dns_zone),
    ("quotas of the region", regional),
    ("quotas of the project", worldwide),
)
