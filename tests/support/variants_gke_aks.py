"""The shapes that the roots of GKE and AKS can have, and each as a folder that Terraform can read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from karrots import places
from karrots.fleet import cloud_names, identity
from karrots.fleet.record import Parent
from karrots.fleet.tags import tags
from karrots.render import files, terraform
from karrots.spec.cluster import load_cluster
from tests.support.records import record

if TYPE_CHECKING:
    from pathlib import Path

    from karrots.fleet.record import Record
    from karrots.spec.cluster import ClusterSpec

ID = "01jd8xmpt2qrstvwxyz0123456"
PARENT = Parent(name="qa", id="01jd7xmpt2qrstvwxyz0123456", commit="0" * 40)
SUBSCRIPTION = "00000000-0000-4000-8000-000000000001"
SUBNET = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/qa-z0123456/providers/Microsoft.Network"
    "/virtualNetworks/qa-z0123456/subnets/nodes"
)
PLACES = {"gke": ("europe-west3", "example-project"), "aks": ("westeurope", SUBSCRIPTION)}
SHARED: dict[str, dict[str, Any]] = {
    "gke": {
        "network": "projects/example-project/global/networks/qa-z0123456",
        "subnetwork": "projects/example-project/regions/europe-west3/subnetworks/qa-z0123456-nodes",
        "pods_range": "pods",
        "services_range": None,
    },
    "aks": {"subnet_id": SUBNET, "outbound_addresses": ["203.0.113.7"]},
}

PLAIN = "nodes:\n  default: {count: 2}\n"
RICH = """nodes:
  default: {count: 3, size: SIZE, disk: 64}
  batch:
    min: 0
    max: 9
    spot: true
    labels: {example.com/tier: batch}
    taints:
      - {key: example.com/batch, value: "yes", effect: NoExecute}
      - {key: example.com/quiet}
  one-more-long-pool-name: {min: 1, max: 1}
"""
SIZES = {"gke": "n2-standard-4", "aks": "Standard_D8s_v5"}


@dataclass(frozen=True)
class Variant:
    """`content` is what follows the head of cluster.yaml; `narrowed` gives ranges that may reach the API server."""

    name: str
    provider: str
    content: str = PLAIN
    narrowed: bool = False
    branched: bool = True

    @property
    def spec(self) -> ClusterSpec:
        head = f"apiVersion: karrots.dev/v1\nkind: Cluster\nprovider: {self.provider}\nkubernetes: '1.36'\n"
        return load_cluster(head + self.content.replace("SIZE", SIZES[self.provider]), "cluster.yaml")

    def record(self, name: str = "qa-story", **changes: Any) -> Record:
        region, account = PLACES[self.provider]
        changes = {"id": ID, "network": "10.64.16.0/20", "domain": f"{name}.dev.example.com", **changes}
        if self.branched:
            changes = {"parent": PARENT, "expires": "2026-11-28T10:00:00Z", **changes}
        return record(name, provider=self.provider, region=region, account=account, **changes)

    def identity(self, made: Record) -> dict[str, Any]:
        """What identity.auto.tfvars.json holds."""
        shared = self.spec.network.mode == "shared"
        return {
            **identity.terraform_variables(made),
            "region": made.region,
            "account": made.account,
            "api_access": ["198.51.100.0/24", "203.0.113.9/32"] if self.narrowed else [],
            "names": cloud_names.names(made),
            "tags": tags(made),
            "shared_network": SHARED[self.provider] if shared else None,
        }

    def write(self, folder: Path, made: Record | None = None) -> Path:
        """The whole root, with both files of variables."""
        folder.mkdir(parents=True, exist_ok=True)
        texts = terraform.render(self.spec, places.templates() / self.provider)
        texts[terraform.IDENTITY_FILE] = json.dumps(self.identity(made or self.record()), indent=2)
        files.write(texts, folder)
        return folder

    def __str__(self) -> str:
        return f"{self.provider}-{self.name}"


def _both(provider: str) -> tuple[Variant, ...]:
    return (
        Variant("plain", provider),
        Variant("permanent", provider, branched=False),
        Variant("pools", provider, RICH),
        Variant("one-zone", provider, RICH + "network: {zones: 1}\n"),
        Variant("three-zones", provider, RICH + "network: {zones: 3, nat: per-zone}\n"),
        Variant("no-nat", provider, PLAIN + "network: {nat: none}\n"),
        Variant("no-nat-narrowed", provider, PLAIN + "network: {nat: none}\n", narrowed=True),
        Variant("shared", provider, PLAIN + "network: {mode: shared}\n"),
        Variant("shared-narrowed", provider, RICH + "network: {mode: shared}\n", narrowed=True),
        Variant("narrowed", provider, narrowed=True),
        Variant("private", provider, PLAIN + "network: {api: private}\n"),
        Variant("private-shared", provider, PLAIN + "network: {api: private, mode: shared, nat: none}\n"),
    )


VARIANTS = (
    *_both("gke"),
    Variant("rapid", "gke", PLAIN + "gke: {channel: RAPID}\n"),
    Variant("autopilot", "gke", PLAIN + "gke: {autopilot: true}\n"),
    Variant("autopilot-no-nat", "gke", PLAIN + "gke: {autopilot: true}\nnetwork: {nat: none}\n"),
    Variant("autopilot-shared", "gke", PLAIN + "gke: {autopilot: true}\nnetwork: {mode: shared}\n", narrowed=True),
    *_both("aks"),
    Variant("standard", "aks", PLAIN + "aks: {tier: Standard}\n"),
)
