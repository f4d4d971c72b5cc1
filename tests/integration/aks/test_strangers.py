"""What Terraform made and no state knows: it is named, taken over, or taken away before Terraform's own destroy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from karrots.providers import aks, aks_strangers, waiting
from karrots.providers.base import Footprint, Leftover
from tests.integration.aks.test_preflight import record, spec
from tests.support.aks_account.planted import IDENTITIES, NETWORK, Planted
from tests.support.imports import imported, lived

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from karrots.fleet.record import Record
    from tests.support.aks_account.account import Account
    from tests.support.aks_account.world import AzureWorld

KIND = "azurerm_kubernetes_cluster_node_pool"
BATCH = "  batch-of-many: {min: 0, max: 2}\n"
AZURES_WORD = next(iter(aks_strangers.pools_of(spec(BATCH))))


class Made(Planted):
    """All that templates/aks makes, as Azure has it then."""

    def linked(self) -> None:
        """The way out, and what has no tags: credentials and roles."""
        self.own_group()
        dns = f"{self.group}/{IDENTITIES}/{self.names['identity']}-dns"
        self.account.put(dns, tags=self.tags, properties={"principalId": "p", "clientId": "x"})
        for name in ("external-dns", "cert-manager"):
            self.account.put(f"{dns}/federatedIdentityCredentials/{name}", properties={"issuer": self.issuer})

    def with_roles(self) -> None:
        for scope in (self.subnet, self.cluster_id):
            self._role(self.principal, scope, f"karrots-id={self.record.id}")

    @property
    def roles(self) -> dict[str, str]:
        found = self.account.of_kind("Microsoft.Authorization/roleAssignments")
        return {str(it["properties"]["scope"]): str(it["id"]) for it in found}


def everything(account: Account, of: Record, status: str = "Succeeded") -> Made:
    mine = Made(account, of)
    mine.linked()
    mine.cluster(status, nodeResourceGroup=mine.names["node_resource_group"])
    mine.pool(tags=mine.tags)
    mine.pool(AZURES_WORD, mode="User", tags=mine.tags)
    mine.with_roles()
    return mine


def ids(of: Planted) -> dict[str, list[str]]:
    """As the provider writes them into a state that knows everything, but for roles."""
    identity = f"{of.group}/{IDENTITIES}/{of.names['identity']}"
    way_out, address = f"{of.group}/{NETWORK}/natGateways/nat", f"{of.group}/{NETWORK}/publicIPAddresses/nat"
    return {
        "azurerm_resource_group": [of.group],
        "azurerm_virtual_network": [of.subnet.partition("/subnets/")[0]],
        "azurerm_subnet": [of.subnet],
        "azurerm_public_ip": [address],
        "azurerm_nat_gateway": [way_out],
        "azurerm_nat_gateway_public_ip_association": [f"{way_out}|{address}"],
        "azurerm_subnet_nat_gateway_association": [of.subnet],
        "azurerm_user_assigned_identity": [identity, f"{identity}-dns"],
        "azurerm_federated_identity_credential": [
            f"{identity}-dns/federatedIdentityCredentials/{name}" for name in ("external-dns", "cert-manager")
        ],
        "azurerm_kubernetes_cluster": [of.cluster_id],
        KIND: [f"{of.cluster_id}/agentPools/{AZURES_WORD}"],
    }


def state(ids: dict[str, list[str]]) -> dict[str, Any]:
    resources = [
        {"mode": "managed", "type": kind, "name": "x", "instances": [{"attributes": {"id": each}} for each in given]}
        for kind, given in ids.items()
    ]
    return {"resources": resources}


def known(of: Made) -> dict[str, list[str]]:
    return {**ids(of), "azurerm_role_assignment": list(of.roles.values())}


def without(of: Made, *kinds: str) -> dict[str, Any]:
    assert {f"azurerm_{kind}" for kind in kinds} <= set(known(of))
    return state({kind: given for kind, given in known(of).items() if kind.removeprefix("azurerm_") not in kinds})


def kinds(found: Iterable[Leftover]) -> list[str]:
    return sorted(it.kind for it in found)


def test_what_terraform_made_and_no_state_knows_is_named(world: AzureWorld) -> None:
    """AKS and controllers put the id on their things too; those are in no state. Another's are another's."""
    mine = everything(world.account, record())
    mine.in_node_group()
    mine.volume()
    found = aks.unknown(mine.record, {}, None)
    assert kinds(found) == sorted([
        "AKS cluster", "node pool", "resource group", "network", "subnet", "public IP", "NAT gateway", "link", "link",
        "identity", "identity", "federated credential", "federated credential", "role assignment", "role assignment",
    ])  # fmt: skip
    assert Leftover("AKS cluster", "qa") in found
    assert aks.unknown(record(), {}, None) == ()
    assert aks.unknown(mine.record, state(known(mine)), None) == ()


@pytest.mark.parametrize("lacking", [*ids(Planted(None, record())), "azurerm_role_assignment"])  # type: ignore[arg-type]
def test_each_thing_that_a_state_does_not_know_is_named(world: AzureWorld, lacking: str) -> None:
    mine = everything(world.account, record())
    found = aks.unknown(mine.record, without(mine, lacking.removeprefix("azurerm_")), None)
    assert len(found) == len(known(mine)[lacking])
    assert len({it.kind for it in found}) == 1


def test_ids_that_azure_writes_in_small_letters_are_known(world: AzureWorld) -> None:
    mine = everything(world.account, record())
    small = {kind: [each.lower() for each in given] for kind, given in known(mine).items()}
    assert aks.unknown(mine.record, state(small), None) == ()


def test_what_others_have_under_our_names_is_not_ours(world: AzureWorld) -> None:
    """A group of our name that says another id, with everything in it."""
    ours = record()
    theirs = record(id=f"01k9z3v8q4n6t2m7{ours.id[-10:]}")
    mine = everything(world.account, theirs)
    assert mine.names == Planted(world.account, ours).names
    assert aks.unknown(ours, {}, None) == ()
    assert len(aks.unknown(theirs, {}, None)) == 15


def test_what_somebody_added_by_hand_is_none_of_terraforms_business(world: AzureWorld) -> None:
    mine = everything(world.account, record())
    world.account.put(f"{mine.group}/{NETWORK}/publicIPAddresses/by-hand", tags={})
    mine.pool("byhand", mode="User")
    mine.volume_without_id()
    assert aks.unknown(mine.record, state(known(mine)), None) == ()


def test_without_a_cloud_nobody_is_asked(world: AzureWorld) -> None:
    assert aks.unknown(record(account=""), {}, None) == ()
    assert world.account.asked == []


def test_all_of_it_is_taken_over_by_its_id(world: AzureWorld) -> None:
    mine = everything(world.account, record())
    found = aks.imports(mine.record, aks.unknown(mine.record, {}, None), None, spec(BATCH))
    assert sorted(found.values()) == sorted(each for given in known(mine).values() for each in given)
    assert found["azurerm_kubernetes_cluster.cluster"] == mine.cluster_id
    assert found[f'{KIND}.pool["batch-of-many"]'] == f"{mine.cluster_id}/agentPools/{AZURES_WORD}"
    assert found["azurerm_role_assignment.subnet"] == mine.roles[mine.subnet]
    assert found["azurerm_role_assignment.creator"] == mine.roles[mine.cluster_id]
    assert found["azurerm_subnet_nat_gateway_association.nodes"] == mine.subnet


def test_an_id_is_written_as_terraform_wants_it(world: AzureWorld) -> None:
    """AKS writes `resourcegroups`, and the provider then says that the id is none."""
    mine = everything(world.account, record())
    world.account.kept[mine.cluster_id.lower()]["id"] = mine.cluster_id.replace("resourceGroups", "resourcegroups")
    found = aks.imports(mine.record, aks.unknown(mine.record, {}, None), None, spec(BATCH))
    assert found["azurerm_kubernetes_cluster.cluster"] == mine.cluster_id


def test_only_what_the_state_lacks_is_taken_over(world: AzureWorld) -> None:
    mine = everything(world.account, record())
    strangers = aks.unknown(mine.record, without(mine, "kubernetes_cluster"), None)
    assert strangers == (Leftover("AKS cluster", "qa"),)
    assert aks.imports(mine.record, strangers, None, spec(BATCH)) == {
        "azurerm_kubernetes_cluster.cluster": mine.cluster_id
    }


def test_a_role_in_somebody_elses_zone_is_told(world: AzureWorld) -> None:
    """Its address holds the zone's id as Azure wrote it then: nobody knows how."""
    mine = everything(world.account, record())
    saved = state(known(mine))
    role = mine.role_by_description()
    strangers = aks.unknown(mine.record, saved, None)
    assert [it.kind for it in strangers] == ["role assignment"]
    assert role.rpartition("/")[2] in strangers[0].name
    assert aks.imports(mine.record, strangers, None, spec(BATCH)) == {}


@pytest.mark.parametrize("content", ["network: {mode: shared}\n", "network: {nat: none}\n"], ids=["shared", "no NAT"])
def test_what_the_root_has_no_place_for_is_not_taken_over(world: AzureWorld, content: str) -> None:
    """Somebody changed cluster.yaml meanwhile: Terraform would refuse an import that leads nowhere."""
    mine = everything(world.account, record())
    strangers = aks.unknown(mine.record, {}, None)
    assert aks.imports(mine.record, strangers, None, spec(BATCH + content)) == {}


def test_a_pool_that_content_no_longer_has_is_not_taken_over(world: AzureWorld) -> None:
    mine = everything(world.account, record())
    strangers = aks.unknown(mine.record, without(mine, "kubernetes_cluster_node_pool"), None)
    assert strangers == (Leftover("node pool", AZURES_WORD),)
    assert aks.imports(mine.record, strangers, None, spec()) == {}


@pytest.mark.parametrize(("last", "is_taken"), [("Succeeded", True), ("Failed", False), ("Deleting", False)])
def test_a_cluster_that_aks_still_makes_is_waited_for(
    world: AzureWorld, monkeypatch: pytest.MonkeyPatch, last: str, is_taken: bool
) -> None:
    mine = everything(world.account, record(), "Creating")
    left = ["Creating", "Updating", last]

    def sleep(_: float) -> None:
        world.account.kept[mine.cluster_id.lower()]["properties"]["provisioningState"] = left.pop(0)

    monkeypatch.setattr(waiting, "pause", lambda: sleep(0))
    strangers = aks.unknown(mine.record, without(mine, "kubernetes_cluster"), None)
    assert bool(aks.imports(mine.record, strangers, None, spec(BATCH))) == is_taken
    assert left == []


def test_what_the_state_knows_is_left_to_terraform(world: AzureWorld) -> None:
    """The cluster goes with its nodes' group, and what else no state knows; the group is Terraform's to destroy."""
    mine = everything(world.account, record())
    held = without(
        mine, "kubernetes_cluster", KIND.removeprefix("azurerm_"), "nat_gateway",
        "nat_gateway_public_ip_association", "subnet_nat_gateway_association",
    )  # fmt: skip
    aks.reclaim(mine.record, Footprint(), None, held)
    left = {it.rpartition("/")[2] for it in world.account.kept if it.startswith(f"{mine.group}/".lower())}
    assert mine.names["resource_group"].lower() in world.account.groups
    assert mine.names["node_resource_group"].lower() not in world.account.groups
    assert mine.cluster_id.lower() not in world.account.kept
    assert f"{mine.group}/{NETWORK}/natGateways/nat".lower() not in world.account.kept
    assert {"nodes", "nat", f"{mine.names['identity']}-dns"} <= left


def test_a_group_that_no_state_knows_goes_with_all_that_is_in_it(world: AzureWorld) -> None:
    mine = everything(world.account, record())
    aks.reclaim(mine.record, Footprint(), None, {})
    assert not [it for it in world.account.kept if it.startswith(f"{mine.group}/".lower())]
    assert mine.names["resource_group"].lower() not in world.account.groups


def test_a_cluster_that_the_state_knows_is_left_to_terraform(world: AzureWorld) -> None:
    mine = everything(world.account, record())
    mine.in_node_group()
    before = world.inventory()
    aks.reclaim(mine.record, Footprint(), None, state(known(mine)))
    assert world.inventory() == before


def test_another_cluster_of_the_name_is_never_taken(world: AzureWorld) -> None:
    ours = record()
    everything(world.account, record(id=f"01k9z3v8q4n6t2m7{ours.id[-10:]}"))
    before = world.inventory()
    assert aks.imports(ours, [Leftover("AKS cluster", "qa")], None, spec()) == {}
    aks.reclaim(ours, Footprint(), None, {})
    assert world.inventory() == before


@pytest.mark.usefixtures("with_replay")
def test_terraform_takes_all_of_it_over(world: AzureWorld, tmp_path: Path) -> None:
    """With the newest recorded schema: it makes nothing anew, and a second plan finds nothing to do."""
    mine = everything(world.account, record())
    root = imported(tmp_path / "root", mine.record, spec(BATCH))
    blocks = json.loads((root / "karrots_import.tf.json").read_text())["import"]
    found = lived(root, "aks")
    assert (found.complaints, found.imported) == ([], len(blocks))
    assert len(blocks) == 15
