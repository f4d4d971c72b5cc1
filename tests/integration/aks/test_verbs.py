"""`karrots create` and `destroy` on AKS: Terraform itself, with a provider that plays azurerm's recorded schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from karrots.errors import ExitCode
from tests.support.aks_account.account import REGION, SUBSCRIPTION, TENANT
from tests.support.aks_account.planted import Planted
from tests.support.played_fleet import PlayedFleet, played_fleet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.aks_account.world import AzureWorld


@dataclass(frozen=True)
class Fleet(PlayedFleet):
    world: AzureWorld


@pytest.fixture
def fleet(world: AzureWorld, tmp_path: Path, with_replay: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    settings = {"subscription": SUBSCRIPTION, "tenant": TENANT, "region": REGION}
    with played_fleet("aks", settings, ">= 5.0, < 6.0", tmp_path, monkeypatch) as made:
        yield Fleet(made.directory, world)


def test_from_a_dry_run_to_the_receipt(fleet: Fleet) -> None:
    account, before = fleet.world.account, fleet.world.inventory()
    told = fleet.karrots("create", "--dry-run", "-o", "json").document
    assert {row["what"] for row in told["checks"] if not row["ok"]} == set()
    assert told["plan"]["add"] > 10
    assert told["costs"]["hourly"] > 0.1

    mine = Planted(account, fleet.create())
    mine.all()
    mine.cluster()
    assert fleet.karrots("token", "qa").document["status"]["token"]

    account.logged_in = False
    for words in (("create",), ("destroy", "qa", "--yes")):
        fleet.karrots(*words, expect=ExitCode.LOGIN_NEEDED)
    account.logged_in = True

    receipt = fleet.karrots("destroy", "qa", "--yes", "-o", "json").document
    assert receipt["left"] == []
    assert receipt["looked_for"]["clusters"] == 1
    assert fleet.world.inventory() == before
    fleet.karrots("show", "qa", expect=ExitCode.NOT_FOUND)


def test_a_cluster_that_no_state_knows_is_taken_over(fleet: Fleet) -> None:
    """azurerm would say that it has to be imported, and go no further."""
    before = fleet.world.inventory()
    ours = fleet.create("--ttl", "1d")
    mine = Planted(fleet.world.account, ours)
    mine.cluster("Failed")
    fleet.forget(ours, "azurerm_kubernetes_cluster")
    told = fleet.karrots("create", expect=ExitCode.REFUSED)
    assert "AKS cluster qa" in told.err
    assert "karrots destroy qa" in told.err

    mine.cluster()
    told = fleet.karrots("create", "--wait", "infra", "--timeout", "1", expect=ExitCode.TIMED_OUT)
    assert "taken over: AKS cluster qa" in told.err
    assert fleet.known(ours, "azurerm_kubernetes_cluster") == [mine.cluster_id]

    fleet.forget(ours, "azurerm_kubernetes_cluster")
    told = fleet.karrots("destroy", "qa", "--yes")
    assert "no Terraform state knows of it: AKS cluster qa" in told.err
    assert fleet.world.inventory() == before
