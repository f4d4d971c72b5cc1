"""Which kinds an API server has, in the form of new servers and of old ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from karrots.adapters.kube import Access, Kube
from karrots.adapters.kube_kinds import Kind, kinds
from tests.support.api_server import ApiServer, Served, running

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIG_MAPS = Kind("", "ConfigMap", "configmaps", namespaced=True, versions=("v1",))
WIDGETS = Kind("shop.example.com", "Widget", "widgets", namespaced=False, versions=("v2", "v1"))


@pytest.fixture(params=[True, False], ids=["whole", "one by one"])
def server(request: pytest.FixtureRequest) -> Iterator[ApiServer]:
    served = [
        Served("ConfigMap", "configmaps"),
        Served("Binding", "bindings", verbs=("create",)),
        Served("Widget", "widgets", "shop.example.com", ("v2", "v1"), namespaced=False),
        Served("Metric", "metrics", "metrics.example.com"),
    ]
    with running(ApiServer(served, whole=request.param, stale=("metrics.example.com",))) as made:
        yield made


def test_all_kinds_that_can_be_listed_and_the_groups_that_are_silent(server: ApiServer) -> None:
    found, silent = kinds(Kube(Access(server.address, "")))
    assert found == [CONFIG_MAPS, WIDGETS]
    assert silent == ["metrics.example.com/v1"]


def test_new_servers_are_asked_twice_whatever_they_have(server: ApiServer) -> None:
    kinds(Kube(Access(server.address, "")))
    assert (len(server.asked) == 2) == server.whole


def test_where_its_objects_are() -> None:
    assert CONFIG_MAPS.path("v1") == "/api/v1/configmaps"
    assert WIDGETS.path("v1") == "/apis/shop.example.com/v1/widgets"
