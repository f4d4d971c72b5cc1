"""`karrots doctor --repair` after kills of real commands: what ran is gone, what belongs to others runs on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.command_line import PROGRAM
from tests.support.engine import eventually
from tests.support.repositories import repository

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import World

pytestmark = pytest.mark.engine


def engine(world: World, verb: str, cluster_id: str, *words: str) -> None:
    argv = [sys.executable, "-m", "karrots.engine", verb, "--id", cluster_id, *words]
    subprocess.run(argv, env=world.env, check=True, stdout=subprocess.DEVNULL)


def found(world: World) -> list[tuple[str, str]]:
    document: dict[str, Any] = world.karrots("doctor", "--repair", "--dry-run", "-o", "json", expect=None).document
    return [(finding["kind"], finding["why"]) for finding in document["left"]]


def test_a_killed_demo_goes_with_all_that_ran_in_it(world: World) -> None:
    with subprocess.Popen(
        [*PROGRAM, "demo"], cwd=world.directory, env=world.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as demo:
        eventually(lambda: any("kube-apiserver" in line for line in world.processes()))
        assert found(world) == [], "it still runs"
        demo.kill()
    (folder,) = (world.root / "tmp").glob("karrots-demo-*")
    os.utime(folder, (0, 0))
    assert found(world) == [("demo", "its demo was not to be kept, and its process is gone")]
    world.karrots("doctor", "--repair", "--yes")
    assert not folder.exists()
    eventually(lambda: world.processes() == [])


def test_clusters_of_a_fleet_that_is_gone_end_and_those_of_another_run_on(world: World, tmp_path: Path) -> None:
    gone, other = repository(world.root / "tmp" / "gone"), repository(tmp_path / "other")
    engine(world, "up", "01gone", "--name", "gone", "--repository", str(gone.git_dir))
    engine(world, "up", "01other", "--name", "other", "--repository", str(other.git_dir))
    assert found(world) == []
    shutil.rmtree(gone.root)
    assert found(world) == [("cluster", f"its repository {gone.git_dir} is gone")]
    world.karrots("doctor", "--repair", "--yes")
    running = world.karrots("engine", "list", "-o", "json").document["clusters"]
    assert [(each["name"], each["running"]) for each in running] == [("other", 10)]
    assert not [line for line in world.processes() if "01gone" in line]
    engine(world, "down", "01other")


def test_a_killed_create_is_given_back_and_gone_on_with(world: World) -> None:
    with subprocess.Popen(
        [*PROGRAM, "create", "qa-given"], cwd=world.directory, env=world.env,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as create:  # fmt: skip
        eventually(lambda: any("kube-apiserver" in line for line in world.processes()))
        create.kill()
    eventually(lambda: not [line for line in world.processes() if "terraform" in line])
    kinds = [kind for kind, _ in found(world)]
    assert "lease" in kinds
    assert set(kinds) <= {"lease", "state lock", "engine lock", "half-written file"}
    world.karrots("doctor", "--repair", "--yes")
    assert found(world) == []
    world.karrots("apply", "qa-given")
    world.karrots("destroy", "qa-given", "--yes")
    assert world.processes() == []
