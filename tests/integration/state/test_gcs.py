"""Terraform's own gcs backend with the real tool, against a small Cloud Storage on loopback."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from karrots import computer
from karrots.adapters import terraform_argv
from karrots.adapters.terraform import Root, StateHeld, locate
from karrots.adapters.terraform_cloud import CloudState
from karrots.adapters.terraform_document import StateRefused
from karrots.adapters.terraform_store import StateStore
from karrots.errors import Failed, Locked, ToolFailed
from tests.integration.state.test_s3_life import ONE, SLOW, TWO, kill_at_the_slow_one
from tests.integration.state.test_s3_lock import note
from tests.support.gcs import Bucket, Gcs, served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NAME = "karrots/01m7/default.tfstate"
LOCK = "karrots/01m7/default.tflock"


@pytest.fixture
def gcs() -> Iterator[Gcs]:
    with served() as running:
        running.buckets["states"] = Bucket({"name": "states"})
        yield running


@pytest.fixture
def make(tmp_path: Path, gcs: Gcs, said: list[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Root]:
    monkeypatch.setattr(terraform_argv, "LOCK_TIMEOUT", "0s")

    def build(text: str, folder: str = "run", *, bucket: str = "states", take_over: str = "") -> Root:
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        (place / "main.tf").write_text('terraform {\n  backend "gcs" {}\n}\n' + text)
        state = CloudState(
            backend="gcs",
            settings={"bucket": bucket, "prefix": "karrots/01m7"},
            place=f"gs://{bucket}/{NAME}",
            notes=StateStore(tmp_path / "notes", "operation 1"),
            command="karrots apply qa",
            unlocking=f"gcloud storage rm gs://{bucket}/{LOCK}",
            take_over=take_over,
            say=said.append,
        )
        made = Root(place, locate(), gcs.environment, state=state)
        made.init()
        return made

    return build


def held(gcs: Gcs, who: str) -> str:
    """The lock's id is the generation of its object, whatever stands in it."""
    info = {"ID": "x", "Operation": "OperationTypeApply", "Who": who, "Created": "2026-11-21T16:45:05.1Z"}
    return str(gcs.put("states", LOCK, json.dumps(info).encode()).generation)


def test_a_whole_life(make: Callable[..., Root], gcs: Gcs, said: list[str]) -> None:
    made = make(ONE)
    assert made.resources() == 0
    made.apply(made.plan())
    assert made.outputs()["one"].value == "1"
    again = make(TWO, "second")
    assert [change.address for change in again.plan().changes] == ["terraform_data.two"]
    again.apply(again.plan(destroy=True))
    assert again.resources() == 0
    assert list(gcs.buckets["states"].objects) == [NAME]
    assert said == []


def test_terraform_killed_in_the_middle(make: Callable[..., Root], gcs: Gcs) -> None:
    made = make(SLOW)
    kill_at_the_slow_one(made)
    with pytest.raises(ToolFailed, match="was ended by SIGKILL"):
        made.apply(made.plan())
    assert LOCK not in gcs.buckets["states"].objects, "nobody is left to hold it"
    again = make(SLOW, "second")
    (again.folder / "go").touch()
    again.apply(again.plan())
    assert again.resources() == 2


def test_a_lock_held_by_somebody_and_taken_over_by_a_typed_yes(
    make: Callable[..., Root], gcs: Gcs, said: list[str]
) -> None:
    make(ONE)
    lock = held(gcs, "grace@elsewhere")
    with pytest.raises(StateHeld, match="is locked by grace@elsewhere") as caught:
        make(ONE, "second").plan()
    assert caught.value.hint.endswith(f"karrots apply qa --take-over {lock}")
    assert LOCK in gcs.buckets["states"].objects
    assert make(ONE, "third", take_over=lock).plan().has_changes
    assert said[-1].endswith("from grace@elsewhere: as --take-over says")


def test_a_lock_on_a_state_that_is_not_there_yet(make: Callable[..., Root], gcs: Gcs) -> None:
    """Then init already wants the lock, says in other words that it was not to be had, and so does force-unlock."""
    lock = held(gcs, "grace@elsewhere")
    with pytest.raises(StateHeld, match="is locked by grace@elsewhere"):
        make(ONE)
    with pytest.raises(Locked, match=f"the lock {lock} of the Terraform state .* could not be ended") as caught:
        make(ONE, "second", take_over=lock)
    assert caught.value.hint.endswith(f"gcloud storage rm gs://states/{LOCK}")
    del gcs.buckets["states"].objects[LOCK]
    assert make(ONE, "third").plan().has_changes


def test_the_lock_of_a_dead_one_on_this_computer_is_taken_over(
    make: Callable[..., Root], gcs: Gcs, tmp_path: Path, said: list[str]
) -> None:
    made = make(ONE)
    note(tmp_path, lock_id=held(gcs, f"ada@{computer.name()}"))
    assert made.plan().has_changes
    assert said[-1].endswith("is gone")


def test_a_state_that_goes_away_is_refused(make: Callable[..., Root], gcs: Gcs) -> None:
    """Terraform makes an empty one in its place, which has another lineage."""
    made = make(ONE)
    made.apply(made.plan())
    assert made.resources() == 1
    del gcs.buckets["states"].objects[NAME]
    again = make(ONE, "second")
    with pytest.raises(StateRefused, match="not the one that was seen last"):
        again.resources()


@pytest.mark.parametrize("what", ["not there", "not ours"])
def test_a_bucket_that_cannot_be_used(make: Callable[..., Root], gcs: Gcs, what: str) -> None:
    gcs.forbidden.add("states")
    with pytest.raises(Failed, match="cannot be reached") as caught:
        make(ONE, bucket="nowhere" if what == "not there" else "states")
    assert caught.value.hint == "karrots doctor"
