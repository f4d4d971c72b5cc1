"""The log-in ends while EKS makes a control plane, and AWS asks to slow down: what AWS's own provider makes of it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from karrots.errors import ExitCode
from tests.support.command_line import PROGRAM
from tests.support.eks_account import inventories
from tests.support.eks_account.fleet import BUCKET

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from tests.support.eks_account.fleet import Life

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("with_engine")]

PATIENCE = 240.0
# Not EC2: it says of a log-in that has ended what it says of a wrong clock, and the provider tries that for minutes.
ENDED = frozenset({"eks", "s3", "iam", "sts", "logs"})


@pytest.fixture(autouse=True)
def nothing_stays(life: Life) -> Iterator[None]:
    yield
    life.aws.front.calls.expired = frozenset()
    life.aws.front.calls.busy.clear()
    life.aws.eks.hold = 0.0
    life.world.karrots("destroy", "qa", "--yes")
    assert inventories.of(life.aws) == life.before
    assert life.aws.client("s3").list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0


def test_a_log_in_that_ends_is_said_and_the_same_command_goes_on(life: Life, begun: threading.Event) -> None:
    """Terraform can neither go on nor save its state then, nor give its lock back: what it knows is left in a file."""
    world = life.world
    program = subprocess.Popen(
        [*PROGRAM, "create"], cwd=world.directory, env=world.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert begun.wait(PATIENCE)
    life.aws.front.calls.expired = ENDED
    _, told = program.communicate(timeout=PATIENCE)
    said = told.decode()
    assert program.returncode == ExitCode.LOGIN_NEEDED, said
    for each in ("ExpiredToken", "aws sso login", "karrots create"):
        assert each in said
    assert "Traceback" not in said

    assert world.karrots("create", expect=ExitCode.LOGIN_NEEDED).err.count("aws sso login") == 1

    life.aws.front.calls.expired = frozenset()
    life.aws.eks.hold = 0.0
    made = life.aws.eks.clusters["qa"].document["createdAt"]
    again = world.karrots("create")
    for each in ("sending the Terraform state left in", "taking over the lock", "it stays"):
        assert each in again.err
    assert life.record("qa")["phase"] == "ready"
    assert life.aws.eks.clusters["qa"].document["createdAt"] == made, "the same control plane"


def test_a_cloud_that_is_asked_too_often_is_waited_for(life: Life) -> None:
    """Beside it: who wants the infrastructure alone gets no Flux, neither now nor ahead."""
    life.aws.front.calls.busy.update({"ec2": 3, "eks": 3, "iam": 3, "sts": 1, "s3": 1})
    assert life.world.karrots("create", "--wait", "infra", "-o", "json").document["phase"] == "creating"
    assert not +life.aws.front.calls.busy, "each of these was met"
    assert "flux-system" not in life.kubectl("qa", "get", "namespaces", "-o", "name")
