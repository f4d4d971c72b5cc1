"""What templates/aks makes, where in it that is, and by what Terraform imports it.

All of it has names of its own but for roles, which say the id. The forms of the ids are those of the provider's pages:
https://github.com/hashicorp/terraform-provider-azurerm/tree/main/website/docs/r (resource_group, virtual_network,
subnet, public_ip, nat_gateway, nat_gateway_public_ip_association, subnet_nat_gateway_association,
user_assigned_identity, federated_identity_credential, role_assignment, kubernetes_cluster,
kubernetes_cluster_node_pool; read in November 2026).

They are put together here, and not taken from Azure's answers, which write them in small letters here and there; the
provider does not know them then.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from karrots.adapters import azure_aks
from karrots.adapters.azure import tags_of, understood
from karrots.adapters.azure_account import NETWORK as NETWORK_VERSION
from karrots.adapters.azure_account import RESOURCES
from karrots.adapters.azure_inventory import ID, IDENTITIES, marked_roles
from karrots.fleet.cloud_names import names
from karrots.providers.strangers import Own
from karrots.spec.clouds import system_pool
from karrots.spec.limits import fitted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from karrots.adapters.azure import Answer, Azure
    from karrots.adapters.azure_aks import Cluster
    from karrots.fleet.record import Record
    from karrots.spec.cluster import ClusterSpec

CLUSTER = "azurerm_kubernetes_cluster.cluster"
GROUP = "azurerm_resource_group.cluster"
NETWORK = "azurerm_virtual_network.cluster"
SUBNET = "azurerm_subnet.nodes"
ADDRESS = "azurerm_public_ip.nat"
GATEWAY = "azurerm_nat_gateway.cluster"
ADDRESS_LINK = "azurerm_nat_gateway_public_ip_association.cluster"
SUBNET_LINK = "azurerm_subnet_nat_gateway_association.nodes"
IDENTITY = "azurerm_user_assigned_identity.cluster"
DNS_IDENTITY = "azurerm_user_assigned_identity.dns"
CREDENTIALS = {
    name: f'azurerm_federated_identity_credential.dns["{name}"]' for name in ("external-dns", "cert-manager")
}
SUBNET_ROLE = "azurerm_role_assignment.subnet"
CREATOR_ROLE = "azurerm_role_assignment.creator"
# They have zones and groups for their keys, written as Azure listed those when they were made.
DNS_ROLES = "azurerm_role_assignment.dns_"


@dataclass(frozen=True)
class Named(Own):
    """`version` is that of its interface; `within` is the key of what it is a part of, as parts bear no tags."""

    version: str
    within: str = ""


def there(azure: Azure, record: Record, alive: Cluster | None, pools: Mapping[str, str] | None = None) -> list[Own]:
    """What bears the id, or is a part of what does. `alive` is the cluster.

    `pools` are cluster.yaml's words for what Azure calls its pools.
    """
    found = _found(azure, record)
    return [
        *(_cluster(azure, record, alive, pools or {}) if alive is not None else ()),
        *found,
        *_links({it.address: (it, answer) for it, answer in found.items()}),
        *_roles(azure, record),
    ]


def _found(azure: Azure, record: Record) -> dict[Named, Answer]:
    whole = named(record)
    with ThreadPoolExecutor(max_workers=len(whole)) as pool:
        answers = list(pool.map(lambda it: azure.find(it.key, it.version), whole))
    seen = {it: answer for it, answer in zip(whole, answers, strict=True) if answer is not None}
    ours = {it.key for it, answer in seen.items() if tags_of(answer).get(ID) == record.id}
    return {it: answer for it, answer in seen.items() if (it.within or it.key) in ours}


def named(record: Record) -> tuple[Named, ...]:
    called = names(record)
    group, prefix = group_of(record), called["resource_group"]
    network = f"{group}/providers/Microsoft.Network"
    machines = f"{network}/virtualNetworks/{prefix}"
    identity = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{called['identity']}"
    credential = f"{identity}-dns/federatedIdentityCredentials"
    return (
        Named("resource group", prefix, GROUP, group, RESOURCES),
        Named("network", prefix, NETWORK, machines, NETWORK_VERSION),
        Named("subnet", "nodes", SUBNET, f"{machines}/subnets/nodes", NETWORK_VERSION, within=machines),
        Named("public IP", "nat", ADDRESS, f"{network}/publicIPAddresses/nat", NETWORK_VERSION),
        Named("NAT gateway", "nat", GATEWAY, f"{network}/natGateways/nat", NETWORK_VERSION),
        Named("identity", called["identity"], IDENTITY, identity, IDENTITIES),
        Named("identity", f"{called['identity']}-dns", DNS_IDENTITY, f"{identity}-dns", IDENTITIES),
        *(
            Named("federated credential", name, address, f"{credential}/{name}", IDENTITIES, within=f"{identity}-dns")
            for name, address in CREDENTIALS.items()
        ),
    )


def group_of(record: Record) -> str:
    return f"/subscriptions/{record.account}/resourceGroups/{names(record)['resource_group']}"


def cluster(record: Record) -> Own:
    name = names(record)["cluster"]
    clusters = f"{group_of(record)}/providers/Microsoft.ContainerService/managedClusters"
    return Own("AKS cluster", name, CLUSTER, f"{clusters}/{name}")


def _cluster(azure: Azure, record: Record, alive: Cluster, pools: Mapping[str, str]) -> Iterator[Own]:
    """The system pool is a part of the cluster itself; pools that somebody added by hand do not bear the id."""
    own = cluster(record)
    yield own
    for pool in azure_aks.pools(azure, alive.group, alive.name):
        if not pool.system and pool.tags.get(ID) == record.id:
            address = _pool(pools.get(pool.name, pool.name))
            yield Own("node pool", pool.name, address, f"{own.key}/agentPools/{pool.name}")


def _pool(name: str) -> str:
    return f'azurerm_kubernetes_cluster_node_pool.pool["{name}"]'


def _links(found: Mapping[str, tuple[Named, Answer]]) -> Iterator[Own]:
    """Which subnet goes out by which gateway, and that by which address, are things of their own to Terraform."""
    if GATEWAY not in found:
        return
    gateway, answer = found[GATEWAY]
    with understood("GET natGateways"):
        linked = {str(it["id"]).lower() for it in _properties(answer).get("publicIpAddresses") or ()}
        if ADDRESS in found and found[ADDRESS][0].key.lower() in linked:
            yield Own("link", "NAT gateway to public IP", ADDRESS_LINK, f"{gateway.key}|{found[ADDRESS][0].key}")
        subnet, answer = found.get(SUBNET, (gateway, {}))
        if str((_properties(answer).get("natGateway") or {}).get("id")).lower() == gateway.key.lower():
            yield Own("link", "subnet to NAT gateway", SUBNET_LINK, subnet.key)


def _properties(answer: Answer) -> Mapping[str, Any]:
    return answer.get("properties") or {}


def _roles(azure: Azure, record: Record) -> Iterator[Own]:
    places = {cluster(record).key.lower(): CREATOR_ROLE}
    for key, scope in marked_roles(azure, record.id).items():
        address = SUBNET_ROLE if scope.lower().endswith("/subnets/nodes") else places.get(scope.lower(), DNS_ROLES)
        yield Own("role assignment", f"{key.rpartition('/')[2]} at {scope}", address, key)


def rendered(spec: ClusterSpec) -> set[str]:
    """Which of these addresses the root has for such content."""
    own = spec.network.mode == "own"
    network = {NETWORK, SUBNET} if own else set()
    way_out = {ADDRESS, GATEWAY, ADDRESS_LINK, SUBNET_LINK} if own and spec.network.nat != "none" else set()
    always = {CLUSTER, GROUP, IDENTITY, DNS_IDENTITY, *CREDENTIALS.values(), SUBNET_ROLE, CREATOR_ROLE}
    return {*always, *network, *way_out, *map(_pool, pools_of(spec).values())}


def pools_of(spec: ClusterSpec) -> dict[str, str]:
    """Those of cluster.yaml that are no part of the cluster itself, by what Azure calls them."""
    return {fitted("aks-node-pool", name): name for name in spec.nodes if name != system_pool(spec)}
