"""The lock of a state in S3: who is waited for, what is taken over, and what never is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from karrots import computer
from karrots.adapters import terraform_argv
from karrots.adapters.terraform import Root, StateHeld
from karrots.adapters.terraform_events import ProvisionerSaid
from karrots.adapters.terraform_lock import Note
from karrots.errors import ExitCode, Refused
from tests.integration.state.conftest import KEY
from tests.support.s3 import BUCKET, S3

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from karrots.adapters.terraform_cloud import CloudState
    from karrots.adapters.terraform_events import Event

LOCK = f"{KEY}.tflock"
ID = "449bd00b-97ac-ec03-8b82-0a9889ffa8eb"
ONE = 'resource "terraform_data" "one" {}\n'
SLOW = """
resource "terraform_data" "slow" {
  provisioner "local-exec" {
    command = "echo begun; while [ ! -e go ]; do sleep 0.02; done"
  }
}
"""
GONE = 2**22 + 1  # more than any process has

# A program that applies until it is killed itself.
APPLIER = """
import json, sys
from pathlib import Path
from karrots.adapters.terraform import Root, locate
from karrots.adapters.terraform_cloud import CloudState
from karrots.adapters.terraform_store import StateStore
given = json.loads(sys.argv[1])
notes = StateStore(Path(given["notes"]), "operation 7")
state = CloudState("s3", given["settings"], "s3://it", notes, "karrots apply qa", "")
root = Root(Path(given["folder"]), locate(), given["login"], lambda event: print(event, flush=True), state=state)
root.init()
root.apply(root.plan())
"""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terraform_argv, "LOCK_TIMEOUT", "0s")


def held(s3: S3, who: str = "grace@elsewhere", lock_id: str = ID) -> dict[str, Any]:
    """As Terraform writes it."""
    info = {
        "ID": lock_id, "Operation": "OperationTypeApply", "Info": "", "Who": who, "Version": "1.11.4",
        "Created": "2026-11-21T16:45:05.155972132Z", "Path": f"{BUCKET}/{KEY}",
    }  # fmt: skip
    s3.put(LOCK, info)
    return info


def note(tmp_path: Path, *, lock_id: str = ID, pid: int = GONE, born: str = "", host_id: str | None = None) -> None:
    kept = Note(
        lock_id, pid, born or f"{boot()}/1", computer.name(), computer.host_id() if host_id is None else host_id
    )
    (tmp_path / "notes").mkdir(exist_ok=True)
    (tmp_path / "notes" / "cloud-lock.json").write_text(json.dumps(asdict(kept)))


def boot() -> str:
    return "/".join(computer.born(os.getpid()).split("/")[:2])


def test_somebody_works_elsewhere(make: Callable[..., Root], s3: S3, said: list[str]) -> None:
    made = make(ONE)
    info = held(s3)
    with pytest.raises(StateHeld) as caught:
        made.plan()
    error = caught.value
    assert error.message == f"the Terraform state s3://{BUCKET}/{KEY} is locked by grace@elsewhere"
    assert error.why == f"apply since 2026-11-21T16:45:05Z, lock {ID}"
    assert error.hint.splitlines() == [
        "wait until it has ended, then run the same command again",
        f"or, when you know that it is gone: karrots apply qa --take-over {ID}",
    ]
    assert error.code == ExitCode.LOCKED
    assert said == [f"{error.message}: {error.why}; waiting for it"], "said before anybody waits"
    assert s3.json(LOCK) == info, "nothing has changed"
    assert s3.objects() == [LOCK]


def test_who_waits_goes_on_when_the_lock_is_given_back(
    make: Callable[..., Root], s3: S3, keep: Callable[..., CloudState], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terraform_argv, "LOCK_TIMEOUT", "5m")
    state = keep()
    made = make(ONE, state=state)
    held(s3)
    state.say = lambda _: s3.client.delete_object(Bucket=BUCKET, Key=LOCK)
    assert made.plan().has_changes


def test_it_is_taken_over_when_somebody_says_so(
    make: Callable[..., Root], s3: S3, keep: Callable[..., CloudState], said: list[str]
) -> None:
    held(s3)
    made = make(ONE, state=keep(take_over=ID))
    made.apply(made.plan())
    assert s3.objects() == [KEY]
    whose = f"of the Terraform state s3://{BUCKET}/{KEY} from grace@elsewhere"
    assert said == [f"taking over the lock {ID} {whose}: as --take-over says"]


def test_another_lock_than_the_one_named_is_not_taken_over(
    make: Callable[..., Root], s3: S3, keep: Callable[..., CloudState]
) -> None:
    """Somebody was first, and works now."""
    info = held(s3, lock_id="another")
    with pytest.raises(StateHeld, match="grace@elsewhere"):
        make(ONE, state=keep(take_over=ID)).plan()
    assert s3.json(LOCK) == info


def test_the_lock_of_a_dead_one_on_this_computer_is_taken_over(
    make: Callable[..., Root], s3: S3, tmp_path: Path, said: list[str]
) -> None:
    held(s3, who=f"ada@{computer.name()}")
    note(tmp_path)
    made = make(ONE)
    assert made.plan().has_changes
    assert s3.objects() == []
    (line,) = said
    assert line.endswith(f"from ada@{computer.name()}: its Terraform on this computer, process {GONE}, is gone")


@pytest.mark.parametrize(
    "doubt", ["no note", "alive", "another lock", "another computer", "damaged", "another container"]
)
def test_a_lock_of_this_computer_is_not_taken_over_without_proof(
    make: Callable[..., Root], s3: S3, tmp_path: Path, doubt: str
) -> None:
    info = held(s3, who=f"ada@{computer.name()}")
    if doubt == "alive":
        note(tmp_path, pid=os.getpid(), born=computer.born(os.getpid()))
    elif doubt == "another lock":
        note(tmp_path, lock_id="another")
    elif doubt == "another computer":
        note(tmp_path, host_id="another")
    elif doubt == "damaged":
        note(tmp_path)
        (tmp_path / "notes" / "cloud-lock.json").write_text('{"id": 1}')
    elif doubt == "another container":
        note(tmp_path, born=f"{boot().partition('/')[0]}/1/1")
    with pytest.raises(StateHeld, match="locked by ada@"):
        make(ONE).plan()
    assert s3.json(LOCK) == info


def test_a_lock_that_cannot_be_read(make: Callable[..., Root], s3: S3) -> None:
    s3.put(LOCK, b"not a lock")
    with pytest.raises(StateHeld, match=f"the Terraform state s3://{BUCKET}/{KEY} is locked") as caught:
        make(ONE).plan()
    assert caught.value.code == ExitCode.LOCKED
    assert "does not say by whom" in caught.value.why
    assert f"aws s3 rm s3://{BUCKET}/{LOCK}" in caught.value.hint


def test_we_and_our_terraform_are_killed(
    make: Callable[..., Root], s3: S3, tmp_path: Path, said: list[str], keep: Callable[..., CloudState]
) -> None:
    """The lock stays, and what was noted while it was held proves that its holder is dead."""
    folder = tmp_path / "killed"
    folder.mkdir()
    (folder / "main.tf").write_text('terraform {\n  backend "s3" {}\n}\n' + SLOW)
    given = {
        "settings": s3.settings(KEY), "login": s3.environment, "folder": str(folder), "notes": str(tmp_path / "notes")
    }  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-c", APPLIER, json.dumps(given)], stdout=subprocess.PIPE, text=True
    ) as applier:
        assert applier.stdout is not None
        for line in applier.stdout:
            if "text='begun'" in line:
                break
        (running,) = [found for found in psutil.Process(applier.pid).children() if "apply" in found.cmdline()]
        running.kill()
        applier.kill()
    lock = s3.json(LOCK)
    again = make(SLOW, "second", keep("operation 8"))
    (again.folder / "go").touch()
    again.apply(again.plan())
    assert again.resources() == 1
    assert said[0].startswith(f"taking over the lock {lock['ID']} of ")
    assert s3.objects() == [KEY]


def test_a_plan_that_was_refused_the_lock_can_be_applied_later(make: Callable[..., Root], s3: S3) -> None:
    made = make(ONE)
    plan = made.plan()
    held(s3)
    with pytest.raises(StateHeld):
        made.apply(plan)
    s3.client.delete_object(Bucket=BUCKET, Key=LOCK)
    with pytest.raises(Refused):  # a plan is applied once
        made.apply(plan)
    made.apply(made.plan())
    assert made.resources() == 1


def test_the_lock_is_noted_while_it_is_held_and_no_longer(make: Callable[..., Root], s3: S3, tmp_path: Path) -> None:
    file = tmp_path / "notes" / "cloud-lock.json"
    made = make(SLOW)
    seen: list[tuple[str, str, bool]] = []

    def listen(event: Event) -> None:
        if isinstance(event, ProvisionerSaid) and event.text == "begun":
            kept = Note(**json.loads(file.read_text()))
            seen.append((kept.id, s3.json(LOCK)["ID"], kept.is_of_the_dead))
            (made.folder / "go").touch()

    made._on_event = listen
    made.apply(made.plan())
    ((noted, held_now, dead),) = seen
    assert noted == held_now
    assert not dead
    assert not file.exists()
