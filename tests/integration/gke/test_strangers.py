"""What Terraform made and no state knows: it is named, taken over, or taken away before Terraform's own destroy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from google.cloud import container_v1

from karrots.fleet.cloud_names import names
from karrots.providers import gke, gke_strangers, waiting
from karrots.providers.base import Footprint, Leftover
from tests.integration.gke.test_preflight import spec
from tests.integration.gke.test_sweep import record
from tests.support.gke_account.account import HOST, PROJECT, REGION, ZONES
from tests.support.gke_account.planted import Planted
from tests.support.imports import imported, lived

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from karrots.adapters.google import Google
    from karrots.fleet.record import Record
    from tests.support.gke_account.account import Account

Status = container_v1.Cluster.Status
PLACE = f"projects/{PROJECT}/locations/{ZONES[0]}/clusters/qa"


def state(**ids: Iterable[str]) -> dict[str, Any]:
    """One that knows things by these ids, by their types."""
    resources = [
        {"mode": "managed", "type": kind, "name": "x", "instances": [{"attributes": {"id": each}} for each in given]}
        for kind, given in ids.items()
    ]
    return {"resources": resources}


def by_terraform(account: Account, of: Record) -> Planted:
    """All that templates/gke makes but for the cluster."""
    mine = Planted(account, of)
    mine.own_network()
    prefix = names(of)["prefix"]
    mine.make(f"regions/{REGION}/subnetworks/{prefix}-proxies", network=HOST + mine.network)
    account.compute[f"projects/{PROJECT}/regions/{REGION}/routers/{prefix}"]["nats"] = [{"name": prefix}]
    mine.accounts()
    return mine


def pool(of: Record, name: str, status: str = "RUNNING", *, marked: bool = True) -> dict[str, Any]:
    labels = {"resource_labels": {"karrots-id": of.id}} if marked else {}
    return {"name": name, "status": status, "config": {"machine_type": "e2-standard-4", **labels}}


def everything(account: Account, of: Record, **cluster: Any) -> Planted:
    mine = by_terraform(account, of)
    mine.cluster(**{"node_pools": [pool(of, "default-pool", marked=False), pool(of, "default")], **cluster})
    return mine


def ids(of: Record) -> dict[str, list[str]]:
    """As the provider writes them into a state that knows everything."""
    prefix, region = names(of)["prefix"], f"projects/{PROJECT}/regions/{REGION}"
    host = f"{PROJECT}.iam.gserviceaccount.com"
    accounts = [f"projects/{PROJECT}/serviceAccounts/{prefix}-{what}@{host}" for what in ("nodes", "dns")]
    return {
        "google_compute_network": [f"projects/{PROJECT}/global/networks/{prefix}"],
        "google_compute_subnetwork": [f"{region}/subnetworks/{prefix}-{what}" for what in ("nodes", "proxies")],
        "google_compute_router": [f"{region}/routers/{prefix}"],
        "google_compute_router_nat": [f"{PROJECT}/{REGION}/{prefix}/{prefix}"],
        "google_service_account": accounts,
        "google_container_cluster": [PLACE],
        "google_container_node_pool": [f"{PLACE}/nodePools/default"],
    }


def without(of: Record, *kinds: str) -> dict[str, Any]:
    return state(**{kind: given for kind, given in ids(of).items() if kind.removeprefix("google_") not in kinds})


def test_what_terraform_made_and_no_state_knows_is_named(account: Account) -> None:
    """Controllers' things bear the id as well, and are never in a state; another's are another's."""
    ours, theirs = record(), record()
    mine = everything(account, ours)
    mine.nodes()
    mine.ingress()
    mine.disk()
    prefix = names(ours)["prefix"]
    assert {(it.kind, it.name) for it in gke.unknown(ours, {}, None)} == {
        ("GKE cluster", "qa"),
        ("node pool", "default"),
        ("network", prefix),
        ("subnetwork", f"{prefix}-nodes"),
        ("subnetwork", f"{prefix}-proxies"),
        ("router", prefix),
        ("Cloud NAT", prefix),
        ("service account", names(ours)["node_account"]),
        ("service account", names(ours)["dns_account"]),
    }
    assert gke.unknown(theirs, {}, None) == ()
    assert gke.unknown(ours, state(**ids(ours)), None) == ()


@pytest.mark.parametrize("lacking", sorted(ids(record())))
def test_each_thing_that_a_state_does_not_know_is_named(account: Account, lacking: str) -> None:
    ours = record()
    everything(account, ours)
    found = gke.unknown(ours, without(ours, lacking.removeprefix("google_")), None)
    assert len(found) == len(ids(ours)[lacking])
    assert len({it.kind for it in found}) == 1


def test_what_others_have_under_our_names_is_not_ours(account: Account) -> None:
    """A cluster, network and accounts of the same names that say another id; and what lies in that network."""
    ours = record()
    theirs = record(id=f"01k9z3v8q4n6t2m7{ours.id[-10:]}")
    assert names(theirs) == names(ours)
    assert theirs.id != ours.id
    everything(account, theirs)
    assert gke.unknown(ours, {}, None) == ()
    assert len(gke.unknown(theirs, {}, None)) == 9


def test_what_somebody_added_by_hand_is_none_of_terraforms_business(account: Account) -> None:
    ours = record()
    mine = everything(account, ours, node_pools=[pool(ours, "default"), pool(ours, "by-hand", marked=False)])
    mine.make(f"regions/{REGION}/subnetworks/by-hand", network=HOST + mine.network)
    mine.make(f"regions/europe-west4/subnetworks/{names(ours)['prefix']}-nodes", network=HOST + mine.network)
    router = account.compute[f"projects/{PROJECT}/regions/{REGION}/routers/{names(ours)['prefix']}"]
    router["nats"].append({"name": "by-hand"})
    assert gke.unknown(ours, state(**ids(ours)), None) == ()


def test_the_pools_of_an_autopilot_are_googles(account: Account) -> None:
    ours = record()
    everything(account, ours, autopilot={"enabled": True})
    assert gke.unknown(ours, without(ours, "container_node_pool"), None) == ()


def test_without_a_cloud_nobody_is_asked(account: Account) -> None:
    assert gke.unknown(record(region=""), {}, None) == ()
    assert account.asked == []


def test_only_what_terraform_makes_is_asked_for(account: Account, google: Google) -> None:
    """It is asked before each apply; a sweep looks into twenty lists."""
    everything(account, record())
    account.asked.clear()
    gke.unknown(record(), {}, None)
    lists = {it.path.rpartition("/")[2] for it in account.asked if it.service in {"compute", "iam"}}
    assert lists == {"networks", "subnetworks", "routers", "serviceAccounts"}


def test_all_of_it_is_taken_over_by_its_id(account: Account) -> None:
    ours = record()
    everything(account, ours)
    found = gke.imports(ours, gke.unknown(ours, {}, None), None, spec())
    assert sorted(found.values()) == sorted(each for given in ids(ours).values() for each in given)
    assert found["google_container_cluster.cluster"] == PLACE
    assert found['google_container_node_pool.pool["default"]'] == f"{PLACE}/nodePools/default"
    assert found["google_compute_subnetwork.proxies"].endswith("-proxies")
    assert found["google_service_account.dns"].partition("@")[0].endswith("-dns")


def test_only_what_the_state_lacks_is_taken_over(account: Account) -> None:
    ours = record()
    everything(account, ours)
    strangers = gke.unknown(ours, without(ours, "container_cluster", "container_node_pool"), None)
    assert set(gke.imports(ours, strangers, None, spec())) == {
        "google_container_cluster.cluster",
        'google_container_node_pool.pool["default"]',
    }


def test_an_account_in_a_project_of_a_domain(account: Account) -> None:
    """Its address has them the other way round."""
    found = {it.key for it in gke_strangers.named(record(account="example.com:fleet"))}
    assert any(it.endswith("@fleet.example.com.iam.gserviceaccount.com") for it in found)


@pytest.mark.parametrize(
    "content",
    ["network: {mode: shared}\n", "network: {nat: none}\n", "gke: {autopilot: true}\n"],
    ids=["shared", "no NAT", "autopilot"],
)
def test_what_the_root_has_no_place_for_is_not_taken_over(account: Account, content: str) -> None:
    """Somebody changed cluster.yaml meanwhile: Terraform would refuse an import that leads nowhere."""
    ours = record()
    everything(account, ours)
    assert gke.imports(ours, gke.unknown(ours, {}, None), None, spec(content)) == {}


def test_a_pool_that_content_no_longer_has_is_not_taken_over(account: Account) -> None:
    ours = record()
    everything(account, ours, node_pools=[pool(ours, "default"), pool(ours, "big")])
    strangers = gke.unknown(ours, without(ours, "container_cluster"), None)
    assert Leftover("node pool", "big") in strangers
    assert gke.imports(ours, strangers, None, spec()) == {}
    assert gke.imports(ours, strangers, None, spec("  big: {min: 0, max: 2}\n"))


def test_the_second_pool_of_an_uneven_count(account: Account) -> None:
    ours = record()
    everything(account, ours, node_pools=[pool(ours, "default"), pool(ours, "default-rest")])
    strangers = gke.unknown(ours, {}, None)
    assert gke.imports(ours, strangers, None, spec(count=2)) == {}
    found = gke.imports(ours, strangers, None, spec(count=3))
    assert 'google_container_node_pool.pool["default-rest"]' in found


def looks(account: Account, monkeypatch: pytest.MonkeyPatch, *statuses: str) -> list[str]:
    """What the cluster comes to be, one after another, while somebody waits."""
    left = list(statuses)

    def slept(_: float) -> None:
        account.clusters[PLACE].status = getattr(Status, left.pop(0))

    monkeypatch.setattr("karrots.providers.waiting.time.sleep", slept)
    return left


@pytest.mark.parametrize(("last", "is_taken"), [("RUNNING", True), ("ERROR", False), ("STOPPING", False)])
def test_a_cluster_that_gke_still_makes_is_waited_for(
    account: Account, monkeypatch: pytest.MonkeyPatch, last: str, is_taken: bool
) -> None:
    ours = record()
    everything(account, ours, status="PROVISIONING", node_pools=[])
    left = looks(account, monkeypatch, "PROVISIONING", "RECONCILING", last)
    found = gke.imports(ours, gke.unknown(ours, {}, None), None, spec())
    assert ("google_container_cluster.cluster" in found, left) == (is_taken, [])
    assert bool(found) == is_taken


def test_one_that_gke_never_finishes_is_told_and_not_taken_over(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "MAKING_SECONDS", -1.0)
    ours = record()
    everything(account, ours, status="PROVISIONING", node_pools=[])
    strangers = gke.unknown(ours, {}, None)
    assert Leftover("GKE cluster", "qa") in strangers
    assert gke.imports(ours, strangers, None, spec()) == {}


def test_a_pool_that_failed_is_not_taken_over(account: Account) -> None:
    ours = record()
    everything(account, ours, node_pools=[pool(ours, "default", "ERROR")])
    assert gke.imports(ours, gke.unknown(ours, {}, None), None, spec()) == {}


def test_what_the_state_knows_is_left_to_terraform(account: Account) -> None:
    """The cluster goes, and what it held; the network is Terraform's to destroy."""
    ours = record()
    mine = everything(account, ours)
    known = without(ours, "container_cluster", "container_node_pool", "compute_subnetwork")
    gke.reclaim(ours, Footprint(), None, known)
    assert account.clusters == {}
    assert mine.left == {"networks", "routers"}
    assert len(account.accounts) == 2


def test_a_cluster_that_the_state_knows_is_left_to_terraform(account: Account) -> None:
    ours = record()
    mine = everything(account, ours)
    mine.disk()
    gke.reclaim(ours, Footprint(), None, without(ours, "service_account"))
    assert set(account.clusters) == {PLACE}
    assert mine.left == {"networks", "subnetworks", "routers", "disks"}
    assert account.accounts == {}


def test_another_cluster_of_the_name_is_never_taken(account: Account) -> None:
    ours, theirs = record(), record()
    everything(account, theirs)
    before = account.inventory()
    assert gke.imports(ours, [Leftover("GKE cluster", "qa")], None, spec()) == {}
    gke.reclaim(ours, Footprint(), None, {})
    assert account.inventory() == before


@pytest.mark.usefixtures("with_replay")
def test_terraform_takes_all_of_it_over(account: Account, tmp_path: Path) -> None:
    """With the newest recorded schema: it makes only what is not there, and a second plan finds nothing to do."""
    ours = record(network="10.64.0.0/20")
    everything(account, ours, node_pools=[pool(ours, "default"), pool(ours, "default-rest")])
    root = imported(tmp_path / "root", ours, spec(count=3))
    blocks = json.loads((root / "karrots_import.tf.json").read_text())["import"]
    found = lived(root, "gke")
    assert (found.complaints, found.imported) == ([], len(blocks))
    assert len(blocks) == 10
    assert found.made > 0, "roles of accounts are not taken over"


@pytest.mark.usefixtures("with_replay")
def test_an_import_that_leads_nowhere_is_found(account: Account, tmp_path: Path) -> None:
    ours = record(network="10.64.0.0/20")
    everything(account, ours)
    root = imported(tmp_path / "root", ours, spec())
    file = root / "karrots_import.tf.json"
    file.write_text(file.read_text().replace('pool[\\"default\\"]', 'pool[\\"other\\"]'))
    assert any("other" in line for line in lived(root, "gke").complaints)
