"""What `logs`, `engine`, `diff` and `ls` make of what they find."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from karrots import places
from karrots.cli.texts import lineage_names
from karrots.errors import NotFound
from karrots.fleet.record import Applied, Parent
from karrots.ops import listing, runs
from karrots.ops.diff_sides import _plain
from karrots.ops.engine import bar, last_lines
from karrots.ops.listing import Lineage, row
from tests.support.records import record

if TYPE_CHECKING:
    from pathlib import Path


def journal(run_id: str, *whats: str, cluster: str = "qa", pid: int = 0, at: float = 1.0) -> None:
    folder = places.private_folder(places.runs() / run_id)
    same = {"verb": "create", "cluster": cluster, "pid": pid}
    lines = [{"at": at + number, "what": what, **same} for number, what in enumerate(whats)]
    (folder / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.mark.parametrize("end", ["finished", "failed", "interrupted"])
def test_how_a_run_ended(end: str) -> None:
    journal("01a", "begun", "intent", end)
    assert runs.one("last").run.outcome == end
    assert runs.one("last").run.seconds == 2.0


def test_a_run_that_just_stops_was_killed_or_still_runs() -> None:
    journal("01a", "begun", "intent")
    assert runs.one("01a").run.outcome == "killed"
    journal("01b", "begun", pid=os.getpid(), at=4e9)
    assert runs.one("01b").run.outcome == "running"


def test_runs_are_listed_newest_first_and_what_is_broken_is_passed_over() -> None:
    journal("01a", "begun", "finished")
    journal("01b", "begun", "finished", cluster="story")
    journal("01c", "begun", "finished")
    (places.private_folder(places.runs() / "01d") / "journal.jsonl").write_text("{")
    places.private_folder(places.runs() / "01e")
    assert [run.id for run in runs.listed(None, 10).runs] == ["01c", "01b", "01a"]
    assert [run.id for run in runs.listed("qa", 1).runs] == ["01c"]
    assert [run.id for run in runs.listed("none", 10).runs] == []


@pytest.mark.parametrize("run_id", ["", "02", "../01a", "*"])
def test_a_run_that_is_not_there(run_id: str) -> None:
    journal("01a", "begun", "finished")
    with pytest.raises(NotFound):
        runs.one(run_id)


def test_a_run_by_its_beginning_in_any_case() -> None:
    journal("01abc", "begun", "finished")
    assert runs.one("01AB").run.id == "01abc"


def test_a_bar_counts() -> None:
    assert bar(0, 0, "downloading", None) == "downloading"
    assert bar(5, 10, "x", None) == "[##########----------]  50 %  5/10"
    assert bar(10, 10, "x", 0.0) == "[####################] 100 %  10/10  about 0.0 s left"


def test_the_last_lines_of_a_log(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"one\ntwo\xff\nthree")
    assert last_lines(tmp_path / "log", 2) == ["two\ufffd", "three"]


@pytest.mark.parametrize("word", ["", "a//b", "/a", "a/", "../a", "a/../b", ".", "-x", ":(top)"])
def test_paths_that_are_no_directories(word: str) -> None:
    assert not _plain(word)


def test_a_row_of_the_fleet() -> None:
    applied = Applied(commit="a" * 40, tool="terraform", tool_version="1.11.4", when="2026-11-21T07:00:00Z")
    found = row(record("story", applied=applied), {"feature/story": "b" * 40})
    assert (found.applied, found.head, found.parent, found.operation) == ("a" * 40, "b" * 40, None, None)
    assert row(record("story"), {}).head == ""


def test_a_lineage_too_long_for_one_document_goes_on_in_another() -> None:
    line = [record("c0")]
    for place in range(1, 200):
        line.append(record(f"c{place}", parent=Parent(name=f"c{place - 1}", id=line[-1].id, commit="a" * 40)))
    roots = listing.trees(line)
    assert [root.name for root in roots] == ["c0", "c65", "c130", "c195"]
    assert len(lineage_names(Lineage(roots))) == 200
