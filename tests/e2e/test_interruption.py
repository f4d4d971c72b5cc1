"""Stop it anywhere, run it again."""

from __future__ import annotations

import shutil
import signal
import subprocess
from typing import TYPE_CHECKING

import pexpect
import pytest

from tests.support.command_line import PROGRAM

if TYPE_CHECKING:
    from tests.e2e.conftest import World

pytestmark = pytest.mark.engine


def _until(world: World, step: str, *words: str) -> subprocess.Popen[str]:
    """Start a verb and read its events until that step begins; of Terraform's steps, until Terraform is at work."""
    event = "StepProgress" if step in ("apply", "terraform-destroy") else "StepStarted"
    process = subprocess.Popen(
        [*PROGRAM, *words, "-o", "json"],
        cwd=world.directory,
        env=world.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if f'"{event}", "step": "{step}"' in line:
            return process
    pytest.fail(f"the step '{step}' was never reached")


@pytest.mark.parametrize("step", ["render", "apply", "ready"])
def test_a_killed_create_goes_on(world: World, step: str) -> None:
    killed = _until(world, step, "create", f"qa-{step}")
    killed.kill()
    killed.communicate()
    made = world.karrots("create", f"qa-{step}", "-o", "json").document
    assert made["phase"] == "ready"
    history = world.git("log", "--format=%s", "karrots/fleet", "--", f":/clusters/qa-{step}")
    assert history.count("claim") == 1, "the second run took the first one's record up"
    world.karrots("destroy", f"qa-{step}", "--yes")
    assert not [line for line in world.processes() if made["id"] in line]


def test_a_killed_create_can_be_destroyed(world: World) -> None:
    killed = _until(world, "apply", "create", "qa-half")
    killed.kill()
    killed.communicate()
    receipt = world.karrots("destroy", "qa-half", "--yes", "-o", "json").document
    assert receipt["left"] == []


def test_a_killed_destroy_goes_on(world: World) -> None:
    world.karrots("create", "qa-gone")
    killed = _until(world, "terraform-destroy", "destroy", "qa-gone", "--yes")
    killed.kill()
    killed.communicate()
    world.karrots("destroy", "qa-gone", "--yes")
    assert world.processes() == []


def test_one_operation_at_a_time(world: World) -> None:
    first = _until(world, "apply", "create", "qa-held")
    try:
        second = world.karrots("create", "qa-held", expect=6)
        assert str(first.pid) in second.err
    finally:
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=60)
    world.karrots("destroy", "qa-held", "--yes")


def test_ctrl_c_in_a_terminal_stops_cleanly_and_says_how_to_go_on(world: World) -> None:
    terminal = pexpect.spawn(
        PROGRAM[0], [*PROGRAM[1:], "create", "qa-int"], cwd=str(world.directory),
        env=world.env | {"TERM": "xterm"}, encoding="utf-8", timeout=60, dimensions=(24, 80),
    )  # fmt: skip
    terminal.expect("Terraform apply")
    terminal.sendintr()
    terminal.expect("was interrupted at 'apply'")
    terminal.expect("try  karrots create qa-int")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 130
    world.karrots("create", "qa-int")
    world.karrots("destroy", "qa-int", "--yes")
    assert world.processes() == []


def test_a_cluster_whose_folder_is_gone_is_made_again(world: World) -> None:
    """Terraform's state says it is there; it is not."""
    made = world.karrots("create", "qa-lost", "-o", "json").document
    world.karrots("engine", "stop", "qa-lost")
    shutil.rmtree(world.root / "karrots/state/engine/clusters" / made["id"])
    again = world.karrots("apply", "qa-lost", "-o", "json").document
    assert (again["id"], again["phase"]) == (made["id"], "ready")
    assert world.image("qa-lost") == "shop/front:1.5.0"
    world.karrots("destroy", "qa-lost", "--yes")


@pytest.mark.parametrize("damage", ["", "{"])
def test_a_cluster_with_damaged_files_can_be_destroyed(world: World, damage: str) -> None:
    made = world.karrots("create", "qa-torn", "-o", "json").document
    folder = world.root / "karrots/state/engine/clusters" / made["id"]
    for name in ("state.json", "access.json"):
        (folder / name).write_text(damage)
    receipt = world.karrots("destroy", "qa-torn", "--yes", "-o", "json").document
    assert receipt["left"] == []
    assert not [line for line in world.processes() if made["id"] in line]


def test_an_interrupted_destroy_is_finished_not_undone(world: World) -> None:
    world.karrots("create", "qa-going")
    killed = _until(world, "terraform-destroy", "destroy", "qa-going", "--yes")
    killed.kill()
    killed.communicate()
    for verb in ("create", "apply", "sync"):
        assert "being destroyed" in world.karrots(verb, "qa-going", expect=3).err
    receipt = world.karrots("destroy", "qa-going", "--yes", "-o", "json").document
    assert receipt["looked_for"]["ports"] > 0, "what it held is remembered over the kill"
