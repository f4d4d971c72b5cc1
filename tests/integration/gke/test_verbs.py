"""`karrots create` and `destroy` on GKE: Terraform itself, with a provider that plays Google's recorded schema."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from karrots import places
from karrots.errors import ExitCode
from tests.support import infracost, repositories
from tests.support.gke_account.account import PROJECT, REGION
from tests.support.gke_account.planted import Planted
from tests.support.played_fleet import PlayedFleet, played_fleet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.gke_account.account import Account

NOBODY = "127.0.0.1:9"


@dataclass(frozen=True)
class Fleet(PlayedFleet):
    account: Account


@pytest.fixture
def fleet(account: Account, tmp_path: Path, with_replay: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    settings = {"project": PROJECT, "region": REGION}
    with played_fleet("gke", settings, ">= 6.50, < 9.0", tmp_path, monkeypatch) as made:
        yield Fleet(made.directory, account)


def test_a_dry_run_says_what_was_looked_at_and_what_it_costs(fleet: Fleet) -> None:
    told = fleet.karrots("create", "--dry-run", "-o", "json").document
    looked = {row["what"] for row in told["checks"] if row["ok"]}
    assert {"Google login", "project", "Google APIs", "Kubernetes version", "quota CPUS"} <= looked
    assert told["plan"]["add"] > 10
    assert told["costs"]["hourly"] > 0.1
    assert "2026-11" in told["costs"]["source"]


def test_infracost_says_the_price_where_it_is_there(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    priced = infracost.answer(
        infracost.resource("google_container_cluster.cluster", "0.1"),
        infracost.resource('google_container_node_pool.pool["default"]', "0.268"),
        infracost.resource("google_compute_router_nat.nat", None),
    )
    heard = infracost.install(tmp_path / "it", monkeypatch, json.dumps(priced))
    costs = fleet.karrots("create", "--dry-run", "-o", "json").document["costs"]
    assert (costs["source"], costs["hourly"], costs["minutes"][0] > 0) == ("Infracost", 0.368, True)
    assert "google_compute_router_nat, billed by use" in costs["unpriced"]

    plan = infracost.plan_of(heard)
    pool = next(it for it in plan["planned_values"]["root_module"]["resources"] if "node_pool" in it["type"])
    assert pool["values"]["node_config"][0]["machine_type"] == "e2-standard-4"
    assert plan["configuration"]["provider_config"]["google"]["expressions"]["region"] == {"constant_value": REGION}
    assert "variables" not in plan, "of these Terraform does not say which are secret"
    assert list(places.runs().rglob("infracost-plan.json")) == []
    told = fleet.karrots("create", "--dry-run")
    assert "costs about 0.37 USD an hour" in told.err
    assert "(Infracost; without " in told.err


def test_a_list_says_the_price_where_infracost_cannot(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    infracost.install(tmp_path / "it", monkeypatch, "", ends="echo 'no key' >&2; exit 1")
    told = fleet.karrots("create", "--dry-run")
    assert "Infracost gave no price: no key; the price below is a list's" in told.err
    assert "2026-11" in told.err


def test_what_preflight_finds_stops_it_before_anything_is_made(fleet: Fleet) -> None:
    fleet.account.apis.discard("dns")
    told = fleet.karrots("create", expect=ExitCode.PREFLIGHT_FAILED)
    assert f"gcloud services enable dns.googleapis.com --project {PROJECT}" in told.err
    fleet.karrots("show", "qa", expect=ExitCode.NOT_FOUND)


def test_an_ejected_root_that_is_not_valid_stops_it_before_anything_is_claimed(fleet: Fleet) -> None:
    """The provider's schema says what is wrong, and nobody was asked for the state."""
    before = fleet.account.inventory()
    fleet.karrots("eject")
    file = fleet.directory / "terraform/cluster.tf"
    line = 1 + file.read_text().splitlines().index('resource "google_container_cluster" "cluster" {')
    opened = '"google_container_cluster" "cluster" {'
    file.write_text(file.read_text().replace(opened, f"{opened}\n  nmae = 1"))
    repositories.commit(fleet.directory.parents[1], {"README.md": "A root of our own\n"})
    told = fleet.karrots("create", expect=ExitCode.PREFLIGHT_FAILED)
    assert f"Terraform root: clusters/qa/terraform/cluster.tf:{line + 1}: Unsupported argument" in told.err
    fleet.karrots("show", "qa", expect=ExitCode.NOT_FOUND)
    assert fleet.account.inventory() == before


def test_from_create_to_the_receipt(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    before = fleet.account.inventory()
    ours = fleet.create()
    mine = Planted(fleet.account, ours)
    mine.all()
    assert fleet.karrots("token", "qa").document["status"]["token"] in fleet.account.tokens
    mine.cluster(endpoint=NOBODY)

    told = fleet.karrots("destroy", "qa", "--yes", expect=ExitCode.REFUSED)
    assert "deletion_protection" in told.err
    assert f"cd {ours.directory} && karrots create qa --ttl 1d" in told.err
    assert fleet.record().phase == ours.phase, "nothing has begun"

    fleet.create("--ttl", "1d")
    mine.record = replace(ours, expires="2026-11-22T10:00:00Z")  # Terraform puts it on the cluster
    mine.cluster(endpoint=NOBODY)
    with monkeypatch.context() as patch:
        patch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
        fleet.karrots("destroy", "qa", "--yes", expect=ExitCode.LOGIN_NEEDED)
    assert fleet.record().phase != "destroying"

    receipt = fleet.karrots("destroy", "qa", "--yes", "-o", "json").document
    assert receipt["left"] == []
    assert receipt["looked_for"]["clusters"] == 1
    assert receipt["looked_for"]["forwarding rules"] == 3
    assert fleet.account.inventory() == before
    fleet.karrots("show", "qa", expect=ExitCode.NOT_FOUND)


def test_a_cluster_that_no_state_knows_is_taken_over(fleet: Fleet) -> None:
    """Where GKE could not finish it, it is told before anything is changed."""
    ours = fleet.create("--ttl", "1d")
    there = Planted(fleet.account, ours).cluster(endpoint=NOBODY, status="ERROR")
    fleet.forget(ours, "google_container_cluster")
    told = fleet.karrots("create", expect=ExitCode.REFUSED)
    assert "GKE cluster qa" in told.err
    assert "karrots destroy qa" in told.err
    assert fleet.known(ours, "google_container_cluster") == []

    there.status = "RUNNING"
    told = fleet.karrots("create", "--wait", "infra", "--timeout", "1", expect=ExitCode.TIMED_OUT)
    assert "taken over: GKE cluster qa" in told.err
    place = f"projects/{PROJECT}/locations/{REGION}-a/clusters/qa"
    assert fleet.known(ours, "google_container_cluster") == [place]
    assert list(fleet.account.clusters) == [place]

    fleet.forget(ours, "google_container_cluster")
    told = fleet.karrots("destroy", "qa", "--yes")
    assert "no Terraform state knows of it: GKE cluster qa" in told.err
    assert fleet.account.clusters == {}


def test_a_destroy_tells_what_it_may_not_take_away(fleet: Fleet) -> None:
    mine = Planted(fleet.account, fleet.create("--ttl", "1d"))
    mine.disk()
    kept = mine.make("zones/europe-west3-a/disks/pvc-old", labels={"goog-k8s-cluster-name": "qa"})
    told = fleet.karrots("destroy", "qa", "--yes", expect=ExitCode.LEFTOVERS)
    assert "pvc-old" in told.err
    assert "by hand" in told.err
    assert mine.left == {"disks"}
    assert list(fleet.account.compute) == [kept]


def test_a_snapshot_that_is_kept_is_told_by_destroy_and_by_the_receipt(fleet: Fleet) -> None:
    """Nothing on it says whose it is. Its disk did, and is gone at the second look: what was seen is remembered."""
    mine = Planted(fleet.account, fleet.create("--ttl", "1d"))
    kept = mine.snapshot(mine.disk(), labels={})
    told = fleet.karrots("destroy", "qa", "--yes", expect=ExitCode.LEFTOVERS)
    assert "snapshot: snapshot-" in told.err
    assert "kept: somebody may count on it" in told.err
    assert list(fleet.account.compute) == [kept]
    receipt = fleet.karrots("destroy", "qa", "--yes", "--leave-doubtful", "-o", "json").document
    assert [line.partition(" (")[0] for line in receipt["left"]] == [f"snapshot: {kept.rpartition('/')[2]}"]
    assert list(fleet.account.compute) == [kept]
