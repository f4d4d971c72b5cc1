"""What can be known of an AKS cluster before its first paid minute. The questions are asked side by side."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING

from karrots.adapters import azure_account, azure_aks, azure_dns, azure_inventory
from karrots.adapters.azure import Azure
from karrots.adapters.azure_account import CORES, GATEWAYS, NETWORKS, PUBLIC_IPS, SPOT_CORES, Service
from karrots.adapters.azure_errors import AzureExtraMissing
from karrots.adapters.azure_inventory import ID
from karrots.errors import KarrotsError, LoginNeeded
from karrots.fleet.cloud_names import names
from karrots.providers.aks_defaults import from_parent, living
from karrots.providers.base import Check
from karrots.providers.cloud import taken
from karrots.providers.dns_zone import zone_rows
from karrots.providers.endpoint import endpoint_check, private_check
from karrots.providers.questions import address_range, no_parent, of_error, side_by_side
from karrots.spec import fleet
from karrots.spec.suggest import suggestion

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from karrots.adapters.azure_account import Machine, Usage
    from karrots.adapters.azure_aks import Cluster
    from karrots.fleet.record import Record
    from karrots.spec.cluster import ClusterSpec, NodePool
    from karrots.spec.fleet import Cloud

DEFAULT_SIZE = "Standard_D4s_v5"  # as templates/aks/variables.tf has it
LEAST_SECONDS = 60 * 60.0  # a create takes a quarter of an hour, and a night shift has to be finished too
LEAST_CORES = 2  # of a machine that Azure's own pods run on
BURSTABLE = re.compile(r"standard_b[0-9]", re.IGNORECASE)
# As templates/aks/versions.tf registers them.
NEEDED = ("Microsoft.Compute", "Microsoft.ContainerService", "Microsoft.ManagedIdentity", "Microsoft.Network",
          "Microsoft.Storage")  # fmt: skip
AKS, CLUSTERS, UNKNOWN = "microsoft.containerservice", "managedclusters", Service(registered=False)
ROLES = "Microsoft.Authorization/roleAssignments/write"
RIGHTS = (
    "Microsoft.Resources/subscriptions/resourceGroups/write", "Microsoft.ContainerService/managedClusters/write",
    "Microsoft.ManagedIdentity/userAssignedIdentities/write", "Microsoft.Network/virtualNetworks/write", ROLES,
)  # fmt: skip
SETTINGS_HINT = "add providers.aks (subscription, region, state) to karrots.yaml"


@dataclass(frozen=True)
class Question:
    """All that the checks ask with. Shared between their threads."""

    azure: Azure
    spec: ClusterSpec
    record: Record
    settings: fleet.Aks
    parent: Record | None
    _one: threading.RLock = field(default_factory=threading.RLock)

    @property
    def region(self) -> str:
        return self.record.region or self.settings.region

    @property
    def name(self) -> str:
        return names(self.record)["cluster"]

    @property
    def group(self) -> str:
        return names(self.record)["resource_group"]

    @property
    def pools(self) -> dict[str, NodePool]:
        return self.spec.nodes

    @property
    def there(self) -> Cluster | None:
        """Asked once, for several rows."""
        with self._one:
            return self._there

    @cached_property
    def _there(self) -> Cluster | None:
        return azure_aks.cluster(self.azure, self.group, self.name)

    @property
    def is_made(self) -> bool:
        return self.there is not None and self.there.tags.get(ID) == self.record.id

    @property
    def machines(self) -> dict[str, Machine]:
        with self._one:
            return self._machines

    @cached_property
    def _machines(self) -> dict[str, Machine]:
        return azure_account.machines(self.azure, self.region)

    @property
    def services(self) -> dict[str, Service]:
        with self._one:
            return self._services

    @cached_property
    def _services(self) -> dict[str, Service]:
        return azure_account.services(self.azure)

    @property
    def networks(self) -> dict[str, Usage]:
        with self._one:
            return self._networks

    @cached_property
    def _networks(self) -> dict[str, Usage]:
        return azure_account.network_usages(self.azure, self.region)


def checks(spec: ClusterSpec, record: Record, settings: Cloud | None, parent: Record | None) -> list[Check]:
    if not isinstance(settings, fleet.Aks):
        return [Check("karrots.yaml", ok=False, found="it says nothing of providers.aks", hint=SETTINGS_HINT)]
    try:
        azure = Azure(record.account or settings.subscription, settings.tenant or "")
    except KarrotsError as error:
        return [of_error("Azure SDK" if isinstance(error, AzureExtraMissing) else "Azure login", error)]
    return answered(Question(azure, spec, record, settings, parent))


def answered(question: Question) -> list[Check]:
    """Where nobody is logged in, nothing else can be asked: one row says it, and not twelve."""
    login, region, *others = side_by_side(CHECKS, question)
    if isinstance(login.error, LoginNeeded):
        return list(login.rows)
    if region.error is None and not all(row.ok for row in region.rows):
        return [*login.rows, *region.rows]
    return [row for found in (login, region, *others) for row in found.rows]


def login(question: Question) -> list[Check]:
    found = azure_account.subscription(question.azure, question.settings.tenant or "")
    who = azure_account.caller(question.azure)
    place = f"{found.name or 'subscription'} ({found.id})"
    if not found.usable:
        hint = "have it switched on again, or name another in providers.aks.subscription of karrots.yaml"
        return [Check("Azure login", ok=False, found=f"{place} is {found.state.lower()}", hint=hint)]
    return [Check("Azure login", ok=True, found=f"{who.who} in {place}"), lasting(question.azure, who.seconds)]


def lasting(azure: Azure, seconds: float) -> Check:
    what, way = "Azure credentials", azure.login.way
    if azure.login.renewed:
        return Check(what, ok=True, found=f"{way}, renewed")
    hint = "" if seconds >= LEAST_SECONDS else "name a file that is renewed in ARM_OIDC_TOKEN_FILE_PATH, or: az login"
    return Check(what, ok=seconds >= LEAST_SECONDS, found=f"{way}, ends in {int(seconds // 60)} min", hint=hint)


def region(question: Question) -> list[Check]:
    wanted, known = question.region, azure_account.regions(question.azure)
    if wanted not in known:
        found = f"the subscription has no region '{wanted}'{suggestion(wanted, known)}"
        return [elsewhere(wanted, known, found)]
    places = question.services.get(AKS, UNKNOWN).places.get(CLUSTERS) or known
    if wanted not in places:
        return [elsewhere(wanted, known & places, f"AKS is not offered in '{wanted}'")]
    return [Check("Azure region", ok=True, found=wanted)]


def elsewhere(wanted: str, known: Collection[str], found: str) -> Check:
    near = sorted(it for it in known if it[:4] == wanted[:4].lower()) or sorted(known)
    hint = f"correct providers.aks.region in karrots.yaml: {', '.join(near)}"
    return Check("Azure region", ok=False, found=found, hint=hint)


def providers(question: Question) -> list[Check]:
    missing = [name for name in NEEDED if not question.services.get(name.lower(), UNKNOWN).registered]
    if not missing:
        return [Check("resource providers", ok=True, found="registered")]
    rights = azure_account.rights(question.azure)
    if all(rights.allow(f"{name}/register/action") for name in missing):
        return [Check("resource providers", ok=True, found=f"Terraform registers {', '.join(missing)}")]
    hint = "\n".join(f"az provider register --namespace {name}" for name in missing)
    found = f"not registered: {', '.join(missing)}, and the log-in may not do it"
    return [Check("resource providers", ok=False, found=found, hint=f"have somebody run: {hint}")]


def rights(question: Question) -> list[Check]:
    found = azure_account.rights(question.azure)
    missing = [action for action in RIGHTS if not found.allow(action)]
    if not missing:
        return [Check("rights", ok=True, found="to make clusters and to give their identities roles")]
    role = "Role Based Access Control Administrator" if missing == [ROLES] else "Contributor"
    hint = f"az role assignment create --assignee … --scope {question.azure.path} --role '{role}'"
    return [Check("rights", ok=False, found=f"the log-in may not {', '.join(missing)}", hint=hint)]


def name(question: Question) -> list[Check]:
    if question.is_made:
        return [Check("cluster name", ok=True, found=f"{question.name} (made)")]
    group = azure_inventory.group(question.azure, question.group)
    if question.there is not None or (group is not None and group.tags.get(ID) != question.record.id):
        found = f"Azure has a resource group '{question.group}' that is not of this fleet's record"
        hint = f"choose another name, or look: az group show --name {question.group}"
        return [Check("cluster name", ok=False, found=found, hint=hint)]
    return [Check("cluster name", ok=True, found=f"{question.name} is free")]


def version(question: Question) -> list[Check]:
    wanted, what = question.spec.kubernetes, "Kubernetes version"
    offered = azure_aks.versions(question.azure, question.region)
    found = next((it for it in offered if it.name == wanted), None)
    hint = "set kubernetes in cluster.yaml to one of: " + ", ".join(it.name for it in offered if it.supported)
    if found is None:
        return [Check(what, ok=False, found=f"AKS has no {wanted} in {question.region}", hint=hint)]
    if not found.supported and not question.is_made:
        return [Check(what, ok=False, found=f"{wanted} has long-term support only, which costs more", hint=hint)]
    return [Check(what, ok=True, found=wanted)]


def sizes(question: Question) -> list[Check]:
    wanted = sorted({pool.size or DEFAULT_SIZE for pool in question.pools.values()})
    return [size_row(question, size) for size in wanted]


def size_row(question: Question, size: str) -> Check:
    what = f"machine size {size}"
    trouble = _trouble(size, question.machines.get(size.lower()), question.spec.network.zones, question.region)
    if trouble:
        return Check(what, ok=False, found=trouble, hint="choose another size in cluster.yaml (az vm list-skus)")
    return Check(what, ok=True, found=f"in {question.region}, {question.machines[size.lower()].cores} vCPUs")


def _trouble(size: str, found: Machine | None, zones: int, region: str) -> str:
    if BURSTABLE.match(size):
        return "AKS is not made for the B series: its machines are slowed down once their credit is used up"
    if found is None:
        return f"{region} has none"
    if found.refused:
        return f"{region} has none for this subscription: {found.refused}"
    if found.cores < LEAST_CORES:
        return f"it has {found.cores} vCPU, and AKS needs {LEAST_CORES}"
    missing = {str(number) for number in range(1, zones + 1)} - found.zones if zones > 1 else set()
    return f"not in zone {', '.join(sorted(missing))} of {region}" if missing else ""


def addresses(question: Question) -> list[Check]:
    if question.spec.network.mode == "shared":
        return [shared_network(question)]
    return [address_range(question.record.network, question.parent, partial(parents_ranges, question))]


def shared_network(question: Question) -> Check:
    parent, what = question.parent, "network"
    if parent is None:
        return no_parent()
    if (parent.account, parent.region) != (question.azure.subscription, question.region):
        found = f"it is to be that of '{parent.name}', which is in {parent.region} of subscription {parent.account}"
        return Check(what, ok=False, found=found, hint="set 'network.mode: own' in cluster.yaml")
    there = living(question.azure, parent)
    if there is None or not there.subnets:
        found = f"it is to be that of '{parent.name}', which AKS does not have"
        return Check(what, ok=False, found=found, hint=f"karrots status {parent.name}")
    return Check(what, ok=True, found=f"{there.subnets[0].partition('/virtualNetworks/')[2]} of '{parent.name}'")


def parents_ranges(question: Question, parent: Record) -> list[str]:
    """As Azure has them now, which may be more than the one that was leased."""
    leased = [parent.network] if parent.network else []
    if parent.provider != question.record.provider or parent.account != question.record.account:
        return leased
    found = living(question.azure, parent)
    live = [it for subnet in found.subnets for it in azure_account.ranges(question.azure, subnet)] if found else []
    return sorted({*leased, *live})


def api_server(question: Question) -> list[Check]:
    """Of one that is not on the internet: is there a way to it?"""
    if question.spec.network.api != "private":
        return []
    there = question.there
    if there is not None and question.is_made and there.answers:
        authority = azure_aks.authority(question.azure, there.group, there.name)
        return [endpoint_check("aks", there.endpoint, authority, private=True)]
    return private_check("aks", question.spec, _near(question))


def _near(question: Question) -> str:
    """An API server in the network that is going to be shared."""
    if question.parent is None or question.spec.network.mode != "shared":
        return ""
    found = living(question.azure, question.parent)
    return found.endpoint if found is not None else ""


def cores(question: Question) -> list[Check]:
    """Of all machines, of each series, and of spot machines: three kinds of quotas."""
    needed = {} if question.is_made else _cores_needed(question)
    usages = azure_account.machine_usages(question.azure, question.region)
    return [quota_row(f"vCPUs ({name})", usages.get(name.lower()), more) for name, more in needed.items()] or [
        Check("vCPUs", ok=True, found="no more needed")
    ]


def _cores_needed(question: Question) -> dict[str, int]:
    needed: dict[str, int] = {}
    for pool in question.pools.values():
        machine = question.machines.get((pool.size or DEFAULT_SIZE).lower())
        count = (machine.cores if machine else 0) * pool.initial
        kinds = (SPOT_CORES,) if pool.spot else (CORES, machine.family if machine else "")
        for kind in filter(None, kinds):
            needed[kind] = needed.get(kind, 0) + count
    return needed


def networks(question: Question) -> list[Check]:
    """What a cluster with a network of its own takes; and an address for what AKS balances load with."""
    own = question.spec.network.mode == "own"
    gateway = own and question.spec.network.nat != "none"
    begun = bool(question.is_made or azure_inventory.group(question.azure, question.group))
    needed = {
        "virtual networks": (NETWORKS, int(own)),
        "NAT gateways": (GATEWAYS, int(gateway)),
        "public IPs": (PUBLIC_IPS, 1 if own else 0),
    }
    return [
        quota_row(what, _usage(question.networks, kinds), 0 if begun else more)
        for what, (kinds, more) in needed.items()
    ]


def _usage(usages: Mapping[str, Usage], kinds: Sequence[str]) -> Usage | None:
    return next((usages[kind.lower()] for kind in kinds if kind.lower() in usages), None)


def quota_row(what: str, usage: Usage | None, more: int) -> Check:
    if usage is None:
        return Check(what, ok=True, found=f"{more} more needed; Azure does not say how many it allows")
    found = f"{usage.used} of {usage.most} used, {more} more needed"
    if more == 0 or usage.used + more <= usage.most:
        return Check(what, ok=True, found=found)
    hint = (
        f"ask for more: https://portal.azure.com/#view/Microsoft_Azure_Capacity/QuotaMenuBlade  ('{usage.what}')\n"
        "or destroy clusters that are not needed: karrots ls"
    )
    return Check(what, ok=False, found=found, hint=hint)


def clusters(question: Question) -> list[Check]:
    """Azure has a limit for each region and keeps it to itself; its refusal names it."""
    found = azure_aks.clusters(question.azure)
    said = f"{len(found)} in the subscription; Azure does not say how many it allows"
    return [Check("AKS clusters", ok=True, found=said)]


def inherited(question: Question) -> list[Check]:
    parent = question.parent
    if parent is None or question.is_made:
        return []
    return [taken(question.record, parent, lambda: from_parent(question.azure, question.spec, parent))]


def dns_zone(question: Question) -> list[Check]:
    make = "az network dns zone create --name NAME --resource-group GROUP"
    account = f"subscription {question.record.account or question.settings.subscription}"
    return zone_rows(question.spec, question.record, lambda: azure_dns.zones(question.azure).values(), account, make)


# What the row is called where the question itself fails; the first two tell where nothing else can be asked.
CHECKS: tuple[tuple[str, Callable[[Question], Sequence[Check]]], ...] = (
    ("Azure login", login),
    ("Azure region", region),
    ("resource providers", providers),
    ("rights", rights),
    ("cluster name", name),
    ("Kubernetes version", version),
    ("from the parent", inherited),
    ("machine sizes", sizes),
    ("address range", addresses),
    ("API server", api_server),
    ("DNS zone", dns_zone),
    ("vCPUs", cores),
    ("network quotas", networks),
    ("AKS clusters", clusters),
)
