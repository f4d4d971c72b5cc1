"""Terraform's own azurerm backend with the real tool, against a small blob storage behind a proxy on loopback.

It logs in by a SAS token, which nobody looks at; a login by Entra ID has no server here.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from karrots import computer
from karrots.adapters import terraform_argv
from karrots.adapters.terraform import Root, StateHeld, locate
from karrots.adapters.terraform_cloud import CloudState
from karrots.adapters.terraform_store import StateStore
from karrots.errors import Failed, ToolFailed
from tests.integration.state.test_s3_life import ONE, SLOW, TWO, kill_at_the_slow_one
from tests.integration.state.test_s3_lock import ID, note
from tests.support.azure_blobs import Blobs, served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEY = "karrots/01m7.tfstate"
BLOB = f"/states/{KEY}"


@pytest.fixture
def blobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Blobs]:
    with served(tmp_path) as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def make(tmp_path: Path, blobs: Blobs, said: list[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Root]:
    monkeypatch.setattr(terraform_argv, "LOCK_TIMEOUT", "0s")

    def build(text: str, folder: str = "run", *, container: str = "states", take_over: str = "") -> Root:
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        (place / "main.tf").write_text('terraform {\n  backend "azurerm" {}\n}\n' + text)
        account = {"storage_account_name": "shopstates", "resource_group_name": "rg", "subscription_id": "0" * 8}
        state = CloudState(
            backend="azurerm",
            settings={**account, "container_name": container, "key": KEY},
            place=f"https://shopstates.blob.core.windows.net/{container}/{KEY}",
            notes=StateStore(tmp_path / "notes", "operation 1"),
            command="karrots apply qa",
            unlocking="az storage blob lease break",
            take_over=take_over,
            say=said.append,
        )
        made = Root(place, locate(), {"ARM_SAS_TOKEN": blobs.environment["ARM_SAS_TOKEN"]}, state=state)
        made.init()
        return made

    return build


def held(blobs: Blobs, who: str) -> str:
    info = {"ID": ID, "Operation": "OperationTypeApply", "Who": who, "Created": "2026-11-21T16:45:05.1Z"}
    blobs.kept[BLOB].lease = ID
    blobs.kept[BLOB].metadata["terraformlockid"] = base64.b64encode(json.dumps(info).encode()).decode()
    return ID


def test_a_whole_life(make: Callable[..., Root], blobs: Blobs, said: list[str]) -> None:
    made = make(ONE)
    assert made.resources() == 0
    made.apply(made.plan())
    assert made.outputs()["one"].value == "1"
    again = make(TWO, "second")
    assert [change.address for change in again.plan().changes] == ["terraform_data.two"]
    again.apply(again.plan(destroy=True))
    assert again.resources() == 0
    assert list(blobs.kept) == [BLOB]
    assert said == []


def test_terraform_killed_in_the_middle(make: Callable[..., Root], blobs: Blobs) -> None:
    made = make(SLOW)
    kill_at_the_slow_one(made)
    with pytest.raises(ToolFailed, match="was ended by SIGKILL"):
        made.apply(made.plan())
    assert blobs.kept[BLOB].lease == "", "nobody is left to hold it"
    again = make(SLOW, "second")
    (again.folder / "go").touch()
    again.apply(again.plan())
    assert again.resources() == 2


def test_a_lock_held_by_somebody_and_taken_over_by_a_typed_yes(
    make: Callable[..., Root], blobs: Blobs, said: list[str]
) -> None:
    make(ONE)
    lock = held(blobs, "grace@elsewhere")
    with pytest.raises(StateHeld, match="is locked by grace@elsewhere") as caught:
        make(ONE, "second").plan()
    assert caught.value.hint.endswith(f"karrots apply qa --take-over {lock}")
    assert blobs.kept[BLOB].lease == lock
    assert make(ONE, "third", take_over=lock).plan().has_changes
    assert said[-1].endswith("from grace@elsewhere: as --take-over says")


def test_the_lock_of_a_dead_one_on_this_computer_is_taken_over(
    make: Callable[..., Root], blobs: Blobs, tmp_path: Path, said: list[str]
) -> None:
    made = make(ONE)
    note(tmp_path, lock_id=held(blobs, f"ada@{computer.name()}"))
    assert made.plan().has_changes
    assert said[-1].endswith("is gone")


@pytest.mark.parametrize("what", ["not there", "not ours"])
def test_a_container_that_cannot_be_used(make: Callable[..., Root], blobs: Blobs, what: str) -> None:
    blobs.forbidden.add("states")
    with pytest.raises(Failed, match="cannot be reached") as caught:
        make(ONE, container="nowhere" if what == "not there" else "states")
    assert caught.value.hint == "karrots doctor"
