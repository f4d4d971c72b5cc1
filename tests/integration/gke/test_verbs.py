"""`karrots create` and `destroy` on GKE: Terraform itself, with a provider that plays Google's recorded schema."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from karrots.errors import ExitCode
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


def test_what_preflight_finds_stops_it_before_anything_is_made(fleet: Fleet) -> None:
    fleet.account.apis.discard("dns")
    told = fleet.karrots("create", expect=ExitCode.PREFLIGHT_FAILED)
    assert f"gcloud services enable dns.googleapis.com --project {PROJECT}" in told.err
    fleet.karrots("show", "qa", expect=ExitCode.NOT_FOUND)


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


def test_a_destroy_tells_what_it_may_not_take_away(fleet: Fleet) -> None:
    mine = Planted(fleet.account, fleet.create("--ttl", "1d"))
    mine.disk()
    kept = mine.make("zones/europe-west3-a/disks/pvc-old", labels={"goog-k8s-cluster-name": "qa"})
    told = fleet.karrots("destroy", "qa", "--yes", expect=ExitCode.LEFTOVERS)
    assert "pvc-old" in told.err
    assert "by hand" in told.err
    assert mine.left == {"disks"}
    assert list(fleet.account.compute) == [kept]
