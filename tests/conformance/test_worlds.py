"""Every provider, in a place of its own: who is let in, what is found of a cluster that is gone, and what is let be."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from karrots.errors import LoginNeeded
from karrots.providers import PROVIDERS
from karrots.providers.base import Footprint
from karrots.spec.cluster import load_cluster
from tests.conformance.worlds import WORLDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from karrots.fleet.record import Record
    from karrots.providers.base import Provider
    from tests.conformance.worlds import World

NEVER = Footprint()


def test_every_provider_has_its_world() -> None:
    assert set(WORLDS) == set(PROVIDERS)


@pytest.fixture(params=sorted(WORLDS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def world(name: str, guarded: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with WORLDS[name](monkeypatch) as made:
        yield made


@pytest.fixture
def provider(name: str) -> Provider:
    return PROVIDERS[name]


def left(provider: Provider, record: Record, world: World) -> Mapping[str, int]:
    return Counter(item.kind for item in provider.sweep(record, NEVER, world.settings).left)


def test_of_what_never_was_nothing_is_left_and_nothing_to_reclaim(provider: Provider, world: World) -> None:
    never, before = world.record(), world.inventory()
    assert provider.footprint(never, world.settings).held == {}
    provider.reclaim(never, NEVER, world.settings)
    swept = provider.sweep(never, NEVER, world.settings)
    assert swept.left == ()
    assert all(count == 0 for count in swept.looked_for.values())
    assert world.inventory() == before


def test_a_sweep_finds_what_was_planted_and_nothing_else(provider: Provider, world: World) -> None:
    ours = world.record()
    world.plant_others(ours)
    assert left(provider, ours, world) == {}
    planted = world.plant(ours)
    assert planted
    assert left(provider, ours, world) == planted


def test_what_is_ours_is_taken_away_and_what_is_anothers_stays(provider: Provider, world: World) -> None:
    ours = world.record()
    world.plant_others(ours)
    others = world.inventory()
    planted = world.plant(ours)
    assert world.inventory() != others
    provider.reclaim(ours, NEVER, world.settings)
    assert set(left(provider, ours, world)) <= {"network"}  # Terraform's own to take away
    assert world.inventory() == others
    assert planted


def test_karrots_yaml_is_not_needed_to_take_a_cluster_away(provider: Provider, world: World) -> None:
    ours = world.record()
    world.plant(ours)
    provider.reclaim(ours, NEVER, None)
    assert set(left(provider, ours, world)) <= {"network"}  # Terraform's own to take away


def test_a_cluster_that_is_made_is_reached_by_what_terraform_says(provider: Provider, world: World) -> None:
    outputs = world.outputs(world.record())
    access = provider.access(world.record(), outputs, world.settings)
    if not outputs:
        assert access is None  # no cluster runs on this computer
        return
    assert access is not None
    assert access.server.startswith("https://")
    assert access.tokens is not None
    assert access.tokens.now().text


@pytest.mark.parametrize("name", sorted(set(WORLDS) - {"local"}))  # a computer is not logged in to
def test_who_is_not_logged_in_is_told_so(provider: Provider, world: World) -> None:
    world.log_out()
    spec = load_cluster(
        f"apiVersion: karrots.dev/v1\nkind: Cluster\nprovider: {provider.NAME}\nkubernetes: '1.36'\n"
        "nodes:\n  default:\n    count: 2\n",
        "cluster.yaml",
    )
    rows = provider.preflight(spec, world.record(), world.settings, None)
    assert [row.what for row in rows if not row.ok] == [rows[0].what]
    assert "log" in rows[0].what
    assert rows[0].hint
    with pytest.raises(LoginNeeded):
        provider.sweep(world.record(), NEVER, world.settings)
