"""The patches an AKS cluster and its pools begin with: the parent's; and that Azure's own upgrades stay."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from karrots.providers import aks
from karrots.providers.base import Origin
from tests.integration.aks.test_preflight import of_parent, record, rows, spec
from tests.support.aks_account.account import refused
from tests.support.aks_account.planted import Planted

if TYPE_CHECKING:
    from karrots.fleet.record import Record
    from tests.support.aks_account.world import AzureWorld

PARENT = record("parent", network="10.99.0.0/16")
CHILD = of_parent(PARENT)
THEIRS = {"kubernetes": "1.36.2", "pool/default": "1.36.1"}


@pytest.fixture
def theirs(world: AzureWorld) -> Planted:
    """A parent whose pool is a patch behind; both are on offer."""
    world.account.versions[0]["patchVersions"] = {"1.36.1": {"upgrades": ["1.36.2"]}, "1.36.2": {"upgrades": []}}
    found = Planted(world.account, PARENT)
    found.own_group()
    found.cluster()
    found.pool(currentOrchestratorVersion="1.36.1")
    return found


def defaults(*, parent: Record | None = PARENT, version: str = "1.36", **more: Any) -> dict[str, str]:
    found = aks.variables(CHILD, None, Path(), Origin(parent, spec(version=version), **more))["defaults"]
    return dict(found)


def test_they_are_the_parents(theirs: Planted) -> None:
    assert defaults() == THEIRS


def test_of_another_minor_version_they_are_not(theirs: Planted) -> None:
    assert defaults(version="1.35") == {}


def test_what_azure_does_not_offer_any_more_is_not_taken(theirs: Planted, world: AzureWorld) -> None:
    """A pool alone may be left to the cluster's version; pools without it would be ahead."""
    world.account.versions[0]["patchVersions"] = {"1.36.2": {}}
    assert defaults() == {"kubernetes": "1.36.2"}
    world.account.versions[0]["patchVersions"] = {"1.36.1": {}, "1.36.3": {}}
    assert defaults() == {}


@pytest.mark.parametrize("parent", [PARENT, None])
def test_what_is_there_stays_as_it_is(theirs: Planted, world: AzureWorld, parent: Record | None) -> None:
    """Azure has upgraded it meanwhile; nothing comes from a parent that is ahead, or from one that is gone."""
    own = Planted(world.account, CHILD)
    own.own_group()
    own.cluster(kubernetesVersion="1.36.1", currentKubernetesVersion="1.36.1")
    own.pool(orchestratorVersion="1.36.0", currentOrchestratorVersion="1.36.0")
    assert defaults(parent=parent) == {"kubernetes": "1.36.1", "pool/default": "1.36.0"}
    assert defaults(parent=parent, version="1.37") == {}


def test_one_that_was_made_by_the_minor_version_stays_so(theirs: Planted, world: AzureWorld) -> None:
    own = Planted(world.account, CHILD)
    own.own_group()
    own.cluster()
    assert defaults() == {}


@pytest.mark.parametrize(
    "changes", [{"id": record("x").id}, {"name": "gone"}, {"region": "westus"}, {"provider": "eks"},
                {"account": "00000000-0000-4000-8000-000000000002"}]
)  # fmt: skip
def test_a_parent_that_is_not_there_gives_nothing(theirs: Planted, changes: dict[str, Any]) -> None:
    assert defaults(parent=replace(PARENT, **changes)) == {}


def test_where_nothing_will_be_made_nobody_is_asked(theirs: Planted, world: AzureWorld) -> None:
    assert defaults(removing=True) == {}
    assert world.account.asked == []


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_parent_that_cannot_be_asked_is_no_error(theirs: Planted, world: AzureWorld, status: int) -> None:
    world.account.script = lambda _: refused("No", status)
    assert defaults() == {}


def test_preflight_says_what_is_taken(theirs: Planted) -> None:
    row = rows(of=CHILD, parent=PARENT)["from the parent"]
    assert (row.ok, row.found) == (True, "kubernetes 1.36.2, pool/default 1.36.1")
    assert "from the parent" not in rows()
