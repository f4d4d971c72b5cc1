"""When a fence is put up, and what it asks an API server for."""

from __future__ import annotations

import ast
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

import karrots
from karrots.adapters import flux, flux_install
from karrots.adapters import terraform_events as events
from karrots.errors import KarrotsError
from karrots.fence import Decisions, Sought, Terms
from karrots.fence import policies as objects
from karrots.fence.kinds import DEPLOYMENT, LABEL, SWITCHES
from karrots.lint.walk import Walk
from karrots.ops.bringup import converge, towards_ready
from karrots.ops.wait import Wait
from karrots.pipeline import Done, Needed
from karrots.providers import local
from karrots.steps import ahead
from karrots.steps.fencing import Fence, RaiseFence, given_back, served
from karrots.steps.infrastructure import what_can_come_early
from tests.support.records import record

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    from karrots.adapters.kube import Kube
    from karrots.steps.context import Context

NETWORK = "/apis/networking.k8s.io/v1"
SOURCES = Path(karrots.__file__).parent


class Server:
    """Keeps what it is sent, by its path; admission holds what carries the label."""

    def __init__(self, *kept: tuple[str, dict[str, Any]]) -> None:
        self.kept = dict(kept)
        self.denies = True

    def get(self, path: str) -> dict[str, Any] | None:
        return {"resources": [{"name": "mutatingadmissionpolicies"}]} if path.endswith("/v1") else self.kept.get(path)

    def list(self, path: str, **query: str) -> list[dict[str, Any]]:
        return [
            obj
            for at, obj in self.kept.items()
            if self._collection(at) == path
            and ("labelSelector" not in query or obj["metadata"].get("labels") == objects.MARK)
        ]

    @staticmethod
    def _collection(path: str) -> str:
        head, _, rest = path.rpartition("/")[0].partition("/namespaces/")
        return f"{head}/{rest.partition('/')[2]}" if rest else head

    def apply(self, collection: str, obj: dict[str, Any]) -> None:
        self.kept[f"{collection}/{obj['metadata']['name']}"] = obj

    create = apply

    def delete(self, path: str) -> None:
        del self.kept[path]

    def merge(self, path: str, patch: dict[str, Any]) -> None:
        obj = self.kept[path]
        if patch:
            obj["spec"] |= patch.get("spec", {})
            obj["metadata"]["annotations"].pop(objects.NOTE)
        else:
            obj["metadata"]["annotations"] = {objects.NOTE: str(obj["spec"]["replicas"])}
            obj["spec"]["replicas"] = 0

    def request(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        assert (method, "dryRun=All" in path) == ("POST", True)
        if "/jobs" in path:
            return (
                (422, "ValidatingAdmissionPolicy 'karrots-fence-jobs' denied request") if self.denies else (201, body)
            )
        return 201, {"spec": {"replicas": 0 if self.denies else 1}}


def mailer(replicas: int = 2) -> tuple[str, dict[str, Any]]:
    obj = {
        "metadata": {"name": "mailer", "namespace": "shop", "labels": {LABEL: "mail"}},
        "spec": {"replicas": replicas},
    }
    return "/apis/apps/v1/namespaces/shop/deployments/mailer", obj


def fence(said: dict[str, str] | None = None, addresses: tuple[str, ...] = ()) -> Fence:
    decisions = Decisions.of((), (), said or {})
    terms = Terms("qa-story", "qa-story.example.com", decisions, addresses)
    return Fence(terms, Sought(decisions=decisions, addresses=addresses), Walk())


def test_it_stands_when_it_was_put_up_and_not_when_anything_of_it_is_missing() -> None:
    server = Server()
    kube = cast("Kube", server)
    assert not fence().stands(kube)
    fence().put_up(kube)
    assert fence().stands(kube)
    assert not fence({"CronJob": "open"}).stands(kube), "other words make another fence"
    for path in list(server.kept):
        lost = server.kept.pop(path)
        assert not fence().stands(kube), path
        server.kept[path] = lost


def test_what_is_not_part_of_it_any_more_goes() -> None:
    server = Server()
    kube = cast("Kube", server)
    old = objects.policies(fence().terms, "")[0]
    server.apply("/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies", old)
    fence().put_up(kube)
    assert fence().stands(kube)


def test_what_was_there_before_is_held_and_given_back() -> None:
    path, obj = mailer()
    server = Server((path, obj))
    kube = cast("Kube", server)
    assert fence().settle(kube)
    assert obj["spec"]["replicas"] == 0
    assert fence({"mailer": "open"}).settle(kube)
    assert (obj["spec"]["replicas"], obj["metadata"]["annotations"]) == (2, {})


def test_what_content_stopped_itself_is_not_started() -> None:
    path, obj = mailer(0)
    kube = cast("Kube", Server((path, obj)))
    assert fence().settle(kube)
    assert fence({"mailer": "open"}).settle(kube)
    assert obj["spec"]["replicas"] == 0


def test_it_holds_only_when_the_api_server_says_so() -> None:
    server = Server()
    assert fence().holds(cast("Kube", server))
    server.denies = False
    assert not fence().holds(cast("Kube", server))
    assert not fence({"Deployment": "open"}).holds(cast("Kube", server))
    assert fence({"Deployment": "open", "CronJob": "open"}).holds(cast("Kube", server))


def test_addresses_are_closed_where_nothing_else_says_what_is_reached() -> None:
    server = Server()
    for name in ("shop", "own", "kube-system", "flux-system"):
        server.apply("/api/v1/namespaces", {"metadata": {"name": name}})
    own = {"metadata": {"name": "out", "namespace": "own"}, "spec": {"policyTypes": ["Egress"]}}
    server.apply(f"{NETWORK}/namespaces/own/networkpolicies", own)
    kube = cast("Kube", server)
    closing = fence(addresses=("10.20.0.0/16",))
    closing.put_up(kube)
    ours = [each["metadata"]["namespace"] for each in server.list(f"{NETWORK}/networkpolicies", labelSelector="x")]
    assert ours == ["shop"]
    assert closing.stands(kube)
    fence().put_up(kube)
    assert not server.list(f"{NETWORK}/networkpolicies", labelSelector="x")


@pytest.mark.parametrize(
    ("note", "spec"),
    [("false", {"suspend": False}), ("ReadWrite", {"suspend": "ReadWrite"}), ("content", None), ("$(x)", None)],
)
def test_only_what_a_switch_can_have_said_is_given_back(note: str, spec: object) -> None:
    patch = given_back(SWITCHES[0], note)
    assert (patch.get("spec"), patch["metadata"]) == (spec, {"annotations": {objects.NOTE: None}})


def test_replicas_are_a_number_again() -> None:
    assert given_back(DEPLOYMENT, "3")["spec"] == {"replicas": 3}


def test_the_version_that_is_served() -> None:
    assert served(cast("Kube", Server())) == "v1"
    assert served(cast("Kube", SimpleNamespace(get=lambda _: None))) == ""


def test_a_cluster_that_was_not_branched_has_none() -> None:
    ctx = cast("Context", SimpleNamespace(record=record("qa")))
    assert isinstance(RaiseFence().check(ctx), Done)


@pytest.mark.parametrize(
    ("stands", "holds", "looked"), [(False, True, Needed), (True, False, Needed), (True, True, Done)]
)
def test_a_copy_has_one_that_is_in_force(
    stands: bool, holds: bool, looked: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Policies that are there do nothing yet: they may have been made a moment ago, beside Terraform."""
    standing = SimpleNamespace(stands=lambda _: stands, holds=lambda _: holds)
    ctx = cast("Context", SimpleNamespace(record=SimpleNamespace(parent="qa"), api=lambda: None))
    monkeypatch.setattr(Fence, "of", lambda _: standing)
    assert isinstance(RaiseFence().check(ctx), looked)


def test_it_is_put_up_as_soon_as_the_engine_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    api = SimpleNamespace(server="https://127.0.0.1:1", close=lambda: done.append("closed"))
    monkeypatch.setattr(Fence, "of", lambda _: SimpleNamespace(put_up=lambda kube: done.append(kube.server)))
    monkeypatch.setattr(ahead, "Kube", lambda _, timeout: api)
    known = {"record": SimpleNamespace(parent="qa"), "section": None}
    written = SimpleNamespace(write=lambda what, **facts: done.append(f"{what} {facts['step']}"))
    provider = SimpleNamespace(ANSWERS=local.ANSWERS, access=lambda *_: api)
    begun = what_can_come_early(cast("Context", SimpleNamespace(**known, run=written, provider=provider)))
    assert begun is not None
    begun.told(events.ResourceDone("terraform_data.cluster", "create", 0.0))
    begun.told(events.ProvisionerSaid("terraform_data.control_plane", "local-exec", "the engine builds"))
    assert done == []
    begun.told(events.ProvisionerSaid("terraform_data.control_plane", "local-exec", "API server answers at …"))
    begun.end()
    assert done == [api.server, "closed", "ahead fence"]


@pytest.mark.parametrize("access", [None, KarrotsError("half made"), OSError("gone")])
def test_what_cannot_be_put_up_early_is_left_to_its_step(access: object) -> None:
    def asked(*_: object) -> object:
        if isinstance(access, Exception):
            raise access
        return access

    provider = SimpleNamespace(ANSWERS=local.ANSWERS, access=asked)
    known = {"record": SimpleNamespace(parent="qa"), "section": None, "provider": provider}
    begun = ahead.FenceAhead(cast("Context", SimpleNamespace(**known)))
    begun.told(events.ProvisionerSaid("terraform_data.control_plane", "local-exec", local.ANSWERS))


def test_a_cluster_that_is_no_copy_gets_nothing_early_on_the_engine() -> None:
    known = {"record": SimpleNamespace(parent=None), "provider": SimpleNamespace(ANSWERS=local.ANSWERS)}
    assert what_can_come_early(cast("Context", SimpleNamespace(**known))) is None


FILES = {"flux/apps.yaml": b"name: ${cluster_name}"}
ASKING = {"flux/services/lb.yaml": b"vpcId: ${cluster_vpc}"}


@pytest.mark.parametrize(
    ("files", "holds", "order"),
    [
        (FILES, True, ["up", "asked", "sync"]),
        (FILES, False, ["up", "asked", "asked", "asked"]),
        (ASKING, True, []),  # what only Terraform tells is not there yet
    ],
)
def test_flux_ahead_follows_nothing_before_the_fence_is_in_force(
    monkeypatch: pytest.MonkeyPatch, files: Mapping[str, bytes], holds: bool, order: list[str]
) -> None:
    done: list[str] = []

    def asked(_: object) -> bool:
        done.append("asked")
        return holds

    standing = SimpleNamespace(put_up=lambda _: done.append("up"), holds=asked, settle=lambda _: True)
    monkeypatch.setattr(Fence, "of", lambda _: standing)
    monkeypatch.setattr(ahead, "committed", lambda *_: files)
    monkeypatch.setattr(ahead, "sync_of", lambda _: None)
    monkeypatch.setattr(ahead, "asks_for_keys", lambda _: False)
    monkeypatch.setattr(ahead, "identity_of", lambda *_: None)
    monkeypatch.setattr(ahead, "serves", lambda _: True)
    monkeypatch.setattr(flux_install, "install", lambda *_: None)
    monkeypatch.setattr(flux, "install_sync", lambda *_: done.append("sync"))
    known = {"record": SimpleNamespace(parent="qa"), "workspace": SimpleNamespace(repo=None), "content": ""}
    begun = ahead.FluxAhead(cast("Context", SimpleNamespace(**known, content_directory="")), b"")
    begun._over = cast("threading.Event", Over(4))
    begun._bring(cast("Kube", SimpleNamespace(access=None)), cast("Any", None))
    assert done == order


class Over:
    """Time is over after so many looks."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    def is_set(self) -> bool:
        self.looks -= 1
        return self.looks < 0

    def wait(self, _: float) -> None:
        """None of it is waited."""


@pytest.mark.parametrize("wait", [Wait.ready, Wait.none])
def test_it_stands_before_anything_is_synced(wait: Wait) -> None:
    for steps in (towards_ready(wait), converge(wait)):
        names = [step.name for step in steps]
        assert names.index("flux") < names.index("fence") < names.index("sync")


def test_nobody_else_begins_a_sync() -> None:
    """A new caller has to think of the fence, and be added here."""
    callers = set()
    for file in SOURCES.rglob("*.py"):
        for scope in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(scope, ast.FunctionDef):
                called = {
                    n.func.attr
                    for n in ast.walk(scope)
                    if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)
                }
                callers |= {f"{file.name}:{scope.name}"} if "install_sync" in called else set()
    rehearsal = {"rehearsing.py:run", "rehearsing.py:_wait"}  # tests/unit/ops/test_rehearse.py
    assert callers == {"ahead.py:_bring", "syncing.py:run", "syncing.py:keep_synced", *rehearsal}
