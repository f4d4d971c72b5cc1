"""Things in a subscription as Terraform, AKS and the controllers of a cluster make them, marked as they mark them."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from karrots.adapters.azure_inventory import CLUSTER, ID, MANAGED_GROUP, MANAGED_NAME
from karrots.fleet.cloud_names import names
from karrots.fleet.tags import tags
from tests.support.aks_account.account import HOME, Account

if TYPE_CHECKING:
    from collections.abc import Mapping

    from karrots.fleet.record import Record

NETWORK = "providers/Microsoft.Network"
COMPUTE = "providers/Microsoft.Compute"
CLUSTERS = "providers/Microsoft.ContainerService/managedClusters"
IDENTITIES = "providers/Microsoft.ManagedIdentity/userAssignedIdentities"
READER = f"{HOME}/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"
ZONE = f"{HOME}/resourceGroups/dns/{NETWORK}/dnszones/example.com"
SHARED_IDENTITY = f"{HOME}/resourceGroups/team/{IDENTITIES}/shop"
ELSEWHERE = f"{HOME}/resourceGroups/volumes"


def surroundings(account: Account) -> None:
    """Of the team and not of one cluster: a DNS zone, an identity that several clusters use, a group for volumes."""
    for name in ("dns", "team", "volumes"):
        account.group(name)
    account.put(ZONE)
    account.put(SHARED_IDENTITY, properties={"principalId": str(uuid.uuid4()), "clientId": "x"})
    record_set(account, "www", "A", {"ARecords": [{"ipv4Address": "192.0.2.9"}]})


def record_set(account: Account, name: str, kind: str, said: Mapping[str, Any]) -> str:
    properties = {"TTL": 300, "fqdn": f"{name}.example.com.", **said}
    return account.put(f"{ZONE}/{kind}/{name}", etag=str(uuid.uuid4()), properties=properties)


def text(value: str) -> dict[str, Any]:
    return {"TXTRecords": [{"value": [value[:40], value[40:]]}]}


@dataclass
class Planted:
    """A cluster's surroundings. `made` counts its things by what a sweep calls them."""

    account: Account
    record: Record
    made: Counter[str] = field(default_factory=Counter)

    @property
    def names(self) -> dict[str, str]:
        return names(self.record)

    @property
    def group(self) -> str:
        return f"{HOME}/resourceGroups/{self.names['resource_group']}"

    @property
    def node_group(self) -> str:
        return f"{HOME}/resourceGroups/{self.names['node_resource_group']}"

    @property
    def cluster_id(self) -> str:
        return f"{self.group}/{CLUSTERS}/{self.names['cluster']}"

    @property
    def issuer(self) -> str:
        return f"https://{self.record.region}.oic.prod-aks.azure.com/tenant/{self.record.id}/"

    @property
    def tags(self) -> dict[str, str]:
        return tags(self.record)

    @property
    def copied(self) -> dict[str, str]:
        """What AKS puts on all it makes: the cluster's own tags, and whose they are."""
        own = {MANAGED_NAME: self.names["cluster"], MANAGED_GROUP: self.names["resource_group"]}
        return {**self.tags, **own}

    def thing(self, kind: str, key: str, **document: Any) -> str:
        self.made[kind] += 1
        return self.account.put(key, **document)

    # What Terraform makes

    def own_group(self) -> None:
        self.account.group(self.names["resource_group"], tags=self.tags)
        self.made["resource group"] += 1
        space = {"addressPrefixes": [self.record.network or "10.64.0.0/20"]}
        network = self.subnet.partition("/subnets/")[0]
        self.thing("network", network, tags=self.tags, properties={"addressSpace": space})
        self.account.put(self.subnet, properties={"natGateway": {"id": f"{self.group}/{NETWORK}/natGateways/nat"}})
        address = self.thing("public IP", f"{self.group}/{NETWORK}/publicIPAddresses/nat", tags=self.tags,
                             properties={"ipAddress": "192.0.2.44"})  # fmt: skip
        self.thing("NAT gateway", f"{self.group}/{NETWORK}/natGateways/nat", tags=self.tags,
                   properties={"publicIpAddresses": [{"id": address}]})  # fmt: skip
        self.identity()

    @property
    def subnet(self) -> str:
        return f"{self.group}/{NETWORK}/virtualNetworks/{self.names['resource_group']}/subnets/nodes"

    @property
    def principal(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, self.record.id))

    def identity(self) -> None:
        self.thing("identity", f"{self.group}/{IDENTITIES}/{self.names['identity']}", tags=self.tags,
                   properties={"principalId": self.principal, "clientId": "x"})  # fmt: skip

    def cluster(self, status: str = "Succeeded", **properties: Any) -> str:
        """With its nodes' group, as AKS makes it."""
        host = f"{self.names['dns_prefix']}-0a1b2c.hcp.{self.record.region}.azmk8s.io"
        kubelet = f"{self.node_group}/{IDENTITIES}/{self.names['cluster']}-agentpool"
        self.account.put(self.cluster_id, tags=self.tags, properties={
            "provisioningState": status, "powerState": {"code": "Running"}, "fqdn": host,
            "kubernetesVersion": "1.36", "currentKubernetesVersion": "1.36.2",
            "nodeResourceGroup": self.names["node_resource_group"],
            "oidcIssuerProfile": {"enabled": True, "issuerURL": self.issuer}, "disableLocalAccounts": True,
            "agentPoolProfiles": [{"name": "default", "vnetSubnetID": self.subnet}],
            "identityProfile": {"kubeletidentity": {"resourceId": kubelet, "objectId": self.kubelet}}, **properties,
        })  # fmt: skip
        self.pool()
        self.account.group(self.names["node_resource_group"], tags=self.copied, managedBy=self.cluster_id)
        return self.cluster_id

    @property
    def kubelet(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, self.record.id))

    def pool(self, name: str = "default", status: str = "Succeeded", **properties: Any) -> str:
        return self.account.put(f"{self.cluster_id}/agentPools/{name}", properties={
            "provisioningState": status, "count": 2, "vmSize": "Standard_D4s_v5", "mode": "System",
            "orchestratorVersion": "1.36", **properties,
        })  # fmt: skip

    # What its controllers make

    def in_node_group(self) -> None:
        """Where AKS itself has not taken the group away: a load balancer, its address, a volume …"""
        self.account.group(self.names["node_resource_group"], tags=self.copied, managedBy=self.cluster_id)
        self.made["resource group"] += 1
        service = {"k8s-azure-service": "shop/web", "k8s-azure-cluster-name": "kubernetes"}
        self.thing("load balancer", f"{self.node_group}/{NETWORK}/loadBalancers/kubernetes", tags=self.copied)
        self.thing(
            "public IP", f"{self.node_group}/{NETWORK}/publicIPAddresses/kubernetes-a1", tags={**self.copied, **service}
        )
        self.thing("security group", f"{self.node_group}/{NETWORK}/networkSecurityGroups/aks-nsg", tags=self.copied)
        self.thing("network interface", f"{self.node_group}/{NETWORK}/networkInterfaces/pls-nic", tags={})
        self.thing("disk", f"{self.node_group}/{COMPUTE}/disks/pvc-1", tags=self.claim)

    @property
    def claim(self) -> dict[str, str]:
        return {"k8s-azure-created-by": "kubernetes-azure-dd", "kubernetes.io-created-for-pvc-name": "data",
                "kubernetes.io-created-for-pvc-namespace": "shop"}  # fmt: skip

    def outside(self) -> None:
        """In groups that stay: a volume whose storage class names another group, a role, a trust, records."""
        self.volume()
        self.role_by_description()
        self.records()

    def volume(self) -> str:
        """Its storage class was told to put the id there."""
        name = f"pvc-{self.record.id}"
        return self.thing("disk", f"{ELSEWHERE}/{COMPUTE}/disks/{name}", tags={**self.claim, ID: self.record.id})

    def volume_without_id(self) -> str:
        tags = {**self.claim, CLUSTER: self.record.name}
        return self.account.put(f"{ELSEWHERE}/{COMPUTE}/disks/old-{self.record.id}", tags=tags)

    def role_by_description(self) -> str:
        return self._role(str(uuid.uuid4()), ZONE, f"karrots-id={self.record.id}")

    def role_of_kubelet(self) -> str:
        """As somebody gives the nodes the right to pull images."""
        return self._role(self.kubelet, f"{HOME}/resourceGroups/team", "")

    def _role(self, principal: str, scope: str, description: str) -> str:
        key = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
        said = {
            "principalId": principal,
            "principalType": "ServicePrincipal",
            "scope": scope,
            "roleDefinitionId": READER,
        }
        return self.thing(
            "role assignment", key, properties={**said, **({"description": description} if description else {})}
        )

    def trust(self) -> str:
        """A federated credential of the team's identity for an account of this cluster."""
        key = f"{SHARED_IDENTITY}/federatedIdentityCredentials/{self.record.name}-{self.record.id[-8:]}"
        said = {
            "issuer": self.issuer,
            "subject": "system:serviceaccount:shop:web",
            "audiences": ["api://AzureADTokenExchange"],
        }
        return self.thing("federated credential", key, properties=said)

    def records(self) -> None:
        """As external-dns writes them: the record, and beside it who made it."""
        heritage = f"heritage=external-dns,external-dns/owner={self.record.id},external-dns/resource=ingress/shop/web"
        place = self.record.id[-8:]
        for name, kind, value in (
            (f"shop-{place}.{self.record.name}", "A", {"ARecords": [{"ipv4Address": "192.0.2.7"}]}),
            (f"a-shop-{place}.{self.record.name}", "TXT", text(heritage)),
            (f"old-{place}.{self.record.name}", "CNAME", {"CNAMERecord": {"cname": "lb.example.net"}}),
            (f"cname-old-{place}.{self.record.name}", "TXT", text(heritage)),
        ):
            record_set(self.account, name, kind, value)
            self.made["DNS record"] += 1

    def all(self) -> None:
        self.own_group()
        self.in_node_group()
        self.outside()
