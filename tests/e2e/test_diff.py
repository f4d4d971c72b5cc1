"""A fresh branch is the same at every level; ten planted departures are each found, classed and located."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import World

pytestmark = pytest.mark.engine

ALL = ("--level", "content", "--level", "rendered", "--level", "terraform", "--level", "live")
STORY, COPY = "feature/planted", "qa-planted"
FRONT = "flux/apps/front/deployment.yaml"
BEFORE, AFTER = "hunter2-Zorro", "swordfish-77"
FORMS = ("text", "json", "yaml", "markdown", "html")


def look(world: World, *words: str) -> dict[str, Any]:
    return world.karrots("diff", "qa", COPY, *words, "-o", "json").document


def test_a_fresh_branch_is_the_same_at_every_level(world: World) -> None:
    world.karrots("create")
    world.karrots("branch", "feature/fresh", "qa-fresh")
    told = world.karrots("diff", "qa", "qa-fresh", *ALL, "--fail-under", "100", "-o", "json", expect=None)
    found = told.document
    assert {each["level"]: each["percent"] for each in found["scores"]} == dict.fromkeys(
        ("content", "rendered", "terraform", "live"), 100.0
    ), [each for each in found["departures"] if each["classed"] != "runtime"]
    assert told.status == 0
    assert all(each["total"] > 4 for each in found["scores"]), "something was compared"
    assert found["troubles"] == []
    world.karrots("destroy", "qa-fresh", "--yes")


def secret(world: World, cluster: str, value: str) -> None:
    world.kubectl(cluster, "-n", "shop", "create", "secret", "generic", "login", f"--from-literal=password={value}")


@pytest.fixture(scope="module")
def planted(world: World) -> World:
    """On the story's branch first, as Flux would take back what is edited before it applies."""
    world.karrots("branch", STORY, COPY, "--set", "variables.log_level=trace")
    world.git("switch", "-q", STORY)
    world.commit(FRONT, "shop/front:1.5.0", "shop/front:1.6.0")
    world.commit("flux/apps/catalogue/settings.yaml", "CACHE_FOR: 30s", "CACHE_FOR: 90s")
    world.commit("flux/services/access.yaml", "[get, list, watch]", '["*"]')
    world.karrots("sync", COPY)
    secret(world, "qa", BEFORE)
    secret(world, COPY, AFTER)
    shop = (COPY, "-n", "shop")
    world.kubectl(*shop, "scale", "deployment", "catalogue", "--replicas=3")
    world.kubectl(*shop, "delete", "poddisruptionbudget", "front")
    world.kubectl(*shop, "patch", "service", "front", "--type=merge", "-p", '{"spec":{"type":"LoadBalancer"}}')
    edited = json.dumps({"spec": {"limits": [{"type": "Container", "default": {"memory": "1Gi"}}]}})
    world.kubectl(
        *shop, "patch", "limitrange", "container-defaults", "--type=merge", "-p", edited, "--field-manager=kubectl-edit"
    )
    world.kubectl(COPY, "create", "namespace", "extra")
    return world


@pytest.fixture(scope="module")
def departures(planted: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = look(planted, *ALL)["departures"]
    return found


def pick(departures: list[dict[str, Any]], level: str, kind: str, name: str, path: str = "") -> list[dict[str, Any]]:
    of = [
        each for each in departures if (each["level"], each["key"]["kind"], each["key"]["name"]) == (level, kind, name)
    ]
    return [each for each in of if each["path"].startswith(path)]


LOCATED = [
    ("rendered", "Deployment", "front", "spec.template.spec.containers[name=front].image", "unexpected",
     {"path": FRONT, "line": 18, "kustomization": "flux-system/apps"}),
    ("live", "Deployment", "front", "spec.template.spec.containers[name=front].image", "unexpected",
     {"kustomization": "flux-system/apps", "manager": "kustomize-controller"}),
    ("rendered", "ConfigMap", "catalogue", "data.CACHE_FOR", "unexpected",
     {"path": "flux/apps/catalogue/settings.yaml", "line": 6, "kustomization": "flux-system/apps"}),
    ("live", "ConfigMap", "catalogue", "data.CACHE_FOR", "unexpected", {"kustomization": "flux-system/apps"}),
    ("rendered", "ConfigMap", "catalogue", "data.LOG_LEVEL", "expected", {"override": "variables.log_level"}),
    ("live", "ConfigMap", "catalogue", "data.LOG_LEVEL", "expected", {"override": "variables.log_level"}),
    ("rendered", "Role", "read-settings", "rules", "unexpected",
     {"path": "flux/services/access.yaml", "kustomization": "flux-system/services"}),
    ("live", "Deployment", "catalogue", "spec.replicas", "unexpected", {"manager": "kubectl"}),
    ("live", "PodDisruptionBudget", "front", "", "unexpected", {}),
    ("live", "Service", "front", "spec.type", "unexpected", {"manager": "kubectl-patch"}),
    ("live", "LimitRange", "container-defaults", "spec.limits", "unexpected", {"manager": "kubectl-edit"}),
    ("live", "Namespace", "extra", "", "unexpected", {"manager": "kubectl-create"}),
    ("live", "Secret", "login", "data", "unexpected", {"manager": "kubectl-create"}),
]  # fmt: skip


@pytest.mark.parametrize(("level", "kind", "name", "path", "classed", "origin"), LOCATED)
def test_each_is_found_classed_and_located(
    departures: list[dict[str, Any]], level: str, kind: str, name: str, path: str, classed: str, origin: dict[str, Any]
) -> None:
    found = pick(departures, level, kind, name, path)
    assert found, [each for each in departures if each["key"]["name"] == name]
    assert {each["classed"] for each in found} == {classed}
    assert any(origin.items() <= each["origin_b"].items() for each in found), found


def test_what_is_risky_is_told(departures: list[dict[str, Any]]) -> None:
    risks = {
        (each["level"], each["key"]["kind"], each["key"]["name"]): each["risk"] for each in departures if each["risk"]
    }
    assert risks["live", "PodDisruptionBudget", "front"] == "deletes"
    assert risks["live", "Service", "front"] == "exposes"
    assert risks["rendered", "Role", "read-settings"] == "opens"


def test_nothing_else_differs(departures: list[dict[str, Any]]) -> None:
    """But for what the planted ones brought with them: the shop's other ConfigMap has the same variable."""
    known = {(level, kind, name) for level, kind, name, *_ in LOCATED}
    brought = {
        ("live", "Role", "read-settings"),
        ("live", "ServiceAccount", "default"),
        *((level, "ConfigMap", "shop") for level in ("rendered", "live")),
    }
    found = {
        (each["level"], each["key"]["kind"], each["key"]["name"])
        for each in departures
        if each["level"] in {"rendered", "live"} and each["classed"] != "runtime"
    }
    assert found - known - brought == set()


def test_terraform_has_nothing_to_tell(departures: list[dict[str, Any]]) -> None:
    assert [each for each in departures if each["level"] == "terraform" and each["classed"] != "runtime"] == []


def test_the_branch_left_the_fork_point_and_the_parent_did_not(departures: list[dict[str, Any]]) -> None:
    (image,) = pick(departures, "rendered", "Deployment", "front", "spec")
    assert image["whose"] == "theirs"


def test_no_value_of_a_secret_in_any_form(planted: World) -> None:
    for form in FORMS:
        out = planted.karrots("diff", "qa", COPY, *ALL, "-o", form).out
        assert "login" in out
        for value in (BEFORE, AFTER):
            assert value not in out
            assert base64.b64encode(value.encode()).decode() not in out


def test_a_cluster_that_stopped_leaves_the_other_levels(planted: World) -> None:
    (engine,) = planted.karrots("engine", "status", COPY, "-o", "json").document["clusters"]
    planted.karrots("engine", "stop", engine["id"])
    scores = {each["level"]: each["compared"] for each in look(planted, *ALL)["scores"]}
    assert scores == {"content": True, "rendered": True, "terraform": True, "live": False}
