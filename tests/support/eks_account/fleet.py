"""A fleet whose clusters are on EKS: an account on loopback, a shared repository behind SSH, karrots' own `init`."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from karrots.adapters.aws import Aws
from karrots.adapters.aws_things import ID
from tests.e2e.conftest import World
from tests.support import environment, flux_manifest, golang, repositories, ssh_host
from tests.support.aws_planted import Planted, hosted_zone
from tests.support.eks_account import inventories
from tests.support.eks_account.account import NUMBER, REGION, Account, account
from tests.support.eks_account.planes import EnginePlanes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUCKET = "fleet-states"
MAP = (
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: from-git, namespace: default}\n"
    "data: {who: '${cluster_name}', word: hello}\n"
)
SERVICE = (
    "apiVersion: v1\nkind: Service\nmetadata: {name: door, namespace: default}\n"
    "spec: {type: LoadBalancer, selector: {app: door}, ports: [{port: 80}]}\n"
)
KUSTOMIZATION = (
    "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [map.yaml, service.yaml]\n"
)
REMOTE = '  remote: "origin"\n'
GIT_ACCESS = "  access:\n    url: {url}\n    ssh: {{env: FLEET_KEY, known_hosts: '{known_hosts}'}}\n"


@dataclass(frozen=True)
class Life:
    world: World
    aws: Account
    zone: str
    before: dict[str, int]
    planes: EnginePlanes

    def kubectl(self, cluster: str, *words: str) -> str:
        return self.world.kubectl(cluster, *words)

    def word(self, cluster: str) -> str:
        return self.kubectl(cluster, "get", "configmap", "from-git", "-o", "jsonpath={.data.word}")

    def surroundings(self, name: str, cluster_id: str, domain: str) -> Planted:
        """Of a controller in that cluster, which marks what it makes with an id."""
        network = self.aws.eks.clusters[name].document["resourcesVpcConfig"]
        made = Planted(Aws(REGION), name, cluster_id, "", domain, {ID: cluster_id})
        made.vpc, made.subnets = network["vpcId"], tuple(network["subnetIds"])
        return made

    def node_groups(self, cluster: str) -> list[dict[str, Any]]:
        return list(self.aws.eks.clusters[cluster].node_groups.values())

    def record(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.world.karrots("show", name, "-o", "json").document["record"]
        return found


@contextmanager
def eks_fleet(root: Path, engine_bin: Path, terraform_settings: Path) -> Iterator[Life]:
    """`terraform_settings`: where Terraform finds AWS's provider. While it is open the environment is the engine's."""
    for name in ("planes", "hosted", "fleet", "account", "tmp"):
        (root / name).mkdir()
    plain = environment.inherited() | environment.settings(root) | {"TMPDIR": str(root / "tmp")}
    plain |= {"GIT_ALLOW_PROTOCOL": "file:http:ssh", "FLEET_KEY": ssh_host.private_key()}
    plain["TF_CLI_CONFIG_FILE"] = str(terraform_settings)
    manifest = flux_manifest.build(golang.of_this_computer(), engine_bin, root / "flux")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in plain.items():
            patch.setenv(name, value)
        # The account's control planes are no business of the karrots that is tried.
        patch.setenv("KARROTS_HOME", str(root / "planes"))
        patch.setenv("KARROTS_ENGINE_BIN", str(engine_bin))
        repositories.repository(root / "nothing")
        planes = EnginePlanes(root / "planes", root / "nothing/.git", dict(os.environ))
        served = ssh_host.ssh_host(root / "hosted", plain["FLEET_KEY"])
        with account(root / "account", planes) as aws, planes.log_in_by(aws).serving(), served as host:
            world = World(root, root / "fleet", plain | aws.environment)
            for name, value in aws.environment.items():
                patch.setenv(name, value)
            zone = hosted_zone(Aws(REGION), "example.com")
            init(world, host, manifest)
            yield Life(world, aws, zone, inventories.of(aws), planes)
            planes.end()


def init(world: World, host: ssh_host.SshHost, manifest: str) -> None:
    """By karrots itself: the fleet, the bucket of states, Flux as content."""
    sets = {"account": NUMBER, "region": REGION, "state.bucket": BUCKET}
    words = [word for key, value in sets.items() for word in ("--set", f"{key}={value}")]
    world.karrots("init", "--provider", "eks", *words)
    settings = world.root / "fleet/karrots.yaml"
    access = GIT_ACCESS.format(url=host.url, known_hosts=host.known_hosts.strip())
    text = settings.read_text()
    assert REMOTE in text
    settings.write_text(text.replace(REMOTE, REMOTE + access))
    world.karrots("doctor", "--repair", "--yes")
    (world.root / "gotk.yaml").write_text(manifest)
    directory = world.root / "fleet/clusters/qa"
    world.karrots("flux", "pin", "2.9.5", "--from", str(world.root / "gotk.yaml"), cwd=directory)
    flux = {"map.yaml": MAP, "service.yaml": SERVICE, "kustomization.yaml": KUSTOMIZATION}
    repositories.commit(world.root / "fleet", {f"clusters/qa/flux/{name}": text for name, text in flux.items()})
    repositories.bare_remote(world.root / "hosted/shared.git", world.root / "fleet")
    object.__setattr__(world, "directory", directory)
