"""Things in a project as GKE and its controllers make them for a cluster, named and marked as those do.

Names are made like those of clusters that run: https://github.com/kubernetes/ingress-gce (pkg/utils/namer, pkg/l4).
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from karrots.fleet.cloud_names import names
from karrots.fleet.tags import tags
from tests.support.gke_account.account import HOST, PROJECT, PROJECT_NUMBER, REGION, ZONES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from karrots.fleet.record import Record
    from tests.support.gke_account.account import Account

ZONE = ZONES[0]
DRIVER = "pd.csi.storage.gke.io"
EVERY_KIND = {
    "forwarding rule": 3, "target proxy": 3, "URL map": 2, "certificate": 1, "backend service": 2, "target pool": 1,
    "health check": 3, "network endpoint group": 2, "address": 1, "firewall rule": 4, "instance group manager": 1,
    "instance": 1, "disk": 2, "snapshot": 1, "DNS record": 4, "router": 1, "subnetwork": 1, "network": 1,
    "service account": 2,
}  # fmt: skip


@dataclass
class Planted:
    """A cluster's surroundings. `network` is the path of that which it lives in; `number` is GKE's id of it."""

    account: Account
    record: Record
    network: str = ""
    number: str = ""
    made: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.number = self.number or hashlib.sha256(self.record.id.encode()).hexdigest()
        self.uid = hashlib.sha256(f"ingress {self.record.id}".encode()).hexdigest()[:16]
        self.second = hashlib.sha256(f"system {self.record.id}".encode()).hexdigest()[:8].replace("0", "z")
        self.service = "a" + hashlib.sha256(f"service {self.record.id}".encode()).hexdigest()[:31]
        self.tag = f"gke-{self.record.name}-{self.number[:8]}-node"

    @property
    def labels(self) -> Mapping[str, str]:
        """Of machines and disks."""
        own = {"goog-k8s-cluster-name": self.record.name, "goog-k8s-cluster-location": ZONE}
        return {**own, "goog-gke-cluster-id-base32": self.in_base32, **tags(self.record)}

    @property
    def in_base32(self) -> str:
        return base64.b32encode(bytes.fromhex(self.number)).decode().rstrip("=").lower()

    def make(self, path: str, **fields: Any) -> str:
        whole = self.account.make(path, **fields)
        self.made.append(whole)
        return whole

    @property
    def left(self) -> set[str]:
        """Collections of what is still there."""
        return {path.split("/")[-2] for path in self.made if path in self.account.compute}

    def all(self, zone: str = "fleet") -> None:
        """Everything of a cluster that is gone, but for what Terraform and GKE take away."""
        self.own_network()
        self.accounts()
        self.nodes()
        self.firewall()
        self.ingress()
        self.service_balancer()
        self.gateway()
        self.disk()
        self.snapshot()
        self.records(zone)

    def own_network(self) -> None:
        """As Terraform makes it."""
        prefix, note = names(self.record)["prefix"], f"karrots-id: {self.record.id}"
        self.network = self.make(f"global/networks/{prefix}", description=note)
        link = HOST + self.network
        self.make(f"regions/{REGION}/subnetworks/{prefix}-nodes", network=link, ipCidrRange="10.99.14.0/23")
        self.make(f"regions/{REGION}/routers/{prefix}", network=link)

    def accounts(self) -> None:
        for kind in ("node_account", "dns_account"):
            email = f"{names(self.record)[kind]}@{PROJECT}.iam.gserviceaccount.com"
            path = f"projects/{PROJECT}/serviceAccounts/{email}"
            about = {"name": path, "email": email, "uniqueId": self.number[:20]}
            self.account.accounts[path] = {**about, "description": f"karrots-id: {self.record.id}"}

    def nodes(self) -> str:
        """A machine, its disk, and the group that made it."""
        base = f"gke-{self.record.name[:16]}-default-{self.number[8:16]}"
        group = self.make(f"zones/{ZONE}/instanceGroupManagers/{base}-grp")
        disk = self.make(f"zones/{ZONE}/disks/{base}-x1y2", labels=self.labels)
        by = f"projects/{PROJECT_NUMBER}/{group.partition('/')[2].partition('/')[2]}"
        self.make(
            f"zones/{ZONE}/instances/{base}-x1y2", labels=self.labels, disks=[{"source": HOST + disk}],
            networkInterfaces=[{"network": HOST + self.network}],
            metadata={"items": [{"key": "created-by", "value": by}]},
        )  # fmt: skip
        return group

    def firewall(self) -> None:
        """GKE's own."""
        self._rule(f"gke-{self.record.name}-{self.number[:8]}-all")

    def _rule(self, name: str, note: str = "") -> str:
        link = HOST + self.network
        return self.make(f"global/firewalls/{name}", network=link, targetTags=[self.tag], description=note)

    def ingress(self) -> None:
        """Global, with a certificate: none of it but the group and the rule names the network."""
        end = f"{self.second}-shop-web-{self.uid[:8]}"
        group = self._endpoints("web")
        check = self.make(f"global/healthChecks/k8s1-{self.uid[:8]}-shop-web-80-aa11bb22")
        backend = self.make(
            f"global/backendServices/k8s1-{self.uid[:8]}-shop-web-80-aa11bb22",
            backends=[{"group": HOST + group}], healthChecks=[HOST + check],
        )  # fmt: skip
        paths = self.make(f"global/urlMaps/k8s2-um-{end}", defaultService=HOST + backend)
        certificate = self.make(f"global/sslCertificates/k8s2-cr-{self.second}-{self.uid}-cc33dd44")
        plain = self.make(f"global/targetHttpProxies/k8s2-tp-{end}", urlMap=HOST + paths)
        closed = self.make(
            f"global/targetHttpsProxies/k8s2-ts-{end}", urlMap=HOST + paths, sslCertificates=[HOST + certificate]
        )
        note = json.dumps({"kubernetes.io/ingress-name": "shop/web"})
        self.make(f"global/forwardingRules/k8s2-fr-{end}", target=HOST + plain, description=note)
        self.make(f"global/forwardingRules/k8s2-fs-{end}", target=HOST + closed, description=note)
        self._rule(f"k8s-fw-l7--{self.uid}", "GCE L7 firewall rule")

    def _endpoints(self, service: str) -> str:
        note = {"cluster-uid": f"{self.uid}-uid", "namespace": "shop", "service-name": service, "port": "80"}
        return self.make(
            f"zones/{ZONE}/networkEndpointGroups/k8s1-{self.uid[:8]}-shop-{service}-80-aa11bb22",
            network=HOST + self.network, description=json.dumps(note),
        )  # fmt: skip

    def service_balancer(self) -> None:
        """Of a Service of type LoadBalancer, the way it is done by default."""
        check = self.make(f"global/httpHealthChecks/k8s-{self.uid}-node")
        pool = self.make(f"regions/{REGION}/targetPools/{self.service}", healthChecks=[HOST + check])
        note = json.dumps({"kubernetes.io/service-name": "shop/tcp"})
        self.make(f"regions/{REGION}/forwardingRules/{self.service}", target=HOST + pool, description=note)
        self.make(f"regions/{REGION}/addresses/{self.service}", description=note)
        self._rule(f"k8s-fw-{self.service}", note)
        self._rule(f"k8s-{self.uid}-node-http-hc", '{"kubernetes.io/cluster-id":"x"}')

    def gateway(self) -> None:
        """A regional one, by GKE's own controller."""
        place = f"/projects/{PROJECT}/locations/{ZONE}/clusters/{self.record.name}"
        note = json.dumps({"k8sResource": "/namespaces/shop/gateways/main", "k8sCluster": place})
        end = f"gkegw1-{self.second[:4]}-shop-main-{self.uid[:12]}"
        check = self.make(f"regions/{REGION}/healthChecks/{end}", description=note)
        group = self._endpoints("api")
        backend = self.make(
            f"regions/{REGION}/backendServices/{end}", backends=[{"group": HOST + group}], healthChecks=[HOST + check],
            description=note,
        )  # fmt: skip
        paths = self.make(f"regions/{REGION}/urlMaps/{end}", defaultService=HOST + backend, description=note)
        self.make(f"regions/{REGION}/targetHttpProxies/{end}", urlMap=HOST + paths, description=note)

    def disk(self) -> str:
        name = f"pvc-{self.number[:8]}-{self.number[8:12]}"
        note = {f"kubernetes.io/created-for/pvc/{part}": value for part, value in
                (("namespace", "shop"), ("name", "data"))}  # fmt: skip
        note["storage.gke.io/created-by"] = "pd.csi.storage.gke.io"
        return self.make(f"zones/{ZONE}/disks/{name}", labels=self.labels, description=json.dumps(note))

    def snapshot(self, of: str = "", labels: Mapping[str, str] | None = None, by: str = DRIVER) -> str:
        """As the driver takes one, with the labels that its class says: both name and id. `of` is a disk's path."""
        note = {f"kubernetes.io/created-for/volumesnapshot/{part}": value for part, value in
                (("namespace", "shop"), ("name", "nightly"))}  # fmt: skip
        note["storage.gke.io/created-by"] = by
        own = {name: value for name, value in tags(self.record).items() if name in {"karrots-cluster", "karrots-id"}}
        disk = {"sourceDisk": HOST + of, "sourceDiskId": self.account.compute[of]["id"]} if of else {}
        return self.make(
            f"global/snapshots/snapshot-{self.number[:8]}-{len(self.made)}", labels=own if labels is None else labels,
            description=json.dumps(note), **disk,
        )  # fmt: skip

    def records(self, zone: str) -> None:
        """As external-dns writes them: the record, and beside it who made it."""
        domain, heritage = self.record.domain, f'"heritage=external-dns,external-dns/owner={self.record.id},x=y"'
        for name, kind, value in (
            (f"shop.{domain}.", "A", "192.0.2.7"), (f"a-shop.{domain}.", "TXT", heritage),
            (f"old.{domain}.", "CNAME", "lb.example.net."), (f"cname-old.{domain}.", "TXT", heritage),
        ):  # fmt: skip
            made = {"name": name, "type": kind, "ttl": 300, "rrdatas": [value]}
            self.account.zones[zone]["rrsets"].append(made)

    def cluster(self, **fields: Any) -> Any:
        """The cluster itself, as GKE describes it."""
        group = next((HOST + it for it in self.made if "instanceGroupManagers" in it), "")
        pool = {
            "name": "default", "status": "RUNNING", "version": "1.36.2-gke.1004000",
            "config": {"machine_type": "e2-standard-4"}, "instance_group_urls": [group] if group else [],
        }  # fmt: skip
        about = {
            "id": self.number, "resource_labels": dict(tags(self.record)), "node_pools": [pool],
            "network_config": {"network": self.network, "subnetwork": ""}, "endpoint": "203.0.113.7",
            "master_auth": {"cluster_ca_certificate": CA_DATA}, "current_master_version": "1.36.2-gke.1004000",
            "release_channel": {"channel": "REGULAR"},
        }  # fmt: skip
        return self.account.cluster(self.record.name, **{**about, **fields})


CA_DATA = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg=="
