"""Rows on clouds, with an account on loopback that takes its time."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.row import Contest, Reading, Target, Wrong, row
from benchmarks.world import program, world
from tests.support import aws, providers
from tests.support.eks_account.fleet import eks_fleet
from tests.support.variants import VARIANTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.row import Bench
    from tests.support.eks_account.fleet import Life

ANSWER_SECONDS = 0.1
QUESTIONS = 15
CREATING_SECONDS = 60.0
# What the preflight has to find, so that the command ends there.
NOT_OFFERED = "nodes.default.size=u-24tb1.metal"


@row("preflight", f"preflight on EKS, AWS answers in {ANSWER_SECONDS * 1000:.0f} ms", Target(most=3.0))
def preflight(bench: Bench) -> Iterator[Contest]:
    """The whole command, refused by its preflight: program, SDK and all questions."""
    with world(bench.engine) as made, closing(aws.Cloud()) as cloud:
        os.environ.update(aws.environment(cloud.address))
        cloud.front.pause = ANSWER_SECONDS
        fleet = made.root / "fleet"
        fleet.mkdir()
        sets = ("--set", f"account={aws.ACCOUNT}", "--set", f"region={aws.REGION}")
        made.karrots("init", "--provider", "eks", *sets, cwd=fleet)

        def run() -> Reading:
            cloud.front.asked.clear()
            ended = made.run(program(), "create", "--set", NOT_OFFERED, cwd=fleet / "clusters/qa", expect=(5,))
            if len(cloud.front.asked) < QUESTIONS:
                raise Wrong(f"only {len(cloud.front.asked)} questions were asked")
            return Reading(ended.seconds)

        yield Contest(run)


class Eks:
    """Branches of a cluster on the imitated EKS, and the same root by Terraform alone."""

    def __init__(self, life: Life) -> None:
        self.life = life
        self._numbers = itertools.count()

    def branch(self) -> float:
        """Seconds to Flux Ready; the cluster is checked and gone afterwards."""
        name = f"story-{next(self._numbers)}"
        began = time.perf_counter()
        made = self.life.world.karrots("branch", f"feature/{name}", name, "-o", "json").document
        seconds = time.perf_counter() - began
        if made["phase"] != "ready" or name not in self.life.aws.eks.clusters:
            raise Wrong("the cluster is not there")
        self.life.world.karrots("destroy", name, "--yes")
        return seconds

    def raw(self) -> float:
        """`terraform init` and `apply`, of a root of the same shape."""
        folder = VARIANTS["eks-main"].write(self.life.world.root / f"raw-{next(self._numbers)}")
        (folder / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
        began = time.perf_counter()
        self._terraform(folder, "init", "-input=false")
        self._terraform(folder, "apply", "-input=false", "-auto-approve")
        seconds = time.perf_counter() - began
        if VARIANTS["eks-main"].name not in self.life.aws.eks.clusters:
            raise Wrong("the cluster is not there")
        self._terraform(folder, "destroy", "-input=false", "-auto-approve")
        return seconds

    def _terraform(self, folder: Path, *words: str) -> None:
        tool = shutil.which("terraform") or "terraform"
        done = subprocess.run([tool, *words], cwd=folder, env=self.life.world.env, capture_output=True, check=False)
        if done.returncode:
            raise Wrong(f"terraform {words[0]} ended with {done.returncode}: {done.stderr[-300:].decode()}")


@contextmanager
def eks(bench: Bench) -> Iterator[Eks]:
    """With a cluster `qa` to branch from."""
    if providers.mirror("hashicorp/aws") is None:
        raise Wrong(providers.NONE.format(name="hashicorp/aws"))
    with tempfile.TemporaryDirectory(prefix="karrots-bench-") as folder:
        settings, root = (Path(folder).resolve() / name for name in ("settings", "fleet"))
        settings.mkdir()
        root.mkdir()
        with eks_fleet(root, bench.engine, providers.configured("hashicorp/aws", settings)) as life:
            life.world.karrots("create")
            yield Eks(life)


@row("eks-branch", "branch on EKS (imitated), to Flux Ready", Target(times=1 / 1.1), long=True)
def eks_branch(bench: Bench) -> Iterator[Contest]:
    with eks(bench) as made:
        yield Contest(
            lambda: Reading(made.branch()),
            {"terraform init, apply; no Flux": lambda: Reading(made.raw())},
        )


@row(
    "eks-slow",
    f"what branch adds to Terraform, control plane in {CREATING_SECONDS:.0f} s",
    Target(most=10.0),
    long=True,
)
def eks_slow(bench: Bench) -> Iterator[Contest]:
    with eks(bench) as made:
        made.life.aws.eks.hold = CREATING_SECONDS

        def run() -> Reading:
            raw = made.raw()
            ours = made.branch()
            return Reading(ours - raw, {"branch": ours, "Terraform alone": raw})

        yield Contest(run)


ROWS = (preflight, eks_branch, eks_slow)
