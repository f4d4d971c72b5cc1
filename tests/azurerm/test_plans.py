"""Every shape of the AKS root, validated and planned by HashiCorp's own provider (`make azurerm`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.replay.faults import FAULTS, Fault
from tests.support import azurerm
from tests.support.variants import AKS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.azurerm.provider import Provider

PLANTED = [fault for fault in FAULTS if fault.variant in AKS]


def _made(shown: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What would be made, by address."""
    return {
        each["address"]: each["change"]["after"]
        for each in shown["resource_changes"]
        if each["change"]["actions"] == ["create"]
    }


@pytest.mark.parametrize("name", AKS)
def test_it_validates_and_plans_every_shape(name: str, provider: Provider, tmp_path: Path) -> None:
    variant = AKS[name]
    folder = provider.initialised(tmp_path / "root", variant)
    assert "Success! The configuration is valid." in provider.terraform(folder, "validate")
    shown = provider.planned(folder)
    made = _made(shown)
    assert len(made) == len([each for each in shown["resource_changes"] if each["mode"] == "managed"])

    cluster, spec = made["azurerm_kubernetes_cluster.cluster"], variant.spec
    [network], [pool] = cluster["network_profile"], cluster["default_node_pool"]
    private = spec.network.api == "private"
    assert cluster["private_cluster_enabled"] == private
    assert bool(cluster["api_server_access_profile"]) == bool(variant.cloud.api_access and not private)
    assert network["outbound_type"] == ("loadBalancer" if spec.network.nat == "none" else "userAssignedNATGateway")
    assert pool["zones"] == ([str(n + 1) for n in range(spec.network.zones)] if spec.network.zones > 1 else None)
    assert pool["max_pods"] == 110
    assert cluster["sku_tier"] == spec.aks.tier
    assert cluster["automatic_upgrade_channel"] == (None if variant.branched else "patch")
    pools = {address for address in made if address.startswith("azurerm_kubernetes_cluster_node_pool.")}
    assert len(pools) == len(spec.nodes) - 1


def test_the_creator_and_the_cluster_domains_zone_get_their_roles(provider: Provider, tmp_path: Path) -> None:
    made = _made(provider.planned(provider.initialised(tmp_path / "root", AKS["aks-plain"])))
    assert made["azurerm_role_assignment.creator"]["principal_id"] == azurerm.PERSON
    zones = [after["scope"] for address, after in made.items() if address.startswith("azurerm_role_assignment.dns_")]
    assert sorted(scope.rsplit("/", 1)[1] for scope in zones) == [azurerm.ZONE, "dns"]


def test_what_a_spot_pool_is_planned_as(provider: Provider, tmp_path: Path) -> None:
    made = _made(provider.planned(provider.initialised(tmp_path / "root", AKS["aks-pools"])))
    spot = made['azurerm_kubernetes_cluster_node_pool.pool["batch"]']
    assert (spot["priority"], spot["eviction_policy"], spot["spot_max_price"]) == ("Spot", "Delete", -1)
    assert spot["node_taints"] == [
        "example.com/batch=yes:NoExecute",
        "example.com/quiet=:NoSchedule",
        "kubernetes.azure.com/scalesetpriority=spot:NoSchedule",
    ]
    assert spot["upgrade_settings"] == []
    assert spot["max_pods"] == 110
    assert (spot["min_count"], spot["max_count"], spot.get("node_count")) == (0, 9, None)


FOUND_LATE = {
    "settings that exclude each other",
    "a spot price for machines that stay",
    "workload identity without its issuer",
}


@pytest.mark.parametrize("fault", PLANTED, ids=lambda each: each.name)
def test_it_refuses_what_the_replay_refuses(fault: Fault, provider: Provider, tmp_path: Path) -> None:
    """But for what it says only while it makes things, and what it leaves to Azure to say."""
    folder = provider.initialised(tmp_path / "root", AKS[fault.variant])
    fault.plant(folder)
    refused = provider.refusal(folder)
    if fault.name in FOUND_LATE:
        assert refused == ""
    else:
        assert fault.attribute.rpartition(".")[2] in refused
