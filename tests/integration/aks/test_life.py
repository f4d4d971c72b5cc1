"""Reaching a cluster, what a stopped run left of it, and which rights all of it needs."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from karrots import effects
from karrots.adapters import azure as door
from karrots.adapters import azure_inventory
from karrots.adapters.azure_errors import AzureDenied, AzureGarbled, action_of
from karrots.adapters.azure_state import BlobContainer
from karrots.fleet.record import Parent
from karrots.providers import aks, waiting
from karrots.providers.base import Footprint, Origin
from tests.integration.aks.test_preflight import SHARED, record, rows, spec
from tests.support.aks_account.account import CA, CA_DATA, HOME, REGION, SUBSCRIPTION, Asked, Said, denied
from tests.support.aks_account.planted import Planted

if TYPE_CHECKING:
    from karrots.effects import Fault
    from karrots.fleet.record import Record
    from karrots.providers.base import Provider
    from karrots.spec.fleet import Cloud
    from tests.support.aks_account.world import AzureWorld

PLACE: Provider = aks  # the type checker compares them
ROLE = Path(__file__).parents[3] / "docs" / "policies" / "azure.json"


def made(world: AzureWorld, **properties: Any) -> Planted:
    found = Planted(world.account, record())
    found.own_group()
    found.cluster(**properties)
    return found


def test_it_is_reached_by_terraforms_outputs_without_asking(world: AzureWorld) -> None:
    access = aks.access(record(), {"endpoint": "https://qa.example.com:443", "ca_data": CA_DATA}, world.settings)
    assert access is not None
    assert (access.server, access.ca) == ("https://qa.example.com:443", CA)
    assert access.tokens is not None
    assert access.tokens.now().text
    assert world.account.asked == []


def test_outputs_that_are_none_are_told(world: AzureWorld) -> None:
    with pytest.raises(AzureGarbled):
        aks.access(record(), {"endpoint": "https://x", "ca_data": "%"}, None)


def test_it_is_reached_by_asking_aks(world: AzureWorld) -> None:
    ours = made(world)
    access = aks.access(ours.record, {}, None)
    assert access is not None
    assert access.server.startswith("https://qa-0a1b2c.hcp.westeurope.azmk8s.io")
    assert access.ca == CA
    assert aks.access(record(), {}, None) is None
    assert aks.access(record("none"), {}, None) is None


@pytest.mark.parametrize("status", ["Creating", "Deleting", "Failed"])
def test_a_cluster_that_does_not_answer_yet_is_not_reached(world: AzureWorld, status: str) -> None:
    assert aks.access(made(world, status=status).record, {}, None) is None


def refusing(times: int) -> Any:
    """The right to the kubeconfig comes after so many refusals."""
    left = [denied("x")] * times

    def answer(asked: Asked) -> Said | None:
        return left.pop() if asked.method == "POST" and left else None

    return answer


def test_a_right_that_is_as_new_as_the_cluster_is_waited_for(world: AzureWorld, pauses: list[float]) -> None:
    ours = made(world)
    world.account.script = refusing(3)
    access = aks.access(replace(ours.record, phase="creating"), {}, None)
    assert access is not None
    assert len(pauses) == 3


def test_of_a_cluster_that_is_ready_a_refusal_is_told_at_once(world: AzureWorld, pauses: list[float]) -> None:
    ours = made(world)
    world.account.script = refusing(3)
    with pytest.raises(AzureDenied):
        aks.access(replace(ours.record, phase="ready"), {}, None)
    assert pauses == []


def test_its_parts_are_told(world: AzureWorld) -> None:
    ours = made(world)
    ours.pool("spot", scaleSetPriority="Spot", minCount=0, maxCount=4, mode="User")
    found = {part.name: (part.state, part.detail) for part in aks.parts(ours.record, None)}
    assert found == {
        "control plane": ("succeeded", "1.36.2"),
        "nodes default": ("succeeded", "2, system, Standard_D4s_v5"),
        "nodes spot": ("succeeded", "2 of 0-4, spot, Standard_D4s_v5"),
    }
    assert [part.state for part in aks.parts(record("none"), None)] == ["not there"]


def test_a_stopped_cluster_is_told_so(world: AzureWorld) -> None:
    ours = made(world, powerState={"code": "Stopped"})
    assert aks.parts(ours.record, None)[0].state == "stopped"
    assert aks.access(ours.record, {}, None) is None


def test_the_network_of_a_parent_is_what_its_cluster_has(world: AzureWorld) -> None:
    parent = made(world)
    child = record("child", parent=Parent(name="qa", id=parent.record.id, commit="0" * 40))
    found = aks.variables(child, world.settings, Path(), Origin(parent.record, spec(SHARED)))
    assert found["shared_network"] == {"subnet_id": parent.subnet, "outbound_addresses": ["192.0.2.44"]}
    assert (found["region"], found["account"]) == (REGION, SUBSCRIPTION)
    gone = aks.variables(child, world.settings, Path(), Origin(record("gone"), spec(SHARED)))
    assert gone["shared_network"] == {"subnet_id": "", "outbound_addresses": []}
    assert aks.variables(child, world.settings, Path())["shared_network"] is None


# What a stopped run left


def state(status: str = "tainted", kind: str = "azurerm_kubernetes_cluster", **instance: Any) -> dict[str, Any]:
    one = {"status": status, "attributes": {"name": "qa"}, **instance}
    name = "cluster" if kind == "azurerm_kubernetes_cluster" else "pool"
    group = {"mode": "managed", "type": "azurerm_resource_group", "name": "cluster", "instances": [{}]}
    cluster = {"mode": "managed", "type": "azurerm_kubernetes_cluster", "name": "cluster", "instances": [{}]}
    other = {"mode": "managed", "type": kind, "name": name, "instances": [one]}
    return {"resources": [group, *([cluster] if kind != cluster["type"] else []), other]}


def test_a_tainted_cluster_that_has_succeeded_is_whole(world: AzureWorld) -> None:
    assert aks.untaint(made(world).record, state(), None) == ("azurerm_kubernetes_cluster.cluster",)


def test_nothing_tainted_asks_nobody(world: AzureWorld) -> None:
    assert aks.untaint(record(), state(status=""), None) == ()
    assert aks.untaint(record(), {}, None) == ()
    assert world.account.asked == []


@pytest.mark.parametrize("doing", ["Creating", "Updating", "Upgrading"])
def test_one_that_azure_still_works_on_is_waited_for(
    world: AzureWorld, monkeypatch: pytest.MonkeyPatch, doing: str
) -> None:
    ours = made(world, status=doing)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            world.account.kept[ours.cluster_id.lower()]["properties"]["provisioningState"] = "Succeeded"

    monkeypatch.setattr(waiting, "time", SimpleNamespace(sleep=sleep, monotonic=time.monotonic))
    assert aks.untaint(ours.record, state(), None) == ("azurerm_kubernetes_cluster.cluster",)
    assert len(slept) == 3


def test_one_that_is_never_finished_is_not_waited_for_for_ever(
    world: AzureWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "MAKING_SECONDS", -1.0)
    assert aks.untaint(made(world, status="Creating").record, state(), None) == ()


@pytest.mark.parametrize("status", ["Failed", "Canceled", "Deleting"])
def test_one_that_failed_is_made_again(world: AzureWorld, status: str) -> None:
    assert aks.untaint(made(world, status=status).record, state(), None) == ()


def test_anothers_of_the_same_name_stays_tainted(world: AzureWorld) -> None:
    made(world)
    assert aks.untaint(record(), state(), None) == ()


def test_pools_have_addresses_with_keys(world: AzureWorld) -> None:
    ours = made(world)
    ours.pool("big")
    kind = "azurerm_kubernetes_cluster_node_pool"
    found = state(kind=kind, index_key="big", attributes={"name": "big"})
    assert aks.untaint(ours.record, found, None) == (f'{kind}.pool["big"]',)
    gone = state(kind=kind, index_key="x", attributes={"name": "x"})
    assert aks.untaint(ours.record, gone, None) == ()


# Rights


class Heard:
    """Stands where a fault plan stands, and writes down which rights each request needs."""

    def __init__(self) -> None:
        self.actions: set[str] = set()
        self._one = threading.Lock()

    def next(self, site: str) -> Fault | None:
        kind, _, what = site.partition(" ")
        method, _, url = what.partition(" ")
        if kind == "azure" and HOME in url:
            with self._one:
                self.actions.add(action_of(method, url[url.index(HOME) :]).lower())
        return None

    def skewed(self, moment: float) -> float:
        return moment


# Of each type that can be taken away alone, one outside of the cluster's own groups.
TYPES = (
    "Microsoft.Network/privateEndpoints", "Microsoft.Network/privateLinkServices", "Microsoft.Network/loadBalancers",
    "Microsoft.Network/applicationGateways", "Microsoft.Compute/virtualMachineScaleSets",
    "Microsoft.Compute/virtualMachines", "Microsoft.Network/networkInterfaces", "Microsoft.Compute/disks",
    "Microsoft.Compute/snapshots", "Microsoft.Network/publicIPAddresses", "Microsoft.Network/networkSecurityGroups",
    "Microsoft.Network/routeTables", "Microsoft.Network/natGateways", "Microsoft.Storage/storageAccounts",
    "Microsoft.Network/privateDnsZones", "Microsoft.Network/virtualNetworks",
    "Microsoft.ManagedIdentity/userAssignedIdentities",
)  # fmt: skip


def everything(world: AzureWorld) -> Planted:
    ours = made(world)
    for kind in TYPES:
        key = f"{HOME}/resourceGroups/team/providers/{kind}/one"
        world.account.put(key, tags=ours.tags, properties={"principalId": "x"})
    ours.outside()
    ours.role_of_kubelet()
    ours.trust()
    return ours


def test_every_type_that_can_be_taken_away_is_tried() -> None:
    assert {kind.lower() for kind in TYPES} == set(azure_inventory.TYPES)


# Records of other kinds that external-dns may have made, and other places where Azure says how far it is.
NOT_HEARD = {
    "Microsoft.Compute/locations/diskOperations/read", "Microsoft.Network/locations/operationResults/read",
    "Microsoft.Network/dnsZones/AAAA/delete", "Microsoft.Network/dnsZones/MX/delete",
    "Microsoft.Network/dnsZones/NS/delete", "Microsoft.Network/dnsZones/SRV/delete",
}  # fmt: skip


def surrounded(world: AzureWorld) -> tuple[Planted, Record, Record]:
    """A cluster with all there can be of it, a parent that lives, and a child of that."""
    parent = Planted(world.account, record("parent", network="10.99.0.0/16"))
    parent.own_group()
    parent.cluster()
    ours = everything(world)
    account = f"{HOME}/resourceGroups/team/providers/Microsoft.Storage/storageAccounts/states"
    world.account.put(account, properties={"allowBlobPublicAccess": False})
    world.account.put(f"{account}/blobServices/default", properties={"isVersioningEnabled": True})
    world.account.put(f"{account}/blobServices/default/containers/karrots", properties={})
    child = record("child", parent=Parent(name="parent", id=parent.record.id, commit="0" * 40))
    return ours, parent.record, child


def looked(ours: Planted, parent: Record, child: Record, settings: Cloud | None) -> list[str]:
    """All questions; gives what preflight says to type."""
    aks.variables(child, settings, Path(), Origin(parent, spec(SHARED)))
    aks.access(ours.record, {}, None)
    aks.parts(ours.record, None)
    aks.footprint(ours.record, None)
    aks.unknown(ours.record, {}, None)
    return [row.hint for row in rows(spec(), child, parent=parent).values()]


def taken_away(ours: Planted) -> None:
    aks.drain(ours.record, None, None)
    aks.reclaim(ours.record, Footprint(), None)
    assert aks.sweep(ours.record, Footprint(), None).left == ()


def test_the_role_in_the_documentation_is_what_is_called(world: AzureWorld) -> None:
    """Planting is done first, so that only the door's own calls are heard."""
    planted = surrounded(world)
    heard = Heard()
    effects.arm(heard)
    try:
        assert not any(looked(*planted, world.settings))
        taken_away(planted[0])
        assert all(fact.ok for fact in BlobContainer(SUBSCRIPTION, "team", "states", "karrots").facts(thorough=True))
    finally:
        effects.arm(None)
    role = json.loads(ROLE.read_text())
    written = {action.lower() for action in role["Actions"]}
    assert heard.actions - written == set()
    assert written - heard.actions == {action.lower() for action in NOT_HEARD}
    assert role["AssignableScopes"] == ["/subscriptions/SUBSCRIPTION"]
    blobs = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
    assert role["DataActions"] == [f"{blobs}/{what}" for what in ("delete", "read", "write")]


def test_each_right_of_the_role_is_missed_by_its_name(world: AzureWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Taken away one by one. The container of states has a door of its own, and says 403 in its row."""
    written = json.loads(ROLE.read_text())["Actions"]
    elsewhere = {"Microsoft.Storage/storageAccounts/blobServices/read",
                 "Microsoft.Storage/storageAccounts/blobServices/containers/read"}  # fmt: skip
    kept, groups = dict(world.account.kept), dict(world.account.groups)
    monkeypatch.setattr(door, "SETTLING_SECONDS", -1.0)
    world.account.polls = 0
    unnoticed = []
    for right in sorted({*written} - NOT_HEARD - elsewhere):
        world.account.kept, world.account.groups, world.account.script = dict(kept), dict(groups), lambda _: None
        planted = surrounded(world)
        world.account.script = without(right)
        if not missed(right, planted, world):
            unnoticed.append(right)
    assert unnoticed == []


def without(right: str) -> Any:
    def answer(asked: Asked) -> Said | None:
        return denied(right) if action_of(asked.method, asked.path).lower() == right.lower() else None

    return answer


def missed(right: str, planted: tuple[Planted, Record, Record], world: AzureWorld) -> bool:
    try:
        if right.endswith("/delete") or "operation" in right:
            taken_away(planted[0])
            return False
        return any(f" {right} ".lower() in f" {hint} ".lower() for hint in looked(*planted, world.settings))
    except AzureDenied as error:
        return error.action.lower() == right.lower()
