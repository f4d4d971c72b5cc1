"""Waiting for a cluster whose parts die meanwhile."""

from __future__ import annotations

from contextlib import ExitStack
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from karrots.adapters import flux
from karrots.adapters.kube import Access, ApiRefused, ApiUnreachable, Kube
from karrots.errors import TimedOut
from karrots.pipeline import Done
from karrots.steps import syncing
from karrots.steps.syncing import API_SECONDS, Connect, WaitReady, served, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from karrots.steps.context import Context

AWAY = ApiUnreachable("the API server does not answer", why="timed out")


class Cluster:
    """Answers what it is given, one after the other, raises the errors among it, and counts how often it is mended."""

    def __init__(self, *answers: bool | Exception, timeout: float = 300.0) -> None:
        self.answers = iter(answers)
        self.mended = 0
        self.kube = Kube(Access("https://127.0.0.1:1", ""), timeout=30.0)
        self.ctx = cast(
            "Context",
            SimpleNamespace(
                timeout=timeout, record=None, provider=SimpleNamespace(tend=self.tend), kube=self.kube,
                run=SimpleNamespace(resume="karrots sync qa"),
            ),
        )  # fmt: skip

    def tend(self, _: object) -> None:
        self.mended += 1

    def look(self) -> bool:
        answer = next(self.answers)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.mark.parametrize(
    "error",
    [AWAY, ApiRefused("etcd is gone", status=500), ApiRefused("not yet", status=503), ApiRefused("busy", status=429)],
)
def test_an_api_server_that_goes_away_is_mended_at_once_and_waited_for(error: Exception) -> None:
    cluster = Cluster(error, error, True)
    until(cluster.look, cluster.ctx, "all is well")
    assert cluster.mended == 2


def test_what_it_refuses_for_good_is_an_error() -> None:
    cluster = Cluster(ApiRefused("not yours", status=403), True)
    with pytest.raises(ApiRefused, match="not yours"):
        until(cluster.look, cluster.ctx, "all is well")


def test_one_that_stays_away_is_named_in_the_end() -> None:
    cluster = Cluster(AWAY, timeout=-1.0)
    with pytest.raises(TimedOut, match="all is well") as caught:
        until(cluster.look, cluster.ctx, "all is well")
    assert caught.value.why == "the API server does not answer: timed out"


def test_mending_may_find_it_away_too() -> None:
    cluster = Cluster(AWAY, True)
    errors: Iterator[Exception] = iter([AWAY])

    def tend() -> None:
        raise next(errors)

    until(cluster.look, cluster.ctx, "all is well", tend)
    assert cluster.mended == 1


class Door(SimpleNamespace):
    """An API server that answers with one status after the other, and the last for good."""

    def access(self, *_: object) -> Access:
        return Access("https://127.0.0.1:1", "")

    def request(self, *_: object) -> tuple[int, object]:
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return status, {"message": "it has no role"}


def connecting(monkeypatch: pytest.MonkeyPatch, *statuses: int, timeout: float = 300.0) -> Context:
    door = Door(statuses=list(statuses), tend=lambda _: [])
    monkeypatch.setattr(Kube, "request", door.request)
    found = SimpleNamespace(
        provider=door, record=SimpleNamespace(name="qa"), outputs={}, section=None, resources=ExitStack(), kube=None,
        timeout=timeout, run=SimpleNamespace(resume="karrots apply qa"),
    )  # fmt: skip
    found.api = lambda: found.kube
    return cast("Context", found)


def test_rights_that_are_new_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    ctx = connecting(monkeypatch, 401, 403, 403, 200)
    assert Connect().run(ctx) == "https://127.0.0.1:1"


def test_rights_that_never_come_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TimedOut) as caught:
        Connect().run(connecting(monkeypatch, 403, timeout=-1.0))
    assert caught.value.why == "it answers, and does not let us in: 403 it has no role"


def test_nobody_waits_long_for_one_answer() -> None:
    """An API server whose etcd has died is silent for a minute, and only then would it be mended."""
    cluster = Cluster(True)
    seen: list[float] = []

    def look() -> bool:
        seen.append(cluster.kube._timeout)
        return True

    until(look, cluster.ctx, "all is well")
    assert (seen, cluster.kube._timeout) == ([API_SECONDS], 30.0)


@pytest.mark.parametrize("error", [AWAY, ApiRefused("not yet", status=503)])
def test_kinds_that_an_api_server_cannot_tell_of_yet_are_not_served_yet(error: Exception) -> None:
    """A control plane that has only begun: the step that installs Flux waits, and does not end."""
    answers = iter([error, [object()], [object()]])

    def get(_: str) -> object:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    ctx = cast("Context", SimpleNamespace(api=lambda: SimpleNamespace(get=get)))
    assert not served(ctx)
    assert served(ctx)


COMMIT = "0d5" * 13 + "0"


def told(ready: bool | None) -> flux.FluxState:
    """What a cluster whose only Flux object is its root says."""
    names = ("Kustomization", flux.NAMESPACE, flux.ROOT)
    return flux.FluxState((flux.FluxObject(*names, ready, "", "", f"main@sha1:{COMMIT}", False, follows_fleet=True),))


def waiting(monkeypatch: pytest.MonkeyPatch, *states: flux.FluxState) -> Context:
    found, cluster = iter(states), Cluster()
    monkeypatch.setattr(flux, "state", lambda _: next(found))
    monkeypatch.setattr(syncing, "held_up", lambda _: "")
    run = SimpleNamespace(resume="karrots sync qa", progress=lambda _: None)
    vars(cluster.ctx).update(api=lambda: cluster.kube, commit=COMMIT, flux=None, run=run)
    return cluster.ctx


def test_what_was_seen_ready_may_be_reconciled_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flux says Unknown of what it looks at again, as it was asked to or because its time has come."""
    ctx, step = waiting(monkeypatch, told(None), told(None), told(True), told(None)), WaitReady()
    assert not isinstance(step.check(ctx), Done)
    assert step.run(ctx) == "1 object Ready"
    assert isinstance(step.check(ctx), Done)


def test_what_was_seen_ready_at_one_commit_says_nothing_of_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    ctx, step = waiting(monkeypatch, told(True), told(True)), WaitReady()
    step.run(ctx)
    ctx.commit = "1" * 40
    assert not isinstance(step.check(ctx), Done)
