"""Inventories, comparison without values, images."""

from __future__ import annotations

from typing import Any

import pytest

from karrots.lint.tree import Tree
from karrots.lint.walk import walk
from karrots.rehearsal.objects import Key, changed, differing, images, inventory, plain
from karrots.rehearsal.places import Places

NOWHERE = Places.of("clusters/qa", walk(Tree({"flux/a.yaml": b""}, "clusters/qa")), [])


@pytest.mark.parametrize(
    ("id_", "key"),
    [
        ("shop_front_apps_Deployment", Key("apps", "Deployment", "shop", "front")),
        ("_shop__Namespace", Key("", "Namespace", "", "shop")),
        ("shop_settings__ConfigMap", Key("", "ConfigMap", "shop", "settings")),
        ("_system__node_rbac.authorization.k8s.io_ClusterRole",
         Key("rbac.authorization.k8s.io", "ClusterRole", "", "system:node")),
    ],
)  # fmt: skip
def test_ids_of_inventories(id_: str, key: Key) -> None:
    (entry,) = inventory("Kustomization/a/b", {"inventory": {"entries": [{"id": id_, "v": "v1"}]}})
    assert (entry.key, entry.version, entry.maker) == (key, "v1", "Kustomization/a/b")


@pytest.mark.parametrize("status", [{}, {"inventory": None}, {"inventory": {"entries": [{"id": "x"}, 3, {}]}}])
def test_an_inventory_that_is_none(status: dict[str, Any]) -> None:
    assert list(inventory("x", status)) == []


def made(name: str = "a", **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "uid": "1", "resourceVersion": "9", "labels": {"kustomize.toolkit.fluxcd.io/name": "x"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "spec": spec, "status": {"ready": 1}}


def test_what_servers_write_is_set_aside() -> None:
    assert plain(made()) == {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "spec": {}}


def test_appears_changes_and_vanishes_riskiest_first() -> None:
    key = {name: Key("", "ConfigMap", "shop", name) for name in "abc"} | {"n": Key("", "Namespace", "", "n")}
    before = {key["a"]: made(x=1), key["b"]: made(), key["n"]: made()}
    after = {key["a"]: made(x=2), key["c"]: made()}
    found = [(each.effect, each.name, each.fields, each.risk) for each in changed(before, after, NOWHERE)]
    assert found == [
        ("vanishes", "n", (), "everything in it goes too"), ("vanishes", "b", (), ""),
        ("changes", "a", ("spec.x",), ""), ("appears", "c", (), ""),
    ]  # fmt: skip


def test_equal_is_no_change() -> None:
    key = Key("", "ConfigMap", "shop", "a")
    again = made(x=[1, {"name": "y"}])
    again["metadata"] = {**again["metadata"], "resourceVersion": "10"}
    assert changed({key: made(x=[1, {"name": "y"}])}, {key: again}, NOWHERE) == []


def test_settings_are_named_and_values_are_not() -> None:
    before = {"data": {"password": "c2VjcmV0"}, "c": [{"name": "web", "image": "a"}], "l": [1]}
    after = {"data": {"password": "b3RoZXI="}, "c": [{"name": "web", "image": "b"}], "l": [1, 2]}
    assert list(differing(before, after)) == ["c[name=web].image", "data.password", "l"]


def test_a_number_is_not_a_truth() -> None:
    assert list(differing({"a": 1, "b": 0}, {"a": True, "b": False})) == ["a", "b"]


def test_images_wherever_pods_are_made() -> None:
    pod = {"containers": [{"name": "a", "image": "x:1"}], "initContainers": [{"image": "y:2"}, {"image": None}]}
    cron = {"spec": {"jobTemplate": {"spec": {"template": {"spec": pod}}}}}
    release = {"spec": {"values": {"containers": [{"image": "not-ours"}]}}}
    found = images([("CronJob/a", cron), ("Pod/b", {"spec": pod}), ("HelmRelease/c", release), ("X", {"spec": "text"})])
    assert [(image.name, image.used_by) for image in found] == [
        ("x:1", ("CronJob/a", "Pod/b")), ("y:2", ("CronJob/a", "Pod/b")),
    ]  # fmt: skip
