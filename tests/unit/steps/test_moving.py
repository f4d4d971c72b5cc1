"""Where a branch stands, here and at the remote, and what a cluster has to be before its branch moves."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from karrots.adapters import flux
from karrots.adapters.flux import FluxObject, FluxState
from karrots.errors import Failed, KarrotsError, NotFound, PreflightFailed, Refused, TimedOut
from karrots.fleet.workspace import Workspace
from karrots.pipeline import Done, Needed
from karrots.steps.moving import (
    ConfirmMove,
    MoveBranch,
    MovedMeanwhile,
    ReadyBefore,
    Verify,
    refuse_disturbed,
    standing,
)
from karrots.steps.syncing import WaitReady
from tests.support import repositories
from tests.support.repositories import commit, git

if TYPE_CHECKING:
    from pathlib import Path

    from karrots.steps.context import Context


FLEET = "apiVersion: karrots.dev/v1\nkind: Fleet\ndomain: example.com\n"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A fleet whose main is at the remote too; HEAD is detached."""
    repositories.repository(tmp_path / "fleet", {"karrots.yaml": FLEET})
    repositories.bare_remote(tmp_path / "shared.git", tmp_path / "fleet")
    git(tmp_path / "fleet", "switch", "-q", "--detach")
    return Workspace.open(tmp_path / "fleet")


def of(workspace: Workspace, *, ask: bool = True, **more: Any) -> Context:
    run = SimpleNamespace(resume="karrots promote story", warn=lambda _: None)
    record = SimpleNamespace(name="qa")
    found = SimpleNamespace(workspace=workspace, run=run, record=record, confirm=lambda _: ask, timeout=-1.0, **more)
    return cast("Context", found)


def theirs(workspace: Workspace) -> str:
    """A commit that somebody else made on the remote's main; this clone does not have it."""
    root = workspace.repo.root
    other = repositories.clone(root.parent / "shared.git", root.parent / "other")
    made = commit(other.root, {"theirs": "x\n"}, "Theirs")
    git(other.root, "push", "-q", "origin", "main")
    return made


def mine(workspace: Workspace, subject: str = "Mine") -> str:
    """A commit on top of main that nothing names."""
    return workspace.repo.commit_tree(workspace.repo.tree_id("main") or "", [head(workspace)], f"{subject}\n")


def head(workspace: Workspace) -> str:
    return workspace.repo.branch_commit("main") or ""


def remote(workspace: Workspace) -> str:
    return workspace.repo.remote_branch_commit("origin", "main") or ""


def test_a_branch_stands_where_its_newest_commit_is(workspace: Workspace) -> None:
    first = head(workspace)
    assert standing(workspace, "main").newest == first
    newest = theirs(workspace)
    found = standing(workspace, "main")
    assert (found.here, found.there, found.newest, found.behind, found.ahead) == (first, newest, newest, True, False)
    assert head(workspace) == first, "looking moves nothing"


def test_a_branch_that_is_ahead_or_went_its_own_way(workspace: Workspace) -> None:
    made = mine(workspace)
    git(workspace.repo.root, "branch", "-f", "main", made)
    assert (standing(workspace, "main").ahead, standing(workspace, "main").newest) == (True, made)
    theirs(workspace)
    with pytest.raises(Refused, match="went separate ways"):
        standing(workspace, "main")
    with pytest.raises(NotFound, match="'none' is gone"):
        standing(workspace, "none")


def test_a_branch_moves_there_and_here(workspace: Workspace) -> None:
    made, old = mine(workspace), head(workspace)
    step, ctx = MoveBranch("main", old, made), of(workspace)
    assert isinstance(step.check(ctx), Needed)
    step.run(ctx)
    assert (head(workspace), remote(workspace)) == (made, made)
    assert isinstance(step.check(ctx), Done)
    later = mine(workspace, "Later")
    git(workspace.repo.root, "branch", "-f", "main", later)
    assert isinstance(step.check(ctx), Done), "it is part of what came after it"


def test_what_was_pushed_and_did_not_get_here_gets_here(workspace: Workspace) -> None:
    made, old = mine(workspace), head(workspace)
    git(workspace.repo.root, "push", "-q", "origin", f"{made}:refs/heads/main")
    step, ctx = MoveBranch("main", old, made), of(workspace)
    assert isinstance(step.check(ctx), Needed)
    step.run(ctx)
    assert head(workspace) == made


def test_who_was_first_at_the_remote_is_named(workspace: Workspace) -> None:
    made, old = mine(workspace), head(workspace)
    newest = theirs(workspace)
    with pytest.raises(MovedMeanwhile) as caught:
        MoveBranch("main", old, made).run(of(workspace))
    assert newest[:10] in caught.value.why
    assert "Theirs" in caught.value.why
    assert (head(workspace), remote(workspace)) == (old, newest)


def test_who_was_first_here_is_named(workspace: Workspace) -> None:
    git(workspace.repo.root, "remote", "remove", "origin")
    made, old, other = mine(workspace), head(workspace), mine(workspace, "Other")
    git(workspace.repo.root, "branch", "-f", "main", other)
    with pytest.raises(MovedMeanwhile, match="'main' moved"):
        MoveBranch("main", old, made).run(of(Workspace.open(workspace.repo.root)))
    assert head(workspace) == other


def test_a_work_tree_that_is_gone_is_no_place_to_move_files(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(Refused) as caught:
        refuse_disturbed(tmp_path / "gone", "main")
    assert caught.value.hint == "git worktree prune"


def test_no_is_no(workspace: Workspace) -> None:
    with pytest.raises(Refused, match="nothing was changed"):
        ConfirmMove("Move it?").run(of(workspace, ask=False))
    step, ctx = ConfirmMove("Move it?"), of(workspace)
    assert isinstance(step.check(ctx), Needed)
    step.run(ctx)
    assert isinstance(step.check(ctx), Done)


def told(ready: bool | None, reason: str = "") -> FluxState:
    name = ("Kustomization", flux.NAMESPACE, flux.ROOT)
    return FluxState((FluxObject(*name, ready, reason, "it does not go", "", suspended=False),))


def looking(monkeypatch: pytest.MonkeyPatch, workspace: Workspace, *states: FluxState) -> Context:
    found = iter(states)
    monkeypatch.setattr(flux, "state", lambda _: next(found))
    return of(workspace, api=lambda: None, kube=None, provider=SimpleNamespace(tend=lambda _: []))


def test_a_cluster_that_is_broken_is_not_promoted_into(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> None:
    ctx = looking(monkeypatch, workspace, told(False, "BuildFailed"))
    with pytest.raises(PreflightFailed) as caught:
        ReadyBefore().check(ctx)
    assert caught.value.why == "Kustomization/flux-system/flux-system: BuildFailed: it does not go"
    assert "karrots promote story --mends" in caught.value.hint
    assert isinstance(ReadyBefore(mends=True).check(ctx), Done)


@pytest.mark.parametrize(
    ("error", "then"),
    [
        (Failed("Flux cannot"), "karrots sync qa"),
        (TimedOut("not yet", hint="karrots promote story"), "karrots promote story"),
    ],
)
def test_what_does_not_come_up_offers_the_way_back(
    monkeypatch: pytest.MonkeyPatch, workspace: Workspace, error: KarrotsError, then: str
) -> None:
    def fails(_: object, __: object) -> str:
        error.hint = error.hint or "mend it on main, commit, then: karrots sync qa"
        raise error

    monkeypatch.setattr(WaitReady, "run", fails)
    with pytest.raises(type(error)) as caught:
        Verify("karrots rollback qa").run(of(workspace))
    first, second = caught.value.hint.splitlines()
    assert first == "karrots rollback qa   (the way back)"
    assert then in second


def test_ready_once_before_is_enough(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> None:
    ctx, step = looking(monkeypatch, workspace, told(None), told(True), told(None)), ReadyBefore()
    assert isinstance(step.check(ctx), Needed)
    step.run(ctx)
    assert isinstance(step.check(ctx), Done)
