"""Draining: the cluster's controllers first, then the cloud itself, and never Terraform before that."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from karrots.adapters.kube import Access, ApiUnreachable, Kube
from karrots.errors import TimedOut
from karrots.ops.destroy import removal
from karrots.pipeline import Done, Needed
from karrots.providers.base import Leftover
from karrots.providers.releasing import release
from karrots.steps import removal as steps
from karrots.steps.removal import Drain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from karrots.steps.context import Context

BALANCER = Leftover("load balancer", "k8s-shop")


class Place:
    """A provider that answers with and without the cluster's help, one after the other; the last answer holds."""

    def __init__(self, with_help: list[Any], without: list[Any]) -> None:
        self.answers = {True: with_help, False: without}
        self.asked: list[bool] = []

    def drain(self, record: object, kube: Kube | None, settings: object) -> tuple[Leftover, ...]:
        helped = kube is not None
        self.asked.append(helped)
        answers = self.answers[helped]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return cast("tuple[Leftover, ...]", answer)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "DRAIN_SECONDS", 0)


def context(place: Place, *, answers: bool = True, timeout: float = 0.0) -> tuple[Context, list[str]]:
    warned: list[str] = []
    run = SimpleNamespace(warn=warned.append, progress=lambda _: None, resume="karrots destroy qa --yes")
    kube = Kube(Access("https://127.0.0.1:1", "")) if answers else None
    found = SimpleNamespace(
        provider=place, record=SimpleNamespace(name="qa"), kube=kube, section=None, timeout=timeout, run=run
    )
    return cast("Context", found), warned


def test_the_controllers_do_it() -> None:
    place = Place([(BALANCER,), (BALANCER,), ()], [()])
    ctx, warned = context(place, timeout=60)
    step = Drain()
    assert isinstance(step.check(ctx), Needed)
    assert step.run(ctx) == "1 thing taken away"
    assert isinstance(step.check(ctx), Done)
    assert place.asked == [True, True, True, False]
    assert warned == []


def test_where_they_do_not_the_cloud_is_asked() -> None:
    place = Place([(BALANCER,)], [(BALANCER,), ()])
    ctx, warned = context(place)
    ctx.timeout = 0.0
    place.answers[False] = [()]
    assert Drain().run(ctx) == "1 thing taken away"
    assert len(warned) == 1


def test_an_api_server_that_goes_away_is_no_end() -> None:
    place = Place([ApiUnreachable("gone")], [()])
    ctx, warned = context(place)
    assert Drain().run(ctx) == "nothing outside of it"
    assert place.asked == [True, False]
    assert len(warned) == 1


def test_what_stays_stops_the_destroy_before_terraform() -> None:
    ctx, _ = context(Place([()], [(BALANCER,)]), answers=False)
    with pytest.raises(TimedOut) as caught:
        Drain().run(ctx)
    assert "k8s-shop" in caught.value.why
    assert caught.value.hint == "karrots destroy qa --yes"


def test_it_comes_before_terraform() -> None:
    names = [step.name for step in removal()]
    assert names.index("prune") < names.index("drain") < names.index("plan-destroy")


class Api:
    """Collections of an API server, as lists; deleting is written down."""

    def __init__(self, **collections: list[dict[str, Any]]) -> None:
        self.collections = collections
        self.deleted: list[str] = []
        self.merged: list[str] = []

    def list(self, path: str) -> Iterator[dict[str, Any]]:
        yield from self.collections.get(path.rpartition("/")[2], [])

    def delete(self, path: str) -> bool:
        self.deleted.append(path)
        return True

    def merge(self, path: str, patch: object) -> None:
        self.merged.append(path)


def released(api: Api) -> list[str]:
    return [str(item.name) for item in release(cast("Kube", api))]


def named(name: str, namespace: str = "shop", **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace, **more.pop("metadata", {})}, **more}


def test_only_services_that_have_a_load_balancer_are_deleted() -> None:
    api = Api(services=[named("web", spec={"type": "LoadBalancer"}), named("db", spec={"type": "ClusterIP"})])
    assert released(api) == ["shop/web"]
    assert api.deleted == ["/api/v1/namespaces/shop/services/web"]


def test_what_is_on_its_way_is_waited_for_and_not_deleted_again() -> None:
    going = named("web", metadata={"deletionTimestamp": "2026-11-21T07:00:00Z"})
    api = Api(ingresses=[going])
    assert released(api) == ["shop/web"]
    assert api.deleted == []


def test_nodes_that_controllers_made_go_last() -> None:
    api = Api(ingresses=[named("web")], nodepools=[{"metadata": {"name": "general"}}])
    assert released(api) == ["shop/web"]
    api.collections["ingresses"] = []
    assert released(api) == ["general"]
    assert api.deleted[-1] == "/apis/karpenter.sh/v1/nodepools/general"


def test_a_disk_goes_with_its_claim_and_one_that_is_kept_is_left_to_the_sweep() -> None:
    """A copy of production's volume may stand in the cluster: what is kept is never told to go."""
    made = {"annotations": {"pv.kubernetes.io/provisioned-by": "ebs.csi.aws.com"}}
    going = {"metadata": {"name": "pv", **made}, "spec": {"persistentVolumeReclaimPolicy": "Delete"}}
    kept = {"metadata": {"name": "prod", **made}, "spec": {"persistentVolumeReclaimPolicy": "Retain"}}
    by_hand = {"metadata": {"name": "hand"}, "spec": {"persistentVolumeReclaimPolicy": "Delete"}}
    volumes = [volume | {"status": {"phase": "Bound"}} for volume in (going, kept, by_hand)]
    api = Api(persistentvolumeclaims=[named("data")], persistentvolumes=volumes)
    assert released(api) == ["shop/data", "pv"]
    assert api.merged == []
    assert api.deleted == ["/api/v1/namespaces/shop/persistentvolumeclaims/data"]
