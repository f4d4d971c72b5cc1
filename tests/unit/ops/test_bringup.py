from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from karrots import clock
from karrots.adapters.git import Head
from karrots.errors import UsageError
from karrots.fleet import operations
from karrots.fleet.ledger import InUse, NameTaken
from karrots.fleet.record import Parent
from karrots.ops.branch import parent_of
from karrots.ops.bringup import converge, expiry, next_commands, resumable, towards_ready
from karrots.ops.create import on_a_branch, warn_of_neighbours
from karrots.ops.wait import Wait
from tests.support.records import record

if TYPE_CHECKING:
    from karrots.fleet.workspace import Workspace
    from karrots.ops.settings import Settings

NOON = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(("ttl", "hours"), [("1h", 1), ("8h", 8), ("3d", 72), ("2w", 336), ("99999w", 99999 * 168)])
def test_times_to_live(ttl: str, hours: int) -> None:
    assert clock.moment(expiry(ttl, NOON) or "") == NOON + dt.timedelta(hours=hours)


def test_no_time_to_live() -> None:
    assert expiry(None, NOON) is None


@pytest.mark.parametrize("ttl", ["", "3", "3d\n", " 3d", "0d", "03d", "3 d", "3D", "123456h", "٣d", "-3d", "1.5h"])
def test_what_is_no_time_to_live(ttl: str) -> None:
    with pytest.raises(UsageError, match="is not a time to live"):
        expiry(ttl, NOON)


def test_a_name_nobody_has_is_new() -> None:
    assert resumable(None, record("qa")) is None


def test_our_own_earlier_attempt_is_taken_up() -> None:
    found = record("qa", phase="failed")
    assert resumable(found, replace(record("qa"), id="another")) is found


@pytest.mark.parametrize("changed", ["directory", "branch", "provider", "owner", "host"])
def test_a_name_of_somebody_else_is_taken(changed: str) -> None:
    found = record("qa")
    with pytest.raises(NameTaken):
        resumable(found, record("qa", **{changed: "another"}))


def test_an_operation_that_runs_is_not_joined() -> None:
    found = record("qa", operation=operations.started_here("apply", "ada"))
    with pytest.raises(InUse):
        resumable(found, record("qa"))


def test_how_far_to_go() -> None:
    assert [step.name for step in towards_ready(Wait.infra)][-2:] == ["connect", "publish"]
    assert [step.name for step in towards_ready(Wait.none)][-3:] == ["fence", "sync", "publish"]
    assert [step.name for step in towards_ready(Wait.ready)][-3:] == ["sync", "ready", "publish"]


def test_apply_asks_flux_once_it_follows_the_branch() -> None:
    names = [step.name for step in converge(Wait.ready)]
    assert names[names.index("sync") :] == ["sync", "ask", "ready", "publish"]
    assert "ask" not in [step.name for step in converge(Wait.infra)]


def test_names_of_steps_are_stable_and_unique() -> None:
    names = [step.name for step in converge(Wait.ready)]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch("[a-z-]+", name) for name in names)


def test_what_to_type_next() -> None:
    parent = Parent(name="qa", id="x", commit="y")
    assert "karrots diff qa story" in next_commands(record("story", parent=parent))
    assert next_commands(record("qa"))[-1] == "karrots destroy qa"


def test_a_cluster_follows_a_branch_with_a_commit() -> None:
    assert on_a_branch(Head("main", "0" * 40)) == ("main", "0" * 40)
    with pytest.raises(UsageError, match="no commit yet"):
        on_a_branch(Head("main", None))
    with pytest.raises(UsageError, match="detached at 0000000000"):
        on_a_branch(Head(None, "0" * 40))


@pytest.mark.parametrize(
    ("here", "parent"), [("main", "qa"), ("release", "old"), ("nobody-follows-it", "qa"), (None, "qa"), ("apart", "qa")]
)
def test_a_copy_has_a_parent_where_its_directory_has_a_cluster(here: str | None, parent: str) -> None:
    """Whatever was branched from, content acts as that cluster does, and is to be fenced."""
    records = [
        record("old", branch="release", created="2026-01-01T00:00:00Z"),
        record("qa", branch="main"),
        record("apart", branch="apart", directory="clusters/prod"),
    ]
    workspace = cast("Workspace", SimpleNamespace(ledger=SimpleNamespace(records=lambda: records)))
    found = parent_of(workspace, "clusters/qa", here, "c0ffee")
    assert found is not None
    assert (found.name, found.commit) == (parent, "c0ffee")
    assert parent_of(workspace, "clusters/none", here, "c0ffee") is None


def test_a_second_cluster_that_is_created_is_told_that_it_has_no_fence() -> None:
    told: list[str] = []
    settings = cast("Settings", SimpleNamespace(warn=told.append))
    workspace = cast("Workspace", SimpleNamespace(ledger=SimpleNamespace(records=lambda: [record("qa")])))
    warn_of_neighbours(settings, workspace, record("blue"))
    warn_of_neighbours(settings, workspace, record("prod", directory="clusters/prod"))
    [warning] = told
    assert "'qa' lives from clusters/qa too" in warning
    assert "'blue' will act" in warning
