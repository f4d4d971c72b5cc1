"""Terraform is killed while EKS makes a control plane: its state is older than the account, or there is none at all."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.support.command_line import PROGRAM
from tests.support.eks_account import inventories
from tests.support.eks_account.fleet import BUCKET

if TYPE_CHECKING:
    import threading

    from tests.support.eks_account.fleet import Life

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("with_engine")]

PATIENCE = 120.0


def kill(program: subprocess.Popen[bytes]) -> None:
    """Karrots, Terraform and its provider at once, as a power cut would."""
    all_of_it = [psutil.Process(program.pid), *psutil.Process(program.pid).children(recursive=True)]
    assert any("terraform" in process.name() for process in all_of_it)
    for process in all_of_it:
        process.kill()
    program.wait()
    psutil.wait_procs(all_of_it)


def test_what_a_killed_terraform_made_is_told_and_taken_away(life: Life, begun: threading.Event) -> None:
    with (life.world.root / "killed.log").open("wb") as log:
        program = subprocess.Popen(
            [*PROGRAM, "create"], cwd=life.world.directory, env=life.world.env, stdout=log, stderr=log
        )
    assert begun.wait(PATIENCE), (life.world.root / "killed.log").read_text()
    kill(program)
    life.aws.eks.hold = 0.0
    left = inventories.of(life.aws)
    assert (left["clusters"], left["networks"]) == (1, life.before["networks"] + 1)

    told = life.world.karrots("create", expect=3).err
    for each in ("a Terraform was killed before it could save its state", "EKS cluster qa", "karrots destroy qa"):
        assert each in told
    assert inventories.of(life.aws) == left, "told before anything is changed"

    receipt = life.world.karrots("destroy", "qa", "--yes", "-o", "json").document
    assert receipt["left"] == []
    assert receipt["looked_for"]["clusters"] == 1
    assert inventories.of(life.aws) == life.before
    assert life.aws.client("s3").list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0
