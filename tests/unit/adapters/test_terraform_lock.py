"""What Terraform says of locks, read; and what a note proves."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karrots import computer
from karrots.adapters import terraform_lock as locks
from karrots.adapters.process import Completed
from karrots.adapters.terraform_cloud import CloudState
from karrots.adapters.terraform_lock import LockInfo, Note, StateHeld
from karrots.adapters.terraform_store import StateStore
from karrots.errors import Diagnostic

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DETAIL = """Error message: writing "gs://b/l" failed: googleapi: Error 412: conditionNotMet

Lock Info:
  ID:        1700000000000005
  Path:      gs://b/l
  Operation: OperationTypePlan
  Who:       ada lovelace@her computer
  Version:   1.11.4
  Created:   2026-11-21 16:45:05.155972132 +0000 UTC
  Info:      

Terraform acquires a state lock to protect the state.
"""  # noqa: W291
THEN = datetime(2026, 11, 21, 16, 45, 5, 155972, UTC)


def test_what_terraform_says_of_a_lock() -> None:
    found = locks.told(DETAIL)
    assert found == LockInfo("1700000000000005", "ada lovelace@her computer", "plan", THEN)
    assert (found.host, found.since) == ("her computer", "2026-11-21T16:45:05Z")


def test_the_bars_of_an_error_are_no_part_of_it() -> None:
    found = locks.told("│ Lock Info:\n│   ID:        x\n│   Who:       ada@vm\n")
    assert found == LockInfo("x", "ada@vm")
    assert found.since == "a time that cannot be read"


def test_no_lock() -> None:
    assert locks.told("NoSuchKey: the object does not exist") is None


@settings(deadline=None)
@given(st.text())
def test_any_text_is_read_without_an_error(text: str) -> None:
    locks.told(text)
    locks.held_since(text)
    locks.moment(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-21 16:45:05.155972132 +0000 UTC", THEN),
        ("2026-11-21T16:45:05.155972Z", THEN),
        ("2026-11-21 16:45:05 +0000 UTC", THEN.replace(microsecond=0)),
        ("2026-11-21 16:45:05.1 +0000 UTC", THEN.replace(microsecond=100_000)),
        ("2026-13-21 16:45:05 +0000 UTC", None),
        ("2026-11-21 16:45:05 +0100 CET", None),
        ("", None),
    ],
)
def test_moments(text: str, expected: datetime | None) -> None:
    assert locks.moment(text) == expected


def line(kind: str, **more: object) -> str:
    return json.dumps({"type": kind, "@timestamp": "2026-11-21T16:45:05.155972Z", **more})


@pytest.mark.parametrize("kind", ["planned_change", "refresh_start", "apply_start", "provision_progress"])
def test_what_is_said_only_under_the_lock(kind: str) -> None:
    assert locks.held_since(line(kind)) == THEN


def test_a_stale_plan_is_found_under_the_lock() -> None:
    assert locks.held_since(line("diagnostic", diagnostic={"summary": locks.STALE_PLAN})) == THEN


@pytest.mark.parametrize(
    "text",
    [
        line("version"), line("log"), line("init_output"), line("state_lock_acquire"), line("state_lock_release"),
        line("change_summary"), line("outputs"), line("a kind of a later version"),
        line("diagnostic", diagnostic={"summary": "no"}), '{"type": "planned_change"}', "not JSON", "[]",
    ],
)  # fmt: skip
def test_what_is_said_without_it(text: str) -> None:
    assert locks.held_since(text) is None


@pytest.mark.parametrize(
    ("who", "created", "expected"),
    [
        ("ada@{here}", THEN, True),
        ("ada@{here}", THEN.replace(microsecond=155973), False),
        ("ada@elsewhere", THEN, False),
        ("ada@{here}", None, False),
        ("", THEN, False),
    ],
)
def test_a_lock_that_was_there_by_then(who: str, created: datetime | None, expected: bool) -> None:
    lock = LockInfo("x", who.format(here=computer.name()), "apply", created)
    assert locks.is_by_then(lock, THEN) is expected


def test_a_lock_refused() -> None:
    other, refused = Diagnostic("Something else", "with a detail"), Diagnostic(locks.REFUSED, DETAIL)
    assert locks.refusal([other]) is None
    assert locks.refusal([other, refused]) == f"{locks.REFUSED}\n{DETAIL}"
    in_other_words = Diagnostic(f"Error loading state: {DETAIL}")
    assert locks.told(locks.refusal([in_other_words]) or "") == locks.told(DETAIL)


def test_a_note_comes_back(tmp_path: Path) -> None:
    file = tmp_path / "note.json"
    locks.write_note(file, "x", os.getpid(), computer.born(os.getpid()))
    found = locks.read_note(file)
    assert found == Note("x", os.getpid(), computer.born(os.getpid()), computer.name(), computer.host_id())
    assert not found.is_of_the_dead
    locks.write_note(file, "x", 2**22 + 1, computer.born(os.getpid()))
    dead = locks.read_note(file)
    assert dead is not None
    assert dead.is_of_the_dead


@pytest.mark.parametrize("text", ["", "{", "[]", '{"id": "x"}', "\xff"])
def test_a_note_that_cannot_be_read_proves_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "note.json").write_bytes(text.encode("latin-1"))
    assert locks.read_note(tmp_path / "note.json") is None
    assert locks.read_note(tmp_path / "none.json") is None


@pytest.mark.parametrize("kind", ["state_lock_acquire", "outputs"])
def test_the_lock_of_somebody_else_is_not_noted_as_ours(tmp_path: Path, kind: str) -> None:
    """While we wait for it, or after we gave ours back, it is somebody else's, and may be older than what we hear."""
    asked: list[str] = []

    def ask(build: Callable[[Path], Sequence[str]]) -> Completed:
        asked.append(" ".join(build(Path("terraform"))))
        return Completed((), 1, b"", DETAIL.replace("her computer", computer.name()).encode())

    state = CloudState("s3", {}, "s3://b/k", StateStore(tmp_path / "notes", "one"), "karrots apply qa")
    state.begin(os.getpid(), tmp_path)
    state.heard(line(kind), ask)
    state.let_go(ask, well=False)
    assert asked == []
    assert not (tmp_path / "notes" / "cloud-lock.json").exists()
    state.heard(line("planned_change"), ask)
    state.let_go(ask, well=False)
    assert [words.split()[-1] for words in asked] == [locks.NOBODY, "1700000000000005"]


def test_a_lock_that_does_not_say_whose_it_is() -> None:
    error = StateHeld("s3://b/k", None, "karrots apply qa", "aws s3 rm s3://b/k.tflock")
    assert error.hint.endswith("or, when you know that nobody works on it: aws s3 rm s3://b/k.tflock")
