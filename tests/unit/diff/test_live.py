"""Objects of API servers: what is left when the servers' own is set aside, and who wrote a setting."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from karrots.diff import live
from karrots.diff.compare import compare
from karrots.diff.model import Side
from karrots.diff.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from karrots.diff.model import LevelResult

QA, STORY = {"cluster_name": "qa"}, {"cluster_name": "qa-story"}
WEB: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {
        "name": "web",
        "namespace": "shop",
        "labels": {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"},
        "managedFields": [
            {"manager": "kustomize-controller", "time": "1", "fieldsV1": {
                "f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers": {
                    'k:{"name":"web"}': {"f:image": {}}, 'k:{"name":"side"}': {"f:image": {}}}}}}}},
            {"manager": "kubectl-edit", "time": "2", "fieldsV1": {
                "f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"side"}': {"f:image": {}}}}}}}},
        ],
    },
    "spec": {"replicas": 1, "template": {"spec": {"containers": [
        {"name": "web", "image": "web:1"}, {"name": "side", "image": "side:1"}]}}},
    "status": {"replicas": 1},
}  # fmt: skip


def compared(a: Sequence[dict[str, Any]], b: Sequence[dict[str, Any]]) -> LevelResult:
    def side(label: str, objects: Sequence[dict[str, Any]], own: dict[str, str], other: dict[str, str]) -> Side:
        return Side(label, lambda _: live.items(objects, Tokens(own, other)), own)

    return compare("live", side("qa", a, QA, STORY), side("qa-story", b, STORY, QA))


def changed(container: int, image: str) -> dict[str, Any]:
    value = copy.deepcopy(WEB)
    value["spec"]["template"]["spec"]["containers"][container]["image"] = image
    return value


@pytest.mark.parametrize(("container", "manager"), [(0, "kustomize-controller"), (1, "kubectl-edit")])
def test_who_wrote_it(container: int, manager: str) -> None:
    (found,) = compared([WEB], [changed(container, "other:1")]).departures
    assert (found.origin_b.manager, found.origin_b.kustomization) == (manager, "flux-system/apps")


def test_what_differs_by_identity_alone_is_known_by_its_digest() -> None:
    a, b = changed(0, "registry/qa:1"), changed(0, "registry/qa-story:1")
    left = next(live.items([a], Tokens(QA, STORY)))
    right = next(live.items([b], Tokens(STORY, QA)))
    assert left.digests[0] != right.digests[0]
    assert set(left.digests) & set(right.digests)
    assert compared([a], [b]).score.percent == 100


@pytest.mark.parametrize(
    ("kind", "metadata"),
    [
        ("Event", {}),
        ("Lease", {}),
        ("ReplicaSet", {"ownerReferences": [{"kind": "Deployment", "name": "web", "controller": True}]}),
        ("ValidatingAdmissionPolicy", {"labels": {"karrots.dev/fence": "yes"}}),
        ("ConfigMap", {"name": "karrots-identity"}),
        ("ConfigMap", {"name": "kube-root-ca.crt"}),
    ],
)
def test_what_each_cluster_has_of_its_own_stays_out(kind: str, metadata: dict[str, Any]) -> None:
    versions = {"Lease": "coordination.k8s.io/v1", "ReplicaSet": "apps/v1"}
    value = {"apiVersion": versions.get(kind, "v1"), "kind": kind, "metadata": {"name": "one", **metadata}}
    assert list(live.items([value])) == []
    assert len(list(live.items([{**value, "kind": "Widget", "metadata": {"name": "one"}}]))) == 1


def test_what_was_put_away_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "ROOM", 1000)
    objects = [{**WEB, "metadata": {"name": f"web-{number}"}} for number in range(200)]
    items = list(live.items(objects))
    assert [item.value()["metadata"]["name"] for item in items] == [f"web-{number}" for number in range(200)]
    assert items[0].shelf.packed


def test_many_objects_with_one_that_differs() -> None:
    a = [{**WEB, "metadata": {"name": f"web-{number}"}} for number in range(300)]
    b = [*reversed(a[1:]), {**changed(0, "other:1"), "metadata": {"name": "web-0"}}]
    result = compared(a, b)
    assert [each.key.name for each in result.departures] == ["web-0"]
    assert (result.score.total, result.score.percent < 100) == (300, True)
