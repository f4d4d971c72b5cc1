"""Of an Azure subscription: who is logged in, what it may do there, and how much of its quotas is left."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from karrots import clock
from karrots.adapters.azure import understood
from karrots.adapters.azure_errors import AzureRejected, AzureWrongSubscription

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from karrots.adapters.azure import Answer, Azure

RESOURCES = "2021-04-01"
SUBSCRIPTIONS = "2022-12-01"
AUTHORIZATION = "2022-04-01"
SKUS = "2021-07-01"
COMPUTE = "2024-07-01"
NETWORK = "2024-05-01"
CORES = "cores"  # all machines of a region that are not spot
SPOT_CORES = "lowPriorityCores"
# Azure has called it by both names.
PUBLIC_IPS = ("IPv4StandardSkuPublicIpAddresses", "StandardSkuPublicIpAddresses", "PublicIPAddresses")
NETWORKS = ("VirtualNetworks",)
GATEWAYS = ("NatGateways",)
ACTIVE = ("Enabled", "Warned", "PastDue")


@dataclass(frozen=True)
class Caller:
    """`who` is a name where the token has one, else an id; `seconds` is how long the token of now lasts."""

    who: str
    tenant: str
    seconds: float


@dataclass(frozen=True)
class Subscription:
    id: str
    name: str
    tenant: str
    state: str

    @property
    def usable(self) -> bool:
        return self.state in ACTIVE


@dataclass(frozen=True)
class Service:
    """Whether the subscription may use it, and the regions that have it, by type of resource in small letters."""

    registered: bool
    places: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Machine:
    """A size as the region has it. `zones` are those it can be had in; `refused` is why this subscription cannot."""

    name: str
    family: str
    cores: int
    zones: frozenset[str]
    refused: str = ""


@dataclass(frozen=True)
class Usage:
    name: str
    what: str
    used: int
    most: int


@dataclass(frozen=True)
class Rights:
    """What the log-in may do at one scope: each role's actions, and what that role takes away again."""

    roles: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = field(default=())

    def allow(self, action: str) -> bool:
        return any(_matches(action, given) and not _matches(action, taken) for given, taken in self.roles)


def _matches(action: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)


def caller(azure: Azure) -> Caller:
    """As the token says; nobody is asked but for the token."""
    token = azure.tokens().now()
    claims = claims_of(token.text)
    named = (claims.get(key) for key in ("upn", "unique_name", "preferred_username", "appid", "oid"))
    who = next((str(name) for name in named if name), "somebody")
    return Caller(who, str(claims.get("tid") or ""), token.expires - clock.seconds())


def claims_of(token: str) -> Mapping[str, Any]:
    """Of a JSON web token, unproved; {} for what is none."""
    body = token.split(".")[1] if token.count(".") == 2 else ""
    try:
        found = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def subscription(azure: Azure, tenant: str = "") -> Subscription:
    """Raises AzureWrongSubscription when the log-in does not see it, or it is another tenant's."""
    try:
        answer = azure.get(azure.path, SUBSCRIPTIONS)
    except AzureRejected as error:
        if error.is_gone:
            raise _not_seen(azure, error.why) from error
        raise
    with understood("GET subscription"):
        found = Subscription(
            str(answer["subscriptionId"]),
            str(answer.get("displayName") or ""),
            str(answer.get("tenantId") or ""),
            str(answer["state"]),
        )
    if tenant and found.tenant and found.tenant.lower() != tenant.lower():
        raise AzureWrongSubscription(
            f"the subscription {found.id} is in the tenant {found.tenant}, not in {tenant}",
            why="karrots.yaml names another tenant",
            hint="correct providers.aks.tenant in karrots.yaml",
        )
    return found


def _not_seen(azure: Azure, why: str) -> AzureWrongSubscription:
    return AzureWrongSubscription(
        f"the log-in at Azure does not see the subscription {azure.subscription}",
        why=why,
        hint="az account list   (what the log-in sees)\nor correct providers.aks.subscription in karrots.yaml",
    )


def regions(azure: Azure) -> set[str]:
    """Where things can be made; regions of regions, such as `europe`, are none."""
    with understood("GET locations"):
        return {
            str(it["name"])
            for it in azure.pages(f"{azure.path}/locations", SUBSCRIPTIONS)
            if (it.get("metadata") or {}).get("regionType", "Physical") == "Physical"
        }


def services(azure: Azure) -> dict[str, Service]:
    """What Azure calls resource providers, each by its name in small letters."""
    with understood("GET providers"):
        return {
            str(it["namespace"]).lower(): Service(
                it.get("registrationState") == "Registered",
                {str(kind["resourceType"]).lower(): _places(kind) for kind in it.get("resourceTypes") or ()},
            )
            for it in azure.pages(f"{azure.path}/providers", RESOURCES)
        }


def _places(found: Answer) -> frozenset[str]:
    """Here regions are called as people read them: West Europe."""
    return frozenset(str(it).lower().replace(" ", "") for it in found.get("locations") or ())


def rights(azure: Azure, scope: str = "") -> Rights:
    """Of the log-in itself, at the subscription unless something in it is named."""
    path = f"{scope or azure.path}/providers/Microsoft.Authorization/permissions"
    with understood("GET permissions"):
        return Rights(
            tuple((tuple(it["actions"]), tuple(it.get("notActions") or ())) for it in azure.pages(path, AUTHORIZATION))
        )


def machines(azure: Azure, region: str) -> dict[str, Machine]:
    """Sizes by their name in small letters."""
    path = f"{azure.path}/providers/Microsoft.Compute/skus"
    pages = azure.pages(path, SKUS, **{"$filter": f"location eq '{region}'"})
    with understood("GET skus"):
        found = (_machine(it, region) for it in pages if it["resourceType"] == "virtualMachines")
        return {machine.name.lower(): machine for machine in found}


def _machine(found: Answer, region: str) -> Machine:
    facts = {str(it["name"]): str(it["value"]) for it in found.get("capabilities") or ()}
    places = [it for it in found.get("locationInfo") or () if str(it["location"]).lower() == region.lower()]
    zones = {str(zone) for it in places for zone in it.get("zones") or ()}
    refused = ""
    for it in found.get("restrictions") or ():
        if it.get("type") == "Zone":
            zones -= {str(zone) for zone in (it.get("restrictionInfo") or {}).get("zones") or ()}
        else:
            refused = str(it.get("reasonCode") or "restricted")
    cores = int(facts.get("vCPUs", "0"))
    return Machine(str(found["name"]), str(found.get("family") or ""), cores, frozenset(zones), refused)


def machine_usages(azure: Azure, region: str) -> dict[str, Usage]:
    """Families of machines by their name in small letters, and `cores` for all of them."""
    path = f"{azure.path}/providers/Microsoft.Compute/locations/{region}/usages"
    return {usage.name.lower(): usage for usage in _usages(azure, path, COMPUTE)}


def network_usages(azure: Azure, region: str) -> dict[str, Usage]:
    path = f"{azure.path}/providers/Microsoft.Network/locations/{region}/usages"
    return {usage.name.lower(): usage for usage in _usages(azure, path, NETWORK)}


def _usages(azure: Azure, path: str, version: str) -> Iterator[Usage]:
    with understood("GET usages"):
        for it in azure.pages(path, version):
            name = it["name"]
            value = str(name["value"])
            said = str(name.get("localizedValue") or value)
            yield Usage(value, said, int(it["currentValue"]), int(it["limit"]))


def outbound(azure: Azure, subnet: str) -> list[str]:
    """The addresses of the gateway that a subnet calls out by; none where it has none."""
    found = azure.find(subnet, NETWORK)
    with understood("GET natGateways"):
        link = ((found or {}).get("properties") or {}).get("natGateway")
        gateway = azure.find(str(link["id"]), NETWORK) if link else None
        named = ((gateway or {}).get("properties") or {}).get("publicIpAddresses") or ()
        addresses = [azure.find(str(it["id"]), NETWORK) for it in named]
        return sorted(str(it["properties"]["ipAddress"]) for it in addresses if it is not None)


def ranges(azure: Azure, subnet: str) -> list[str]:
    """The ranges of the virtual network that a subnet is in; none when it is not there."""
    network = azure.find(subnet.partition("/subnets/")[0], NETWORK)
    if network is None:
        return []
    with understood("GET virtualNetworks"):
        return [str(it) for it in network["properties"]["addressSpace"]["addressPrefixes"]]
