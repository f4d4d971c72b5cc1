"""What is planted as a cluster's controllers would make it is found and deleted, and nothing else."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from karrots.adapters.google_errors import GoogleDenied, GoogleUnreachable
from karrots.errors import Refused
from karrots.fleet.record import Parent, new_id
from karrots.providers import gke
from karrots.providers.base import Footprint
from tests.support.gke_account.account import HOST, PROJECT, REGION, ZONES, Asked, Said, refused, said, switched_off
from tests.support.gke_account.planted import EVERY_KIND, Planted
from tests.support.records import record as made_up

if TYPE_CHECKING:
    from karrots.fleet.record import Record
    from tests.support.gke_account.account import Account

NEVER = Footprint()
BALANCERS = {"forwardingRules", "targetHttpProxies", "targetHttpsProxies", "urlMaps", "sslCertificates",
             "backendServices", "targetPools", "healthChecks", "httpHealthChecks", "networkEndpointGroups",
             "addresses", "firewalls"}  # fmt: skip


def record(name: str = "qa", **changes: object) -> Record:
    plain = made_up(name, provider="gke", region=REGION, account=PROJECT, domain=f"{name}.example.com")
    return replace(plain, **changes)  # type: ignore[arg-type]


def left(of: Record, footprint: Footprint = NEVER) -> Counter[str]:
    return Counter(item.kind for item in gke.sweep(of, footprint, None).left)


def told(of: Record, footprint: Footprint = NEVER) -> list[str]:
    """What is in doubt."""
    return [item.name for item in gke.sweep(of, footprint, None).left if "by hand" in item.name]


def in_network_of(parent: Planted, of: Record) -> Planted:
    return Planted(parent.account, of, network=parent.network)


def balancers(of: Planted) -> None:
    of.firewall()
    of.ingress()
    of.service_balancer()
    of.gateway()


def test_exactly_ours_are_found_and_deleted(account: Account) -> None:
    """Beside us: a cluster of the same name-prefix, and one of the same name with another id."""
    ours = record()
    for other in (record("qa-two"), record(domain="other.example.com")):
        Planted(account, other).all()
    others = account.inventory()
    Planted(account, ours).all()
    assert left(ours) == EVERY_KIND
    assert told(ours) == []
    gke.reclaim(ours, NEVER, None)
    assert left(ours) == {}
    assert account.inventory() == others


def test_answers_of_many_pages_are_read_to_the_end(account: Account) -> None:
    account.page = 1
    ours = record()
    Planted(account, ours).all()
    assert left(ours) == EVERY_KIND


def test_in_the_parents_network_a_disk_tells_which_number_is_ours(account: Account) -> None:
    """The number leads to the rules of the firewall, and they to the load balancers."""
    parent, ours = Planted(account, record("main")), record()
    parent.all()
    mine = in_network_of(parent, ours)
    before = account.inventory()
    mine.disk()
    balancers(mine)
    gke.reclaim(ours, NEVER, None)
    assert mine.left == set()
    assert account.inventory() == before


def test_what_a_branch_has_in_our_network_is_not_ours(account: Account) -> None:
    ours = record()
    mine = Planted(account, ours)
    mine.all()
    child = in_network_of(mine, record("story"))
    child.disk()
    balancers(child)
    gke.reclaim(ours, NEVER, None)
    assert child.left == BALANCERS | {"disks"}
    assert mine.left == {"networks"}, "the child's things hold it"
    assert left(ours) == {"network": 1}


def test_without_a_proof_it_is_told_and_left(account: Account) -> None:
    """Whose digits they are, nothing says any more; what bears not even the name is not told."""
    parent, ours = Planted(account, record("main")), record()
    parent.own_network()
    mine = in_network_of(parent, ours)
    balancers(mine)
    there = set(mine.left)
    assert left(ours)["firewall rule"] == 4
    assert len(told(ours)) == sum(left(ours).values())
    gke.reclaim(ours, NEVER, None)
    assert mine.left == there


def test_a_disk_that_bears_the_name_alone_is_told_and_left(account: Account) -> None:
    ours = record()
    mine = Planted(account, ours)
    mine.make(f"zones/{ZONES[0]}/disks/pvc-1", labels={"goog-k8s-cluster-name": "qa"})
    mine.make(f"zones/{ZONES[0]}/disks/pvc-2", labels={"goog-k8s-cluster-name": "qa-two"})
    elsewhere = {"goog-k8s-cluster-name": "qa", "goog-k8s-cluster-location": "us-central1"}
    mine.make(f"zones/{ZONES[0]}/disks/pvc-3", labels=elsewhere)
    assert [name.partition(" ")[0] for name in told(ours)] == ["pvc-1"]
    gke.reclaim(ours, NEVER, None)
    assert len(mine.left) == 1


def test_a_snapshot_of_our_disk_that_its_class_did_not_mark_is_told_and_left(account: Account) -> None:
    """Its driver says nothing of the cluster by itself. The disk, seen when the destroy began, tells whose it was."""
    ours = record()
    mine, other = Planted(account, ours), Planted(account, record("qa-two"))
    kept = mine.snapshot(mine.disk(), labels={})
    other.snapshot(other.disk(), labels={})
    footprint = gke.footprint(ours, None)
    gke.reclaim(ours, footprint, None)
    swept = gke.sweep(ours, footprint, None)
    assert [(it.kind, it.doubtful) for it in swept.left] == [("snapshot", True)]
    assert swept.left[0].name.startswith(f"{kept.rpartition('/')[2]} (shop/nightly) (kept: ")
    assert mine.left == {"snapshots"}
    assert other.left == {"disks", "snapshots"}


@pytest.mark.parametrize("lost", ["karrots-cluster", "karrots-id", "the driver"])
def test_a_snapshot_that_lacks_a_mark_is_told_and_left(account: Account, lost: str) -> None:
    ours = record()
    mine = Planted(account, ours)
    labels = {"karrots-cluster": "qa", "karrots-id": ours.id.lower()}
    by = "somebody" if lost == "the driver" else "pd.csi.storage.gke.io"
    marks = {name: value for name, value in labels.items() if name != lost}
    mine.snapshot(mine.disk(), labels=marks, by=by)
    footprint = gke.footprint(ours, None)
    gke.reclaim(ours, footprint, None)
    assert mine.left == {"snapshots"}
    assert [name.partition("(")[2].startswith("shop/nightly) (kept") for name in told(ours, footprint)] == [True]


def test_a_snapshot_of_a_disk_that_only_had_the_name_is_not_told(account: Account) -> None:
    """Another disk of that path, with another number."""
    ours = record()
    mine = Planted(account, ours)
    disk = mine.disk()
    seen = Footprint({"disks": (f"{disk}#1",)})
    account.compute[disk]["labels"] = {}
    mine.snapshot(disk, labels={})
    assert told(ours, seen) == []


def test_what_was_seen_while_the_cluster_lived_is_its_own(account: Account) -> None:
    """In the parent's network, without a label on anything: GKE's number and the footprint are the proof."""
    parent, ours = Planted(account, record("main")), record()
    parent.own_network()
    mine = in_network_of(parent, ours)
    balancers(mine)
    named = mine.make(f"zones/{ZONES[0]}/disks/pvc-1", labels={"goog-k8s-cluster-name": "qa"})
    mine.cluster()
    footprint = gke.footprint(ours, None)
    assert {"forwarding rules", "target proxies", "backend services", "disks", "clusters"} <= set(footprint.held)
    account.clusters.clear()
    gke.reclaim(ours, footprint, None)
    swept = gke.sweep(ours, footprint, None)
    assert swept.left == ()
    assert swept.looked_for["forwarding rules"] == 3
    assert swept.looked_for["clusters"] == 1
    assert mine.left == set()
    assert named not in account.compute


def test_a_later_thing_of_the_same_name_was_not_seen(account: Account) -> None:
    ours = record()
    mine = Planted(account, ours)
    path = f"zones/{ZONES[0]}/disks/pvc-1"
    whole = mine.make(path, labels={"goog-k8s-cluster-name": "qa"})
    footprint = Footprint({"disks": (f"{whole}#{account.compute[whole]['id']}",)})
    assert told(ours, footprint) == []
    mine.make(path, labels={"goog-k8s-cluster-name": "qa"})
    assert len(told(ours, footprint)) == 1
    gke.reclaim(ours, footprint, None)
    assert whole in account.compute


def test_a_network_of_our_name_that_says_no_id_is_told_and_left(account: Account) -> None:
    ours = record()
    mine = Planted(account, ours)
    mine.own_network()
    account.compute[mine.network]["description"] = ""
    assert {name.partition(" ")[0] for name in told(ours)} == {mine.network.rpartition("/")[2]}
    gke.reclaim(ours, NEVER, None)
    assert mine.left == {"networks", "subnetworks", "routers"}


def test_what_others_put_into_our_network_is_told_and_left(account: Account) -> None:
    ours = record()
    mine = Planted(account, ours)
    mine.own_network()
    mine.make("global/firewalls/let-me-in", network=HOST + mine.network)
    nic = [{"network": HOST + mine.network}]
    mine.make(f"zones/{ZONES[0]}/instances/bastion", networkInterfaces=nic)
    assert {name.partition(" ")[0] for name in told(ours)} == {"let-me-in", "bastion"}


def test_a_gateway_of_several_clusters_is_no_kin(account: Account) -> None:
    """It has a part in our cluster and one in another; it may go with neither."""
    ours = record()
    mine, other = Planted(account, ours), Planted(account, record("other"))
    for each in (mine, other):
        each.own_network()
        each.gateway()
    groups = [HOST + path for it in (mine, other) for path in it.made if "networkEndpointGroups" in path]
    shared = account.make("global/backendServices/gkemcg1-shop-main-1", backends=[{"group": it} for it in groups])
    gke.reclaim(ours, NEVER, None)
    assert shared in account.compute
    assert mine.left == {"networkEndpointGroups", "networks", "subnetworks", "routers"}
    assert left(ours)["network endpoint group"] == 1
    assert "backendServices" in other.left


def test_a_backend_that_somebody_made_for_our_endpoints_is_left(account: Account) -> None:
    ours = record()
    mine = Planted(account, ours)
    mine.own_network()
    mine.ingress()
    group = HOST + next(path for path in mine.made if "networkEndpointGroups" in path)
    theirs = account.make("global/backendServices/by-hand", backends=[{"group": group}])
    gke.reclaim(ours, NEVER, None)
    assert theirs in account.compute
    assert mine.left == {"networkEndpointGroups", "firewalls", "networks", "subnetworks", "routers"}
    assert left(ours)["network endpoint group"] == 1


def test_a_cluster_that_nobody_wrote_down_is_ended(account: Account) -> None:
    """Terraform was killed between GKE's answer and its state."""
    ours = record()
    mine = Planted(account, ours)
    mine.all()
    mine.cluster()
    assert left(ours)["GKE cluster"] == 1
    gke.reclaim(ours, NEVER, None)
    assert account.clusters == {}
    assert mine.left == set()


def test_a_cluster_of_our_name_and_another_id_is_left_alone(account: Account) -> None:
    ours, theirs = record(), Planted(account, record())
    theirs.all()
    theirs.cluster()
    before = account.inventory()
    assert left(ours) == {}
    gke.reclaim(ours, NEVER, None)
    assert account.inventory() == before
    assert gke.footprint(ours, None).held == {}
    assert gke.access(ours, {}, None) is None


def test_draining_takes_load_balancers_and_leaves_what_terraform_and_gke_made(account: Account) -> None:
    ours = record()
    mine = Planted(account, ours)
    mine.all()
    mine.cluster()
    kinds = {item.kind for item in gke.drain(ours, None, None)}
    assert kinds == set(gke.BEFORE)
    while gke.drain(ours, None, None):
        pass
    kept = {"networks", "subnetworks", "routers", "firewalls", "instanceGroupManagers", "instances", "disks"}
    assert mine.left == kept | {"snapshots"}
    rules = [path.rpartition("/")[2] for path in account.compute if "firewalls" in path]
    assert rules == [f"gke-qa-{mine.number[:8]}-all"]
    assert len(account.accounts) == 2


def test_a_record_that_somebody_else_vouches_for_too_is_left(account: Account) -> None:
    ours = record()
    Planted(account, ours).records("fleet")
    other = f'"heritage=external-dns,external-dns/owner={new_id()},x=y"'
    kept = {"name": "shop.qa.example.com.", "type": "TXT", "ttl": 300, "rrdatas": [other]}
    account.zones["fleet"]["rrsets"].append(kept)
    gke.reclaim(ours, NEVER, None)
    names = {(it["name"], it["type"]) for it in account.zones["fleet"]["rrsets"]}
    assert names == {("example.com.", "SOA"), ("shop.qa.example.com.", "A"), ("shop.qa.example.com.", "TXT")}


def test_what_is_held_goes_in_a_later_round(account: Account) -> None:
    """Google takes a while to see that the rule is gone which used the pool."""
    ours = record()
    mine = Planted(account, ours)
    mine.own_network()
    mine.service_balancer()
    busy = [3]

    def answer(asked: Asked) -> Said | None:
        if asked.method != "DELETE" or "/targetPools/" not in asked.path or busy[0] == 0:
            return None
        busy[0] -= 1
        return refused(400, "is not ready", "resourceNotReady")

    account.script = answer
    gke.reclaim(ours, NEVER, None)
    assert busy == [0]
    assert mine.left == set()


def test_what_proves_whose_the_others_are_goes_after_them(account: Account) -> None:
    """A removal that is cut short is taken up by another process, which has no more than what is there."""
    parent, ours = Planted(account, record("main")), record()
    parent.own_network()
    mine = in_network_of(parent, ours)
    mine.disk()
    balancers(mine)
    stuck = [True]

    def answer(asked: Asked) -> Said | None:
        pool = asked.method == "DELETE" and "/targetPools/" in asked.path
        return refused(400, "is not ready", "resourceNotReady") if pool and stuck[0] else None

    account.script = answer
    gke.reclaim(ours, NEVER, None)
    assert left(ours)["target pool"] == 1
    stuck[0] = False
    gke.reclaim(ours, NEVER, None)
    assert mine.left == set()


def test_what_is_not_switched_on_holds_nothing(account: Account) -> None:
    ours = record()
    Planted(account, ours).all()
    account.script = lambda asked: switched_off("dns") if asked.service == "dns" else None
    assert left(ours) == Counter(EVERY_KIND) - Counter({"DNS record": 4})


def test_a_right_that_is_missing_stops_it(account: Account) -> None:
    """What may not be looked at may still be there: nothing is said to be gone."""
    account.script = lambda asked: (
        refused(403, "Required 'compute.disks.list' permission", "forbidden") if asked.path.endswith("disks") else None
    )
    with pytest.raises(GoogleDenied, match="lacks compute"):
        gke.sweep(record(), NEVER, None)


@pytest.mark.parametrize(
    ("service", "path", "answer"),
    [
        ("compute", "aggregated/disks", {"items": {}, "unreachables": [f"zones/{ZONES[1]}"]}),
        ("container", "clusters", {"clusters": [], "missingZones": [ZONES[1]]}),
    ],
)
def test_where_google_could_not_look_nothing_is_said_to_be_gone(
    account: Account, service: str, path: str, answer: dict[str, Any]
) -> None:
    account.script = lambda asked: said(answer) if asked.service == service and asked.path.endswith(path) else None
    with pytest.raises(GoogleUnreachable) as caught:
        gke.sweep(record(), NEVER, None)
    assert ZONES[1] in caught.value.why


def test_a_zone_of_another_region_is_no_matter(account: Account) -> None:
    elsewhere = said({"clusters": [], "missingZones": ["us-central1-a"]})
    account.script = lambda asked: elsewhere if asked.path.endswith("/clusters") else None
    assert left(record()) == {}


def test_who_was_faster_is_no_failure(account: Account) -> None:
    ours = record()
    mine = Planted(account, ours)
    mine.all()

    def answer(asked: Asked) -> Said | None:
        if asked.method == "DELETE" and asked.service == "compute":
            account.compute.pop(asked.path, None)
            return refused(404, "was not found", "notFound")
        return None

    account.script = answer
    gke.reclaim(ours, NEVER, None)
    assert mine.left == set()


def test_nothing_is_left_of_what_never_was(account: Account) -> None:
    swept = gke.sweep(record(), NEVER, None)
    assert swept.left == ()
    assert gke.footprint(record(), None).held == {}
    assert gke.drain(record(), None, None) == ()


def test_a_protected_cluster_is_refused_with_what_to_do(account: Account) -> None:
    """The labels say what the last apply knew, whatever the record says by now."""
    ours = record()
    Planted(account, ours).cluster()
    with pytest.raises(Refused) as caught:
        gke.refuse_destroy(replace(ours, expires="2026-11-28T10:00:00Z"), None)
    assert "deletion_protection" in caught.value.why
    assert "karrots create qa --ttl 1d" in caught.value.hint


@pytest.mark.parametrize(
    "changes",
    [{"expires": "2026-11-28T10:00:00Z"}, {"parent": Parent(name="main", id="0" * 26, commit="0" * 40)}],
    ids=["expires", "parent"],
)
def test_one_that_is_meant_to_go_is_not(account: Account, changes: dict[str, Any]) -> None:
    ours = record(**changes)
    Planted(account, ours).cluster()
    gke.refuse_destroy(ours, None)
    gke.refuse_destroy(record("none"), None)


def test_descriptions_that_are_no_json_are_nobodys(account: Account) -> None:
    ours = record()
    mine = Planted(account, ours)
    mine.own_network()
    for number, note in enumerate(("{", "[]", '{"cluster-uid": 7}', '{"k8sCluster": null}', json.dumps({"a": "b"}))):
        mine.make(f"global/backendServices/other-{number}", description=note)
    assert set(left(ours)) == {"network", "subnetwork", "router"}
