"""Which things in a subscription are of a cluster or were made by its controllers, and whether they are provably its.

A cluster's *name* is borne again by a later one, and by others in other resource groups. So a name is not enough to
delete anything. The proof is the cluster's id, and it is one of these:

1. the thing's own tag `karrots-id`: Terraform puts it there, and AKS copies it to the node resource group and to load
   balancers, addresses and security groups it makes
   (https://learn.microsoft.com/azure/aks/use-tags, read in November 2026);
2. the resource group it lies in bears that tag: karrots' own group, and the node resource group that AKS made. A group
   in which something bears another cluster's id is left;
3. roles bear the id in their description, or were given to an identity that is provably the cluster's;
4. a federated credential trusts the issuer of the cluster's tokens, and no other cluster ever has that issuer;
5. records in Azure DNS are known by external-dns's owner (karrots.adapters.heritage).

A thing that bears the name and has none of these is in doubt: it is told, and left alone.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from karrots.adapters.azure import tagged, tags_of, understood
from karrots.adapters.azure_account import AUTHORIZATION, RESOURCES
from karrots.adapters.azure_dns import entries
from karrots.adapters.azure_errors import AzureRejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from karrots.adapters.azure import Answer, Azure
    from karrots.adapters.azure_dns import Entry

ID = "karrots-id"
CLUSTER = "karrots-cluster"
# Put on what AKS itself and its controllers make: the cluster, and the resource group of the cluster.
MANAGED_NAME = "aks-managed-cluster-name"
MANAGED_GROUP = "aks-managed-cluster-rg"
# Tags that only a controller puts on a thing: Terraform made what has none of them.
MADE = (
    "k8s-azure-service", "k8s-azure-cluster-name", "k8s-azure-created-by", "kubernetes.io-created-for-pvc-name",
    "kubernetes.io-created-for-pv-name", "karpenter.sh_nodepool",
)  # fmt: skip
IDENTITIES = "2023-01-31"

Kind = Literal[
    "private endpoint", "private link service", "load balancer", "application gateway", "scale set", "machine",
    "network interface", "disk", "snapshot", "public IP", "security group", "route table", "NAT gateway",
    "storage account", "private DNS zone", "network", "identity", "other resource", "DNS record", "role assignment",
    "federated credential", "resource group",
]  # fmt: skip
# Resource types in small letters, what people call them, and the version of their interface. In the order in which they
# can go.
TYPES: Mapping[str, tuple[Kind, str]] = {
    "microsoft.network/privateendpoints": ("private endpoint", "2024-05-01"),
    "microsoft.network/privatelinkservices": ("private link service", "2024-05-01"),
    "microsoft.network/loadbalancers": ("load balancer", "2024-05-01"),
    "microsoft.network/applicationgateways": ("application gateway", "2024-05-01"),
    "microsoft.compute/virtualmachinescalesets": ("scale set", "2024-07-01"),
    "microsoft.compute/virtualmachines": ("machine", "2024-07-01"),
    "microsoft.network/networkinterfaces": ("network interface", "2024-05-01"),
    "microsoft.compute/disks": ("disk", "2024-03-02"),
    "microsoft.compute/snapshots": ("snapshot", "2024-03-02"),
    "microsoft.network/publicipaddresses": ("public IP", "2024-05-01"),
    "microsoft.network/networksecuritygroups": ("security group", "2024-05-01"),
    "microsoft.network/routetables": ("route table", "2024-05-01"),
    "microsoft.network/natgateways": ("NAT gateway", "2024-05-01"),
    "microsoft.storage/storageaccounts": ("storage account", "2023-05-01"),
    "microsoft.network/privatednszones": ("private DNS zone", "2020-06-01"),
    "microsoft.network/virtualnetworks": ("network", "2024-05-01"),
    "microsoft.managedidentity/userassignedidentities": ("identity", IDENTITIES),
}
CLUSTER_TYPE = "microsoft.containerservice/managedclusters"


@dataclass(frozen=True)
class Thing:
    """`key` is its id in Resource Manager; `version` is '' where we do not know how it is taken away alone."""

    kind: Kind
    key: str
    name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    version: str = ""
    entry: Entry | None = None

    @property
    def group(self) -> str:
        """The resource group it lies in, in small letters; a group lies in itself."""
        parts = self.key.lower().split("/")
        return parts[4] if len(parts) > 4 and parts[3] == "resourcegroups" else ""

    @property
    def by_controller(self) -> bool:
        return any(tag in self.tags for tag in MADE) or self.kind == "DNS record"

    def __str__(self) -> str:
        lies_in = self.version and self.kind not in ("role assignment", "resource group")
        return f"{self.name} in {self.group}" if lies_in else self.name


@dataclass(frozen=True)
class Whose:
    """A cluster and what proves a thing to be its own.

    `group` and `node_group` are what its name and id make, in small letters; `groups` are the resource groups that bear
    its id, `spoiled` those of them in which others have something. `principals` and `issuers` were its alone. `rival`:
    another living cluster has its name now.
    """

    name: str
    id: str
    group: str
    node_group: str
    domain: str = ""
    groups: frozenset[str] = frozenset()
    spoiled: frozenset[str] = frozenset()
    principals: frozenset[str] = frozenset()
    issuers: frozenset[str] = frozenset()
    rival: bool = False

    @property
    def mark(self) -> str:
        return mark(self.id)

    def bears_name(self, thing: Thing) -> bool:
        managed = thing.tags.get(MANAGED_NAME) == self.name and self._is_managed(thing)
        return managed or thing.tags.get(CLUSTER) == self.name or thing.group in (self.group, self.node_group)

    def _is_managed(self, thing: Thing) -> bool:
        return thing.tags.get(MANAGED_GROUP, self.group).lower() == self.group

    def is_of_another(self, thing: Thing) -> bool:
        """It bears another id, or only names of other clusters."""
        if thing.tags.get(ID, self.id) != self.id:
            return True
        return not self._is_managed(thing) or thing.tags.get(CLUSTER, self.name) != self.name

    def owns(self, thing: Thing) -> bool:
        if self.is_of_another(thing) or (thing.kind == "resource group" and thing.group in self.spoiled):
            return False
        return thing.tags.get(ID) == self.id or thing.group in self.groups

    def doubts(self, thing: Thing) -> bool:
        """It may be ours: it bears the name and nothing says whose it is, or it is ours and others are in it."""
        if self.owns(thing) or self.is_of_another(thing):
            return False
        return thing.tags.get(ID) == self.id or (self.bears_name(thing) and not self.rival)


def mark(cluster_id: str) -> str:
    """What a cluster's roles say of themselves; templates/aks/identities.tf writes it."""
    return f"{ID}={cluster_id}"


@dataclass(frozen=True)
class Found:
    ours: tuple[Thing, ...]
    doubtful: tuple[Thing, ...]


def own_groups(azure: Azure, cluster_id: str) -> tuple[frozenset[str], frozenset[str]]:
    """Names in small letters of the resource groups that bear its id; and of those in which others have something."""
    with understood("GET resourceGroups"):
        found = [str(it["name"]).lower() for it in _groups_tagged(azure, cluster_id)]
    shared = [name for name in found if any(_is_anothers(it, cluster_id) for it in _resources(azure, name))]
    return frozenset(found) - frozenset(shared), frozenset(shared)


def _is_anothers(found: Answer, cluster_id: str) -> bool:
    return tags_of(found).get(ID, cluster_id) != cluster_id


def _resources(azure: Azure, group: str) -> Iterator[Answer]:
    return _while_there(azure.pages(f"{azure.path}/resourceGroups/{group}/resources", RESOURCES))


def _while_there(parts: Iterator[Answer]) -> Iterator[Answer]:
    """What is gone by now has no parts."""
    try:
        yield from parts
    except AzureRejected as error:
        if not error.is_gone:
            raise


def _groups_tagged(azure: Azure, cluster_id: str) -> Iterator[Answer]:
    return azure.pages(f"{azure.path}/resourceGroups", RESOURCES, **tagged(ID, cluster_id))


def find(azure: Azure, whose: Whose, finders: Iterable[str] = ()) -> Found:
    """What all finders find (or those named), each asked in a thread of its own; each thing once."""
    wanted = [FINDERS[name] for name in (finders or FINDERS)]
    with ThreadPoolExecutor(max_workers=len(wanted)) as pool:
        found = [thing for things in pool.map(lambda finder: list(finder(azure, whose)), wanted) for thing in things]
        once = {thing.key.lower(): thing for thing in found}.values()
        related = [thing for thing in once if whose.owns(thing) or whose.doubts(thing)]
        exists = pool.map(lambda it: _exists(azure, it), related)
        there = [thing for thing, is_there in zip(related, exists, strict=True) if is_there]
    return Found(tuple(filter(whose.owns, there)), tuple(filter(whose.doubts, there)))


def _exists(azure: Azure, thing: Thing) -> bool:
    """Resource Manager's lists go on naming what is gone; the thing itself does not."""
    return not thing.version or thing.entry is not None or azure.find(thing.key, thing.version) is not None


def _groups(azure: Azure, whose: Whose) -> Iterator[Thing]:
    """By the id, and those that only have our names."""
    with understood("GET resourceGroups"):
        for it in _groups_tagged(azure, whose.id):
            yield _group(it)
    for name in (whose.group, whose.node_group):
        found = group(azure, name)
        if found is not None:
            yield found


def group(azure: Azure, name: str) -> Thing | None:
    """None when there is none."""
    found = azure.find(f"{azure.path}/resourceGroups/{name}", RESOURCES)
    with understood("GET resourceGroups"):
        return None if found is None else _group(found)


def _group(found: Answer) -> Thing:
    return Thing("resource group", str(found["id"]), str(found["name"]), tags_of(found), RESOURCES)


def _in_groups(azure: Azure, whose: Whose) -> Iterator[Thing]:
    for group in sorted(whose.groups):
        yield from _things(_resources(azure, group))


def _by_tags(azure: Azure, whose: Whose) -> Iterator[Thing]:
    for name, value in ((ID, whose.id), (CLUSTER, whose.name), (MANAGED_NAME, whose.name)):
        yield from _things(azure.pages(f"{azure.path}/resources", RESOURCES, **tagged(name, value)))


def _things(pages: Iterable[Answer]) -> Iterator[Thing]:
    """Without clusters, which are looked at by themselves, and what is a part of something else."""
    with understood("GET resources"):
        for it in pages:
            kind, version = TYPES.get(str(it["type"]).lower(), ("other resource", ""))
            if str(it["type"]).lower() != CLUSTER_TYPE:
                yield Thing(kind, str(it["id"]), str(it["name"]), tags_of(it), version)


def _dns_records(azure: Azure, whose: Whose) -> Iterator[Thing]:
    """External-dns writes our id beside each of its records: a record without that is never found here."""
    for entry in entries(azure, whose.id, whose.domain):
        yield Thing("DNS record", entry.key, entry.title, {ID: whose.id}, entry=entry)


def _role_assignments(azure: Azure, whose: Whose) -> Iterator[Thing]:
    """Those of our own groups go with them, and are not told."""
    with understood("GET roleAssignments"):
        for it in _assignments(azure):
            said = it["properties"]
            ours = said.get("description") == whose.mark or str(said["principalId"]).lower() in whose.principals
            thing = Thing("role assignment", str(it["id"]), f"of {said['principalId']} at {said['scope']}",
                          {ID: whose.id}, AUTHORIZATION)  # fmt: skip
            if ours and thing.group not in whose.groups:
                yield thing


def _assignments(azure: Azure) -> Iterator[Answer]:
    return azure.pages(f"{azure.path}/providers/Microsoft.Authorization/roleAssignments", AUTHORIZATION)


def marked_roles(azure: Azure, cluster_id: str) -> dict[str, str]:
    """Where each role is given that says the id, by the id of its assignment."""
    with understood("GET roleAssignments"):
        return {
            str(it["id"]): str(it["properties"]["scope"])
            for it in _assignments(azure)
            if it["properties"].get("description") == mark(cluster_id)
        }


def _federated_credentials(azure: Azure, whose: Whose) -> Iterator[Thing]:
    """Of identities that stay: those of our own groups go with them."""
    if not whose.issuers:
        return
    for identity in identities(azure):
        if identity.group not in whose.groups:
            yield from _trusting(azure, whose, identity)


def _trusting(azure: Azure, whose: Whose, identity: Thing) -> Iterator[Thing]:
    with understood("GET federatedIdentityCredentials"):
        for it in _while_there(azure.pages(f"{identity.key}/federatedIdentityCredentials", IDENTITIES)):
            if str(it["properties"]["issuer"]).rstrip("/") in whose.issuers:
                name = f"{it['name']} of {identity.name}"
                yield Thing("federated credential", str(it["id"]), name, {ID: whose.id}, IDENTITIES)


def identities(azure: Azure) -> list[Thing]:
    """All user-assigned ones of the subscription."""
    path = f"{azure.path}/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
    with understood("GET userAssignedIdentities"):
        return [
            Thing("identity", str(it["id"]), str(it["name"]), tags_of(it), IDENTITIES)
            for it in azure.pages(path, IDENTITIES)
        ]


def own_principals(azure: Azure, cluster_id: str) -> frozenset[str]:
    """Of the identities that bear its id."""
    path = f"{azure.path}/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
    with understood("GET userAssignedIdentities"):
        return frozenset(
            str(it["properties"]["principalId"]).lower()
            for it in azure.pages(path, IDENTITIES)
            if tags_of(it).get(ID) == cluster_id
        )


FINDERS: Mapping[str, Callable[[Azure, Whose], Iterator[Thing]]] = {
    "tags": _by_tags,
    "groups": _groups,
    "in groups": _in_groups,
    "DNS": _dns_records,
    "roles": _role_assignments,
    "federated": _federated_credentials,
}
# In which order kinds can go; groups last, with all that lies in them.
ORDER: tuple[Kind, ...] = (
    "federated credential", "role assignment", "DNS record", *(kind for kind, _ in TYPES.values()), "other resource",
    "resource group",
)  # fmt: skip
