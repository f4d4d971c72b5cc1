"""What a change of cluster.yaml does to a cluster that is there: what is changed in place, and what is made anew."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from karrots.replay.rules import rules
from tests.azurerm import imagined
from tests.azurerm.conftest import opened
from tests.support.variants import AKS, SUBSCRIPTION

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.azurerm.provider import Provider, Shown
    from tests.support.variants import Variant

BEFORE = AKS["aks-pools"]
CLUSTER = "azurerm_kubernetes_cluster.cluster"
BATCH = 'azurerm_kubernetes_cluster_node_pool.pool["batch"]'
OTHER = 'azurerm_kubernetes_cluster_node_pool.pool["one-more-long-pool-name"]'
NAT = (
    "azurerm_public_ip.nat",
    "azurerm_nat_gateway.cluster",
    "azurerm_nat_gateway_public_ip_association.cluster",
    "azurerm_subnet_nat_gateway_association.nodes",
)
# What the replay takes for a reason to make something anew.
KNOWN = {(kind, place) for kind, rule in rules()["resources"].items() for place in rule.get("new", ())}
ANEW = "create and delete"
EVERYTHING_ANEW = {
    **dict.fromkeys((CLUSTER, BATCH, OTHER, "azurerm_role_assignment.creator"), ANEW),
    **{f'azurerm_federated_identity_credential.dns["{name}"]': "update" for name in ("cert-manager", "external-dns")},
}
ALL_NODES = dict.fromkeys((CLUSTER, BATCH, OTHER), "update")


@dataclass(frozen=True)
class Made:
    """A root with a state in which all of it is there."""

    provider: Provider
    root: Path

    def changed(self, variant: Variant, folder: Path) -> Shown:
        shutil.copytree(self.root, folder, symlinks=True)
        return self.provider.planned(variant.write(folder))


@pytest.fixture(scope="module")
def made(azurerm_settings: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    folder = tmp_path_factory.mktemp("made")
    with opened(azurerm_settings, folder) as provider:
        root = provider.initialised(folder / "root", BEFORE)
        imagined.made(provider, root, SUBSCRIPTION)
        yield Made(provider, root)


def _text(old: str, new: str) -> Variant:
    assert old in BEFORE.cluster
    return replace(BEFORE, cluster=BEFORE.cluster.replace(old, new))


def _more(text: str) -> Variant:
    return replace(BEFORE, cluster=f"{BEFORE.cluster}{text}\n")


CHANGES = {
    "a node more": (_text("count: 3", "count: 4"), {CLUSTER: "update"}),
    "a pool that begins to scale": (_text("count: 3", "min: 1, max: 4"), {CLUSTER: "update"}),
    "larger machines": (_text("Standard_D8s_v5", "Standard_D16s_v5"), {CLUSTER: "update"}),
    "larger disks": (_text("disk: 64", "disk: 128"), {CLUSTER: "update"}),
    "other machines of another pool": (
        _text("    spot: true", "    size: Standard_D2s_v5\n    spot: true"),
        {BATCH: "update"},
    ),
    "another label": (_text("tier: batch", "tier: other"), {BATCH: "update"}),
    "another taint": (_text("example.com/quiet", "example.com/loud"), {BATCH: "update"}),
    "spot no more": (_text("spot: true", "spot: false"), {BATCH: ANEW}),
    "a pool more": (_more("  more: {count: 1}"), {BATCH.replace("batch", "more"): "create"}),
    "a pool less": (_text("  one-more-long-pool-name: {min: 1, max: 1}\n", ""), {OTHER: "delete"}),
    # What was taken from a parent was of the minor version that content named then.
    "another Kubernetes": (replace(_text("1.36", "1.37"), defaults={}), ALL_NODES),
    "more zones": (_more("network: {zones: 3}"), ALL_NODES),
    "fewer zones": (_more("network: {zones: 1}"), ALL_NODES),
    "no gateway": (_more("network: {nat: none}"), {CLUSTER: "update", **dict.fromkeys(NAT, "delete")}),
    "a gateway in all zones": (_more("network: {nat: per-zone}"), dict.fromkeys(NAT, ANEW)),
    "a paid control plane": (_more("aks: {tier: Standard}"), {CLUSTER: "update"}),
    "a narrowed API": (
        replace(BEFORE, settings=f'{BEFORE.settings}api_access: ["198.51.100.0/24"]\n'),
        {CLUSTER: "update"},
    ),
    "a private API": (_more("network: {api: private}"), EVERYTHING_ANEW),
    "another system pool": (_text("  default:", "  system:"), EVERYTHING_ANEW),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_it_changes(change: str, made: Made, tmp_path: Path) -> None:
    variant, expected = CHANGES[change]
    shown = made.changed(variant, tmp_path / "root")
    assert imagined.changes(shown) == expected
    assert imagined.reasons(shown) <= KNOWN


def test_to_keep_a_cluster_makes_nothing_anew(made: Made, tmp_path: Path) -> None:
    """Its tags lose the expiry, and it begins to take patches."""
    changes = imagined.changes(made.changed(replace(BEFORE, branched=False), tmp_path / "root"))
    assert CLUSTER in changes
    assert set(changes.values()) == {"update"}
