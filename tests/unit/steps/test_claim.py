"""The lease of an operation from step to step: kept, made longer, lost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from karrots import clock, places
from karrots.adapters.terraform_store import StateFenced, StateStore
from karrots.errors import Failed, KarrotsError
from karrots.fleet import operations
from karrots.fleet.ledger import LostCluster
from karrots.fleet.operations import started_here
from karrots.fleet.workspace import Workspace
from karrots.ops.bringup import execute
from karrots.pipeline import Done, Needed, Run
from karrots.report.events import Warned
from karrots.report.reporters import RecordingReporter
from karrots.steps.claim import TakeCluster, operation_of
from karrots.steps.context import Context
from karrots.steps.publish import Publish
from karrots.steps.removal import RemoveState, WriteReceipt
from karrots.steps.state import state_folder
from tests.support.records import record
from tests.support.repositories import repository
from tests.support.terraform import lock_info

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from karrots.fleet.ledger import Ledger
    from karrots.fleet.record import Operation, Record

LONG_AGO = "2026-01-01T00:00:00Z"


@dataclass
class Does:
    """A step that does something once."""

    act: Callable[[], object]
    name: str = "does"
    title: str = "does"
    done: bool = False

    def check(self, ctx: Context) -> Done | Needed:
        return Done("done") if self.done else Needed("not done")

    def run(self, ctx: Context) -> str:
        self.done = True
        return str(self.act())


@pytest.fixture
def ctx(tmp_path: Path) -> Context:
    fleet = tmp_path / "fleet"
    workspace = Workspace(repository(fleet, {"karrots.yaml": (places.data() / "karrots.yaml").read_text()}), fleet)
    made = record("qa", owner="grace@example.com")
    workspace.ledger.claim("qa", lambda _: made)
    run = Run.begin(operations.started_here("apply").id, "apply", "qa", RecordingReporter(), resume="karrots apply qa")
    nothing: Any = None
    return Context(workspace, run, made, nothing, nothing, "", "", lambda _: False)


def ledger(ctx: Context) -> Ledger:
    return ctx.workspace.ledger


def past_its_lease(ctx: Context) -> None:
    """As a SIGSTOP of some hours leaves it."""
    assert ctx.record.operation is not None
    ctx.record = ledger(ctx).renew(ctx.record, replace(ctx.record.operation, until=LONG_AGO))


def taken_over(ctx: Context) -> Operation:
    past_its_lease(ctx)
    theirs = started_here("destroy", "bo@example.com")
    ledger(ctx).begin("qa", theirs, take_over=ctx.run.id)
    return theirs


def warned(ctx: Context) -> list[str]:
    assert isinstance(ctx.run.reporter, RecordingReporter)
    return [event.message for event in ctx.run.reporter.events if isinstance(event, Warned)]


def test_the_holder_is_who_types_and_not_who_owns(ctx: Context) -> None:
    assert operation_of(ctx).holder == "ada@example.com"


def test_a_longer_wait_is_a_longer_lease(ctx: Context) -> None:
    ctx.timeout = 7200.0
    mine = operation_of(ctx)
    assert operations.ends(mine) == clock.moment(mine.started) + operations.LEASE + timedelta(hours=2)


def test_a_lease_that_is_over_is_made_longer_by_its_holder(ctx: Context) -> None:
    execute([TakeCluster(), Does(lambda: past_its_lease(ctx)), Does(str)], ctx)
    assert ctx.goes_on, "it was there before"
    found = ledger(ctx).get("qa").operation
    assert found == ctx.record.operation
    assert found is not None
    assert (found.id, operations.is_over(found)) == (ctx.run.id, False)


def test_a_lost_cluster_is_noticed_before_the_next_step(ctx: Context) -> None:
    later = Does(str)
    with pytest.raises(LostCluster, match=r"lost the cluster 'qa' to bo@example\.com, since ") as caught:
        execute([TakeCluster(), Does(lambda: taken_over(ctx)), later], ctx)
    assert not later.done
    assert caught.value.hint == "karrots show qa"


@pytest.mark.parametrize("end", ["works", "has finished"])
def test_a_step_that_fails_for_that_reason_says_so(ctx: Context, end: str) -> None:
    def lose_and_fail() -> None:
        theirs = taken_over(ctx)
        if end == "has finished":
            ledger(ctx).save(replace(ledger(ctx).get("qa"), operation=None), operation=theirs.id)
        raise Failed("Terraform failed")

    before: list[Record] = []
    with pytest.raises(LostCluster) as caught:
        execute([TakeCluster(), Does(lose_and_fail)], ctx)
    before.append(ledger(ctx).get("qa"))
    assert isinstance(caught.value.__cause__, Failed)
    assert (before[0].operation is None) == (end == "has finished")
    assert warned(ctx) == []


def test_a_step_that_fails_gives_the_lease_back(ctx: Context) -> None:
    def fail() -> None:
        raise Failed("Terraform failed")

    with pytest.raises(Failed, match="Terraform failed"):
        execute([TakeCluster(phase="creating"), Does(fail)], ctx)
    found = ledger(ctx).get("qa")
    assert (found.operation, found.phase) == (None, "failed")


@pytest.mark.parametrize("act", [Publish("ready").run, WriteReceipt().run])
def test_what_ends_an_operation_is_refused_to_one_that_lost(
    ctx: Context, act: Callable[[Context], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in the middle of the step, where nobody looks at the lease first."""
    monkeypatch.setattr("karrots.steps.publish.applied_commit", lambda _: "a" * 40)
    monkeypatch.setattr("karrots.steps.publish.terraform.locate", lambda: type("Tool", (), {"kind": "", "version": ""}))
    TakeCluster().run(ctx)
    taken_over(ctx)
    before = ledger(ctx).view().commit
    with pytest.raises(LostCluster):
        act(ctx)
    assert ledger(ctx).view().commit == before


def test_a_publication_by_who_came_after_is_not_taken_for_ours(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("karrots.steps.publish.applied_commit", lambda _: "a" * 40)
    TakeCluster().run(ctx)
    theirs = taken_over(ctx)
    ledger(ctx).save(replace(ledger(ctx).get("qa"), operation=None, phase="ready"), operation=theirs.id)
    assert isinstance(Publish("ready").check(ctx), Needed)


def test_the_terraform_state_is_closed_to_who_was_taken_over(ctx: Context) -> None:
    late = StateStore(places.private_folder(state_folder(ctx.record)), "late")
    late.acquire(lock_info("late"), "late")
    over = replace(started_here("apply"), id="late", until=LONG_AGO)
    ledger(ctx).begin("qa", over)
    TakeCluster(take_over="late").run(ctx)
    (line,) = warned(ctx)
    assert line.startswith("taking the cluster over from ")
    StateStore(state_folder(ctx.record)).acquire(lock_info("two"), ctx.run.id)
    with pytest.raises(StateFenced):
        StateStore(state_folder(ctx.record), "late").remove()


def test_a_destroy_that_lost_its_cluster_leaves_the_state(ctx: Context) -> None:
    TakeCluster(phase="destroying").run(ctx)
    StateStore(places.private_folder(state_folder(ctx.record))).fence([ctx.run.id])
    with pytest.raises(StateFenced):
        RemoveState().run(ctx)
    assert state_folder(ctx.record).is_dir()


def test_the_command_to_type_is_the_one_that_was_refused(ctx: Context) -> None:
    over = replace(started_here("apply"), until=LONG_AGO)
    ledger(ctx).begin("qa", over)
    ctx.run.resume = "karrots apply qa --take-over other --wait infra"
    with pytest.raises(KarrotsError) as caught:
        TakeCluster(take_over="other").run(ctx)
    assert caught.value.hint.endswith(f": karrots apply qa --wait infra --take-over {over.id}")
