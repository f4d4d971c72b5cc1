"""The shapes of cluster.yaml that templates of the clouds are tried in, one by one, by every suite that reads them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from karrots import places
from karrots.fleet import identity
from karrots.fleet.record import Parent, Record, State
from karrots.providers.cloud import identity_variables
from karrots.render import terraform as rendering
from karrots.spec.cluster import load_cluster
from karrots.spec.fleet import load_fleet

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from karrots.spec.cluster import ClusterSpec
    from karrots.spec.fleet import Cloud, Providers

ID = "01k9z3v8q4n6t2m7x5w0r1d8ab"
PARENT = Parent(name="qa", id="01k9y2u7p3m5s1l6w4v9q0c7za", commit="0" * 40)
# The account that moto answers with.
ACCOUNT = "123456789012"
PROJECT = "example-project"
SUBSCRIPTION = "00000000-0000-4000-8000-000000000001"
LONGEST = "q" * 28

PLAIN = "kubernetes: '1.36'\nnodes:\n  default: {count: 2}\n"
RICH = """kubernetes: '1.36'
nodes:
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
LONG = f"kubernetes: '1.36'\nnodes:\n  {'p' * 28}: {{count: 3}}\n  {'s' * 28}: {{min: 1, max: 2}}\n"
NARROW = 'api_access: ["198.51.100.0/24", "203.0.113.9/32"]\n'

SIZES = {"eks": "m6i.large", "gke": "n2-standard-4", "aks": "Standard_D8s_v5"}
PLACES = {
    "eks": f'account: "{ACCOUNT}"\nregion: eu-central-1\n',
    "gke": f"project: {PROJECT}\nregion: europe-west3\n",
    "aks": f"subscription: {SUBSCRIPTION}\nregion: westeurope\n",
}
STATES = {
    "gke": "state: {bucket: example-states}\n",
    "aks": "state: {resource_group: states, storage_account: examplestates, container: example-states}\n",
}
# What a living parent would have of what the content leaves open.
DEFAULTS: Mapping[str, Mapping[str, str]] = {
    "eks": {"kube-proxy": "v1.33.3-eksbuild.4", "vpc-cni": "v1.20.1-eksbuild.1"},
    "gke": {"kubernetes": "1.36.2-gke.1004000"},
    "aks": {"kubernetes": "1.36.2", "pool/default": "1.36.1"},
}
SHARED: Mapping[str, Mapping[str, Any]] = {
    "gke": {
        "network": f"projects/{PROJECT}/global/networks/qa-v9q0c7za",
        "subnetwork": f"projects/{PROJECT}/regions/europe-west3/subnetworks/qa-v9q0c7za-nodes",
        "pods_range": "pods",
        "services_range": None,
    },
    "aks": {
        "subnet_id": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/qa-v9q0c7za/providers/Microsoft.Network"
        "/virtualNetworks/qa-v9q0c7za/subnets/nodes",
        "outbound_addresses": ["203.0.113.7"],
    },
}


@dataclass(frozen=True)
class Variant:
    """`cluster` goes on where cluster.yaml says `provider`; `settings` is the provider's section of karrots.yaml."""

    provider: str
    cluster: str
    settings: str
    shared_network: Mapping[str, Any] | None = None
    defaults: Mapping[str, str] = field(default_factory=dict)
    name: str = "qa-feature-x"
    branched: bool = True

    @property
    def spec(self) -> ClusterSpec:
        head = f"apiVersion: karrots.dev/v1\nkind: Cluster\nprovider: {self.provider}\n"
        return load_cluster(head + self.cluster, "cluster.yaml")

    @property
    def providers(self) -> Providers:
        section = "".join(f"    {line}\n" for line in self.settings.splitlines())
        text = f"apiVersion: karrots.dev/v1\nkind: Fleet\ndomain: dev.example.com\nproviders:\n  {self.provider}:\n"
        return load_fleet(text + section, "karrots.yaml").providers

    @property
    def cloud(self) -> Cloud:
        found = self.providers.cloud(self.provider)
        assert found is not None
        return found

    @property
    def record(self) -> Record:
        return Record(
            id=ID,
            name=self.name,
            directory="clusters/qa",
            branch="feature/x",
            provider=self.provider,
            created="2026-11-20T10:00:00Z",
            domain=f"{self.name}.dev.example.com",
            network="10.64.16.0/20",
            owner="ada@example.com",
            region=self.cloud.region,
            account=self.cloud.account_id,
            parent=PARENT if self.branched else None,
            expires="2026-11-27T10:00:00Z" if self.branched else None,
            state=State(backend=self.providers.backend(self.provider), key=ID),
        )

    def files(self) -> dict[str, str]:
        """The rendered root, as it is committed."""
        backend = self.providers.backend(self.provider)
        return rendering.render(self.spec, places.templates() / self.provider, backend)

    def identity(self) -> dict[str, Any]:
        """What identity.auto.tfvars.json holds."""
        return {
            **identity.terraform_variables(self.record),
            **identity_variables(self.record, self.cloud, self.shared_network, self.defaults),
        }

    def write(self, folder: Path) -> Path:
        """The root with its identity, ready for Terraform."""
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in self.files().items():
            (folder / path).write_text(text)
        (folder / rendering.IDENTITY_FILE).write_text(json.dumps(self.identity(), indent=2))
        return folder


def _eks(cluster: str, settings: str = "", **more: Any) -> Variant:
    return Variant("eks", cluster, PLACES["eks"] + settings, **more)


EKS = {
    "eks-main": _eks("kubernetes: '1.33'\nnodes:\n  default:\n    size: m6i.large\n    count: 2\n"),
    "eks-pools": _eks(
        """kubernetes: '1.33'
nodes:
  default:
    count: 0
  batch:
    size: m7g.xlarge
    min: 1
    max: 4
    spot: true
    disk: 100
    labels:
      example.com/tier: batch
    taints:
      - key: example.com/batch
        effect: NoSchedule
      - key: example.com/slow
        value: "yes"
        effect: PreferNoSchedule
  learning:
    size: g5.xlarge
    min: 0
    max: 2
network:
  zones: 3
  nat: per-zone
eks:
  addons:
    coredns: v1.12.1-eksbuild.2
""",
        defaults=DEFAULTS["eks"],
    ),
    "eks-no-nat": _eks(
        "kubernetes: '1.33'\nnodes:\n  default:\n    min: 1\n    max: 3\nnetwork:\n  zones: 1\n  nat: none\n",
        'api_access: ["203.0.113.0/24"]\n',
    ),
    "eks-one-zone": _eks("kubernetes: '1.33'\nnodes:\n  default:\n    count: 1\nnetwork:\n  zones: 1\n"),
    "eks-shared": _eks(
        "kubernetes: '1.33'\nnodes:\n  default:\n    count: 2\nnetwork:\n  mode: shared\n",
        'api_access: ["203.0.113.0/24"]\nstate:\n  bucket: example-states\n',
        shared_network={"vpc_id": "vpc-0123456789abcdef0", "subnet_ids": ["subnet-0aaaaaaaa", "subnet-0bbbbbbbb"]},
    ),
    "eks-auto": _eks(
        "kubernetes: '1.33'\nnodes:\n  default:\n    count: 2\nnetwork:\n  zones: 3\n  api: private\n"
        "eks:\n  auto_mode: true\n",
        "state:\n  bucket: example-states\n",
    ),
    "eks-auto-shared": _eks(
        "kubernetes: '1.33'\nnodes:\n  default:\n    count: 2\nnetwork:\n  mode: shared\neks:\n  auto_mode: true\n",
        shared_network={"vpc_id": "vpc-0123456789abcdef0", "subnet_ids": ["subnet-0aaaaaaaa", "subnet-0bbbbbbbb"]},
    ),
    "eks-services": _eks(
        """kubernetes: '1.33'
nodes:
  default: {min: 1, max: 3}
services:
  external-secrets: {reads: shop/}
  cluster-autoscaler: {}
  velero: {bucket: example-backups}
""",
    ),
    "eks-karpenter": _eks(
        "kubernetes: '1.33'\nnodes:\n  default: {count: 2}\nnetwork: {mode: shared}\n"
        "services:\n  external-secrets: {}\n  karpenter: {}\n",
        shared_network={"vpc_id": "vpc-0123456789abcdef0", "subnet_ids": ["subnet-0aaaaaaaa", "subnet-0bbbbbbbb"]},
    ),
    "eks-longest": _eks(
        f"kubernetes: '1.33'\nnodes:\n  {'p' * 28}:\n    count: 1\n  {'s' * 28}:\n    min: 1\n    max: 2\n"
        "network:\n  zones: 3\n  nat: per-zone\n",
        name=LONGEST,
    ),
}


def rich(provider: str) -> str:
    """Three pools that use what a pool can have, with a machine of the provider's."""
    return RICH.replace("SIZE", SIZES[provider])


def made(provider: str, cluster: str = PLAIN, settings: str = "", **more: Any) -> Variant:
    """In the parent's network where `cluster` says so."""
    shared = SHARED[provider] if "mode: shared" in cluster else None
    return Variant(provider, cluster, PLACES[provider] + settings, shared_network=shared, **more)


def _both(cloud: str) -> dict[str, Variant]:
    """The shapes that GKE and AKS have in common."""
    pools = rich(cloud)
    return {
        f"{cloud}-plain": made(cloud),
        f"{cloud}-permanent": made(cloud, branched=False),
        f"{cloud}-pools": made(cloud, pools, defaults=DEFAULTS[cloud]),
        f"{cloud}-one-zone": made(cloud, f"{pools}network: {{zones: 1}}\n"),
        f"{cloud}-three-zones": made(cloud, f"{pools}network: {{zones: 3, nat: per-zone}}\n"),
        f"{cloud}-no-nat": made(cloud, f"{PLAIN}network: {{nat: none}}\n"),
        f"{cloud}-no-nat-narrowed": made(cloud, f"{PLAIN}network: {{nat: none}}\n", NARROW),
        f"{cloud}-shared": made(cloud, f"{PLAIN}network: {{mode: shared}}\n"),
        f"{cloud}-shared-narrowed": made(cloud, f"{pools}network: {{mode: shared}}\n", NARROW),
        f"{cloud}-narrowed": made(cloud, PLAIN, NARROW),
        f"{cloud}-private": made(cloud, f"{PLAIN}network: {{api: private}}\n"),
        f"{cloud}-private-shared": made(cloud, f"{PLAIN}network: {{api: private, mode: shared, nat: none}}\n"),
        f"{cloud}-longest": made(cloud, LONG, STATES[cloud], name=LONGEST),
    }


GKE = {
    **_both("gke"),
    "gke-rapid": made("gke", f"{PLAIN}gke: {{channel: RAPID}}\n"),
    "gke-autopilot": made("gke", f"{PLAIN}gke: {{autopilot: true}}\n"),
    "gke-autopilot-no-nat": made("gke", f"{PLAIN}gke: {{autopilot: true}}\nnetwork: {{nat: none}}\n"),
    "gke-autopilot-shared": made("gke", f"{PLAIN}gke: {{autopilot: true}}\nnetwork: {{mode: shared}}\n", NARROW),
}
AKS = {**_both("aks"), "aks-standard": made("aks", f"{PLAIN}aks: {{tier: Standard}}\n")}

VARIANTS: Mapping[str, Variant] = {**EKS, **GKE, **AKS}
