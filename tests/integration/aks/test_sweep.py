"""What is planted as a cluster's controllers would make it is found and deleted, and nothing else."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from karrots.adapters import azure_inventory, azure_removal
from karrots.adapters.azure_errors import AzureDenied, AzureRejected
from karrots.adapters.azure_inventory import ID, MANAGED_GROUP, MANAGED_NAME
from karrots.errors import LoginNeeded
from karrots.fleet.record import new_id
from karrots.providers import aks
from karrots.providers.base import Footprint
from tests.support.aks_account import planted
from tests.support.aks_account.account import HOME, denied, refused
from tests.support.aks_account.planted import ELSEWHERE, Planted, record_set, text

if TYPE_CHECKING:
    from karrots.fleet.record import Record
    from tests.support.aks_account.world import AzureWorld

NEVER = Footprint()


def left(of: Record, footprint: Footprint = NEVER) -> Counter[str]:
    return Counter(item.kind for item in aks.sweep(of, footprint, None).left)


def doubts(of: Record) -> list[str]:
    return [item.kind for item in aks.sweep(of, NEVER, None).left if "in doubt" in item.name]


def living(world: AzureWorld, of: Record) -> Planted:
    made = Planted(world.account, of)
    made.own_group()
    made.cluster()
    return made


def test_exactly_ours_are_found_and_deleted(world: AzureWorld) -> None:
    """Beside us: a cluster whose name begins with ours, and one of the same name with another id."""
    ours = world.record()
    world.plant_others(ours)
    others = world.inventory()
    made = world.plant(ours)
    assert left(ours) == made
    assert len(made) == 11
    aks.reclaim(ours, NEVER, None)
    assert left(ours) == {}
    assert world.inventory() == others


def test_a_cluster_that_nobody_wrote_down_is_ended(world: AzureWorld) -> None:
    """Terraform was killed between Azure's answer and its state."""
    ours, before = world.record(), world.inventory()
    living(world, ours)
    assert left(ours)["AKS cluster"] == 1
    aks.reclaim(ours, NEVER, None)
    assert left(ours) == {}
    assert world.inventory() == before


def test_the_cluster_goes_before_what_it_needs_to_go(world: AzureWorld) -> None:
    """Its identity keeps its role in the subnet until AKS has taken the nodes away."""
    made = living(world, world.record())
    made.role_by_description()
    aks.reclaim(made.record, NEVER, None)
    gone = [it.path for it in world.account.asked if it.method == "DELETE"]
    assert gone[0].lower() == made.cluster_id.lower()
    assert "roleAssignments" in gone[1]
    assert gone[-1].lower() == made.group.lower()


@pytest.mark.parametrize("polls", [0, 5])
def test_long_operations_are_waited_for(world: AzureWorld, polls: int) -> None:
    world.account.polls = polls
    ours = world.record()
    living(world, ours)
    aks.reclaim(ours, NEVER, None)
    assert left(ours) == {}


def test_a_cluster_of_our_name_and_another_id_is_left_alone(world: AzureWorld) -> None:
    ours, theirs = world.record(), world.record()
    living(world, theirs)
    before = world.inventory()
    assert left(ours) == {}
    aks.reclaim(ours, NEVER, None)
    assert world.inventory() == before
    assert aks.footprint(ours, None).held == {}
    assert aks.access(ours, {}, None) is None


def test_even_in_our_own_group_a_cluster_with_another_id_is_anothers(world: AzureWorld) -> None:
    """Somebody made it there by hand; the group is then in doubt, and so is what bears no id."""
    ours = world.record()
    made = living(world, ours)
    cluster = world.account.kept[made.cluster_id.lower()]
    cluster["tags"] = {ID: new_id()}
    assert aks.access(ours, {}, None) is None
    aks.reclaim(ours, NEVER, None)
    assert made.cluster_id.lower() in world.account.kept
    assert made.names["resource_group"] in world.account.groups
    assert "resource group" in doubts(ours)


def test_a_name_alone_is_only_told(world: AzureWorld) -> None:
    ours = world.record()
    made = Planted(world.account, ours)
    made.volume_without_id()
    world.account.group(made.names["resource_group"])
    world.account.put(f"{ELSEWHERE}/providers/Microsoft.Network/loadBalancers/kubernetes",
                      tags={MANAGED_NAME: "qa", MANAGED_GROUP: made.names["resource_group"]})  # fmt: skip
    before = world.inventory()
    assert Counter(doubts(ours)) == {"disk": 1, "resource group": 1, "load balancer": 1}
    assert all("by hand" in it.name for it in aks.sweep(ours, NEVER, None).left)
    aks.reclaim(ours, NEVER, None)
    assert world.inventory() == before


def test_the_name_in_another_group_is_another_cluster(world: AzureWorld) -> None:
    """Names of clusters are their resource group's own in Azure."""
    ours = world.record()
    world.account.put(f"{ELSEWHERE}/providers/Microsoft.Network/loadBalancers/kubernetes",
                      tags={MANAGED_NAME: "qa", MANAGED_GROUP: "somebodys"})  # fmt: skip
    assert left(ours) == {}


def test_what_bears_a_living_clusters_name_is_not_told(world: AzureWorld) -> None:
    ours, later = world.record(), world.record()
    Planted(world.account, ours).volume_without_id()
    assert doubts(ours) == ["disk"]
    living(world, later)
    assert left(ours) == {}


def test_what_lists_still_name_is_looked_at(world: AzureWorld) -> None:
    """Resource Manager's lists lag behind."""
    ours = world.record()
    made = Planted(world.account, ours)
    key = made.volume()
    assert left(ours) == {"disk": 1}
    world.account.ghosts.append(world.account.kept.pop(key.lower()))
    assert left(ours) == {}


def test_draining_takes_what_is_outside_and_leaves_the_clusters_own_groups(world: AzureWorld) -> None:
    ours = world.record()
    made = living(world, ours)
    made.in_node_group()
    made.outside()
    seen = Counter(it.kind for it in aks.drain(ours, None, None))
    assert seen == {"disk": 1, "DNS record": 4}
    assert aks.drain(ours, None, None) == ()
    assert {it.method for it in world.account.asked} == {"GET", "DELETE"}
    assert made.cluster_id.lower() in world.account.kept
    assert f"{made.node_group}/{planted.COMPUTE}/disks/pvc-1".lower() in world.account.kept


def test_roles_and_trust_of_identities_that_are_gone(world: AzureWorld) -> None:
    """Only what was seen while the cluster lived can tell: a principal that is gone has no name."""
    ours, before = world.record(), world.inventory()
    made = living(world, ours)
    made.role_of_kubelet()
    made.trust()
    stranger = living(world, world.record("other"))
    stranger.role_of_kubelet()
    stranger.trust()
    seen = aks.footprint(ours, None)
    assert seen.held["federated credentials"]
    assert seen.held["role assignments"]
    for name in ("resource_group", "node_resource_group"):
        world.account._forget_group(made.names[name])
    assert left(ours) == {}
    assert left(ours, seen) == {"role assignment": 1, "federated credential": 1}
    swept = aks.sweep(ours, seen, None)
    assert swept.looked_for["role assignments"] == 1
    assert "principals" not in swept.looked_for
    aks.reclaim(ours, seen, None)
    assert left(ours, seen) == {}
    kinds = Counter(str(it["type"]) for it in world.account.kept.values())
    assert kinds["Microsoft.Authorization/roleAssignments"] == 1
    assert kinds["Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials"] == 1
    assert before["groups"] + 2 == len(world.account.groups)


def test_the_roles_of_an_identity_that_others_use_too_are_theirs(world: AzureWorld) -> None:
    """Nodes that were given an identity of the team's."""
    ours = world.record()
    made = Planted(world.account, ours)
    made.own_group()
    shared = {"kubeletidentity": {"resourceId": planted.SHARED_IDENTITY, "objectId": made.kubelet}}
    made.cluster(identityProfile=shared)
    made.role_of_kubelet()
    assert "role assignments" not in aks.footprint(ours, None).held


def test_a_record_that_somebody_else_vouches_for_too_is_left(world: AzureWorld) -> None:
    ours = world.record()
    Planted(world.account, ours).records()
    place = ours.id[-8:]
    other = f"heritage=external-dns,external-dns/owner={new_id()},external-dns/resource=x"
    record_set(world.account, f"shop-{place}.qa", "TXT", text(other))
    aks.reclaim(ours, NEVER, None)
    there = {key.rpartition("/example.com/")[2] for key in world.account.kept}
    assert f"a/shop-{place}.qa" in there
    assert f"txt/shop-{place}.qa" in there
    assert f"txt/a-shop-{place}.qa" not in there
    assert f"cname/old-{place}.qa" not in there


def test_a_record_that_was_changed_meanwhile_is_not_deleted(world: AzureWorld) -> None:
    ours = world.record()
    Planted(world.account, ours).records()
    azure = aks.door(ours, None)
    whose = aks.whose_of(azure, ours, NEVER)
    seen = azure_inventory.find(azure, whose, ("DNS",)).ours
    for found in world.account.kept.values():
        found["etag"] = "changed"
    with pytest.raises(AzureRejected) as caught:
        azure_removal.remove(azure, whose, seen)
    assert caught.value.reason == "PreconditionFailed"
    assert left(ours)["DNS record"] == 4


def test_what_somebody_locked_is_told_and_ends(world: AzureWorld) -> None:
    ours = world.record()
    made = Planted(world.account, ours)
    made.own_group()
    made.volume()
    world.account.locked.add(made.group.lower())
    aks.reclaim(ours, NEVER, None)
    assert left(ours)["resource group"] == 1
    assert "disk" not in left(ours)
    tried = [it for it in world.account.asked if it.method == "DELETE" and it.path == made.group]
    assert len(tried) == aks.ROUNDS


def test_a_right_that_is_missing_is_told_with_its_name(world: AzureWorld) -> None:
    ours = world.record()
    Planted(world.account, ours).volume()
    world.account.script = lambda it: denied("x") if it.method == "DELETE" else None
    with pytest.raises(AzureDenied) as caught:
        aks.reclaim(ours, NEVER, None)
    assert caught.value.action == "Microsoft.Compute/disks/delete"


@pytest.mark.parametrize("ask", [aks.sweep, aks.reclaim])
def test_who_cannot_see_the_subscription_does_not_say_that_all_is_gone(world: AzureWorld, ask: object) -> None:
    elsewhere = replace(world.record(), account="00000000-0000-4000-8000-000000000002")
    with pytest.raises(LoginNeeded):
        ask(elsewhere, NEVER, None)  # type: ignore[operator]


def test_a_look_that_fails_is_no_clean_bill(world: AzureWorld) -> None:
    world.account.script = lambda it: refused("InternalServerError", 500) if "roleAssignments" in it.path else None
    with pytest.raises(AzureRejected):
        aks.sweep(world.record(), NEVER, None)


def test_a_kind_we_do_not_know_goes_with_its_group_or_is_told(world: AzureWorld) -> None:
    ours = world.record()
    made = Planted(world.account, ours)
    made.own_group()
    world.account.put(f"{made.group}/providers/Microsoft.Odd/things/x", tags={})
    world.account.put(f"{HOME}/resourceGroups/team/providers/Microsoft.Odd/things/y", tags={ID: ours.id})
    assert left(ours)["other resource"] == 2
    aks.reclaim(ours, NEVER, None)
    assert left(ours) == {"other resource": 1}
