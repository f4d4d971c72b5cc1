"""Terraform's own s3 backend with the real tool: the state is in the cloud, and asked for through Terraform."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import psutil
import pytest

from karrots.adapters.terraform import Root, StateUnsaved
from karrots.adapters.terraform_document import StateRefused
from karrots.adapters.terraform_events import ProvisionerSaid, StateSaved
from karrots.adapters.terraform_store import UNSAVED, StateFenced, StateLocked, StateStore
from karrots.adapters.terraform_values import Output
from karrots.errors import ExitCode, Failed, LoginNeeded, ToolFailed
from tests.integration.state.conftest import KEY
from tests.support.s3 import BUCKET, S3

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from karrots.adapters.terraform_cloud import CloudState
    from karrots.adapters.terraform_events import Event

ONE = """
resource "terraform_data" "one" { input = "1" }
output "one" { value = terraform_data.one.output }
output "hidden" {
  value     = "hush-hush"
  sensitive = true
}
"""
TWO = ONE + 'resource "terraform_data" "two" {}\n'
# `slow` says when it has begun and waits until the file `go` is there.
SLOW = """
resource "terraform_data" "first" {}
resource "terraform_data" "slow" {
  depends_on = [terraform_data.first]
  provisioner "local-exec" {
    command = "echo begun; while [ ! -e go ]; do sleep 0.02; done"
  }
}
"""


def kill_at_the_slow_one(made: Root) -> None:
    """The Terraform of a root, when it has begun what takes long."""

    def listen(event: Event) -> None:
        if isinstance(event, ProvisionerSaid) and event.text == "begun":
            for found in psutil.process_iter():
                if _works_in(found, made.folder):
                    found.kill()

    made._on_event = listen


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.cwd() == str(folder) and "apply" in process.cmdline()
    except (psutil.Error, OSError):
        return False


def test_a_whole_life(make: Callable[..., Root], s3: S3, said: list[str]) -> None:
    made = make(ONE)
    assert (made.state(), made.resources()) == (None, 0)
    made.apply(made.plan())
    assert made.outputs() == {"one": Output("1"), "hidden": Output("hush-hush", sensitive=True)}
    assert made.resources() == 1
    assert s3.objects() == [KEY]
    again = make(TWO, "second")
    plan = again.plan()
    assert [change.address for change in plan.changes] == ["terraform_data.two"]
    again.apply(plan)
    assert not make(TWO, "third").plan().has_changes
    again.apply(again.plan(destroy=True))
    assert (again.resources(), again.outputs()) == (0, {})
    versions = s3.client.list_object_versions(Bucket=BUCKET, Prefix=KEY)["Versions"]
    assert len([version for version in versions if version["Key"] == KEY]) >= 3
    assert said == []


def test_secrets_are_in_no_argument_event_or_log(make: Callable[..., Root], heard: list[Event]) -> None:
    made = make(ONE)
    made.apply(made.plan())
    assert "hush-hush" not in f"{heard} {made.outputs()} {made.log.read_text()}"
    assert "test-secret" not in made.log.read_text()
    assert "test-secret" not in json.dumps(dict(made._state.settings if made._state else {}))


def test_nothing_is_kept_on_this_computer_but_notes(make: Callable[..., Root], tmp_path: Path) -> None:
    made = make(ONE)
    made.apply(made.plan())
    assert made.resources() == 1
    kept = {path.name: path.read_text() for path in (tmp_path / "notes").rglob("*") if path.is_file()}
    assert set(kept) == {"guard", "seen.json"}
    assert set(json.loads(kept["seen.json"])) == {"lineage", "serial"}


def test_terraform_killed_in_the_middle(make: Callable[..., Root], s3: S3, tmp_path: Path, said: list[str]) -> None:
    made = make(SLOW)
    kill_at_the_slow_one(made)
    with pytest.raises(ToolFailed, match="was ended by SIGKILL") as caught:
        made.apply(made.plan())
    assert caught.value.status == -signal.SIGKILL
    assert f"{KEY}.tflock" not in s3.objects(), "nobody is left to hold it"
    again = make(SLOW, "second")
    (again.folder / "go").touch()
    again.apply(again.plan())
    assert again.resources() == 2
    assert said == []


def test_a_stale_plan_leaves_no_lock(make: Callable[..., Root], s3: S3) -> None:
    """Terraform would leave it held (hashicorp/terraform#28693)."""
    made = make(ONE)
    older = made.plan(out=made.folder / "older.tfplan")
    made.apply(made.plan())
    with pytest.raises(ToolFailed, match="apply failed"):
        made.apply(older)
    assert s3.objects() == [KEY]


def test_a_state_that_could_not_be_sent_stays_and_is_sent_later(
    make: Callable[..., Root], s3: S3, heard: list[Event], said: list[str]
) -> None:
    made = make(ONE)
    plan = made.plan()
    s3.deny("PUT", ".tfstate")
    with pytest.raises(StateUnsaved, match="could not be saved") as caught:
        made.apply(plan)
    left = made.folder / UNSAVED
    assert left.exists()
    assert str(left) in caught.value.hint
    s3.allow()
    assert not made.plan().has_changes
    assert made.resources() == 1
    assert not left.exists()
    assert StateSaved(left) in heard
    assert said[-1] == f"sending the Terraform state left in {left} to s3://{BUCKET}/{KEY}"


def test_a_state_left_by_the_dead_is_sent_by_the_next_run(
    make: Callable[..., Root], keep: Callable[..., CloudState], tmp_path: Path, said: list[str]
) -> None:
    made = make(ONE)
    made.apply(made.plan())
    state = dict(made.state() or {})
    elsewhere = tmp_path / "dead"
    elsewhere.mkdir()
    (elsewhere / UNSAVED).write_text(json.dumps(state | {"serial": state["serial"] + 1, "outputs": {}}))
    note = {"pid": 2**22 + 1, "created": 1.0, "owner": 2**22 + 2, "folder": str(elsewhere)}
    workers = tmp_path / "notes" / "workers"
    workers.mkdir(exist_ok=True)
    (workers / f"{note['pid']}.json").write_text(json.dumps(note))
    again = make(ONE, "second", keep("operation 2"))
    assert said == [f"sending the Terraform state left in {elsewhere / UNSAVED} to s3://{BUCKET}/{KEY}"]
    assert again.outputs() == {}
    assert not (elsewhere / UNSAVED).exists()
    assert list(workers.iterdir()) == []


def test_a_state_of_another_cluster_is_not_sent(make: Callable[..., Root], tmp_path: Path, said: list[str]) -> None:
    made = make(ONE)
    made.apply(made.plan())
    state = dict(made.state() or {})
    (made.folder / UNSAVED).write_text(json.dumps(state | {"serial": 99, "lineage": "another"}))
    with pytest.raises(StateUnsaved, match="could not be saved"):
        made.plan()
    assert (made.state() or {})["lineage"] == state["lineage"]


@pytest.mark.parametrize("change", ["older", "another", "gone"])
def test_a_state_that_goes_back_is_refused(make: Callable[..., Root], s3: S3, tmp_path: Path, change: str) -> None:
    made = make(ONE)
    made.apply(made.plan())
    before = s3.json(KEY)
    again = make(TWO, "second")
    again.apply(again.plan())
    assert again.resources() == 2
    if change == "older":
        s3.put(KEY, before)
    elif change == "another":
        s3.put(KEY, {**s3.json(KEY), "lineage": "another", "serial": 99})
    else:
        s3.client.delete_object(Bucket=BUCKET, Key=KEY)
    third = make(TWO, "third")
    with pytest.raises(StateRefused, match="not the one that was seen last") as caught:
        third.resources()
    seen = tmp_path / "notes" / "seen.json"
    assert str(seen) in caught.value.hint
    seen.unlink()
    third.resources()


def test_a_bucket_that_is_not_there(make: Callable[..., Root], keep: Callable[..., CloudState]) -> None:
    with pytest.raises(Failed, match=f"the Terraform state s3://nowhere/{KEY} cannot be reached") as caught:
        make(ONE, state=keep(bucket="nowhere"))
    assert "does not exist" in caught.value.why
    assert (caught.value.hint, caught.value.code) == ("karrots doctor", ExitCode.FAILED)


def test_nobody_is_logged_in(s3: S3, tmp_path: Path, keep: Callable[..., CloudState]) -> None:
    from karrots.adapters.terraform import locate

    (tmp_path / "main.tf").write_text('terraform {\n  backend "s3" {}\n}\n' + ONE)
    lacking = {name: value for name, value in s3.environment.items() if "ACCESS_KEY" not in name}
    with pytest.raises(LoginNeeded, match="wants a log-in") as caught:
        Root(tmp_path, locate(), lacking, state=keep()).init()
    assert "No valid credential sources" in caught.value.why


def test_an_operation_that_lost_its_cluster_starts_no_terraform(
    make: Callable[..., Root], keep: Callable[..., CloudState], tmp_path: Path
) -> None:
    made = make(ONE)
    StateStore(tmp_path / "notes").fence(["operation 1"])
    with pytest.raises(StateFenced):
        made.plan()
    assert make(ONE, "second", keep("operation 2")).plan().has_changes


def test_the_terraform_of_an_operation_that_lost_is_waited_for(
    make: Callable[..., Root], keep: Callable[..., CloudState], tmp_path: Path
) -> None:
    made = make(ONE)
    living = psutil.Process(1)
    note = {"pid": 1, "created": living.create_time(), "owner": 2**22 + 2, "folder": str(tmp_path)}
    workers = tmp_path / "notes" / "workers"
    workers.mkdir(exist_ok=True)
    (workers / "1.json").write_text(json.dumps(note))
    with pytest.raises(StateLocked, match="lost the cluster"):
        made.plan()
