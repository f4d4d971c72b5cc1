"""Rows on clouds, with an account on loopback that takes its time."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks.clusters import at_once, journal
from benchmarks.row import Contest, Reading, Target, Unit, Wrong, row
from benchmarks.world import program, world
from karrots.adapters.aws import Aws
from karrots.adapters.aws_eks import token
from tests.support import aws, providers
from tests.support.eks_account.fleet import eks_fleet
from tests.support.variants import VARIANTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from benchmarks.row import Bench
    from tests.support.eks_account.eks_service import Reached
    from tests.support.eks_account.fleet import Life

ANSWER_SECONDS = 0.1
QUESTIONS = 15
CREATING_SECONDS = 60.0
AT_ONCE = 8
LOOK_SECONDS = 0.2
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
    """Branches of a cluster on the imitated EKS, and the same by hand: Terraform alone, then kubectl for Flux."""

    def __init__(self, life: Life, kubectl: Path) -> None:
        self.life = life
        self._kubectl = kubectl
        self._numbers = itertools.count()

    def name(self) -> str:
        return f"story-{next(self._numbers)}"

    def branch(self) -> Reading:
        """Seconds to Flux Ready, beside them those of each step; the cluster is checked and gone afterwards."""
        name = self.name()
        began = time.perf_counter()
        made = self.life.world.karrots("branch", f"feature/{name}", name, "-o", "json").document
        seconds = time.perf_counter() - began
        self.check(name, made["phase"])
        steps = journal(self.life.world.root / "karrots/state/runs", "branch")
        self.destroy(name)
        return Reading(seconds, steps)

    def at_once(self, names: list[str]) -> list[dict[str, Any]]:
        """What each says in the end."""
        world = self.life.world
        words = [[str(program()), "branch", f"feature/{name}", name, "-o", "json"] for name in names]
        return [json.loads(out) for out in at_once(words, world.directory, world.env)[1]]

    def check(self, name: str, phase: str) -> None:
        if phase != "ready" or name not in self.life.aws.eks.clusters:
            raise Wrong(f"the cluster {name} is not there, or only {phase}")

    def destroy(self, name: str) -> None:
        self.life.world.karrots("destroy", name, "--yes")

    def raw(self) -> Reading:
        """`terraform init` and `apply`, of a root of the same shape, then Flux as somebody would by hand."""
        folder = VARIANTS["eks-main"].write(self.life.world.root / f"raw-{next(self._numbers)}")
        (folder / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
        began = time.perf_counter()
        self._terraform(folder, "init", "-input=false")
        self._terraform(folder, "apply", "-input=false", "-auto-approve")
        terraform = time.perf_counter() - began
        self._flux(VARIANTS["eks-main"].name, folder)
        seconds = time.perf_counter() - began
        self._terraform(folder, "destroy", "-input=false", "-auto-approve")
        return Reading(seconds, {"Terraform": terraform, "Flux": seconds - terraform})

    def _terraform(self, folder: Path, *words: str) -> None:
        self._run([shutil.which("terraform") or "terraform", *words], folder)

    def _run(self, argv: list[str], folder: Path) -> None:
        done = subprocess.run(argv, cwd=folder, env=self.life.world.env, capture_output=True, check=False)
        if done.returncode:
            raise Wrong(f"{argv[0]} {argv[1]} ended with {done.returncode}: {done.stderr[-300:].decode()}")

    def _flux(self, cluster: str, folder: Path) -> None:
        """Its components, then what `qa` follows, and a wait until that is Ready."""
        reached = self.life.planes.reached(cluster)
        if reached is None:
            raise Wrong("the cluster is not there")
        (folder / "config").write_text(json.dumps(_kubeconfig(reached, token(Aws(aws.REGION), cluster).text)))
        (folder / "sync.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": self._followed()}))
        kubectl = [str(self._kubectl), f"--kubeconfig={folder / 'config'}"]
        server_side = [*kubectl, "apply", "--server-side", "-f"]
        self._run([*server_side, str(self.life.world.root / "gotk.yaml")], folder)
        self._run([*kubectl, "wait", "crd", "--all", "--for=condition=Established", "--timeout=60s"], folder)
        self._run([*server_side, "sync.json"], folder)
        ready = ["kustomization/flux-system", "--for=condition=Ready", "--timeout=120s"]
        self._run([*kubectl, "-n", "flux-system", "wait", *ready], folder)

    def _followed(self) -> list[dict[str, Any]]:
        kinds = "secret/karrots-git,configmap/karrots-identity,gitrepository/flux-system,kustomization/flux-system"
        found = self.life.kubectl("qa", "-n", "flux-system", "get", *kinds.split(","), "-o", "json")
        return [_as_given(item) for item in json.loads(found)["items"]]


def _kubeconfig(reached: Reached, secret: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "clusters": [{"name": "it", "cluster": {"server": reached.endpoint, "certificate-authority-data": reached.ca}}],
        "users": [{"name": "it", "user": {"token": secret}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
    }


def _as_given(item: dict[str, Any]) -> dict[str, Any]:
    """Without what the API server adds."""
    kept = {key: value for key, value in item.items() if key != "status"}
    return {**kept, "metadata": {key: item["metadata"][key] for key in ("name", "namespace")}}


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
            yield Eks(life, bench.engine / "kubectl")


@row("eks-branch", "branch on EKS (imitated), to Flux Ready", Target(times=1 / 1.1), long=True)
def eks_branch(bench: Bench) -> Iterator[Contest]:
    with eks(bench) as made:
        yield Contest(made.branch, {"terraform init, apply; kubectl apply, wait": made.raw})


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
            raw = made.raw().beside["Terraform"]
            ours = made.branch().value
            return Reading(ours - raw, {"branch": ours, "Terraform alone": raw})

        yield Contest(run)


@row(
    "eks-eight",
    f"memory that {AT_ONCE} branches on EKS at once take, their control planes included",
    unit=Unit.bytes,
    long=True,
)
def eks_eight(bench: Bench) -> Iterator[Contest]:
    """All of them Ready in the end, so the memory was enough."""
    with eks(bench) as made:

        def run() -> Reading:
            names = [made.name() for _ in range(AT_ONCE)]
            with Peak() as peak:
                ended = made.at_once(names)
            for name, document in zip(names, ended, strict=True):
                made.check(name, document["phase"])
                made.destroy(name)
            return Reading(peak.bytes)

        yield Contest(run)


class Peak:
    """The most memory that was taken at a time from what was there at the beginning."""

    def __init__(self) -> None:
        self._before = self._least = psutil.virtual_memory().available
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    @property
    def bytes(self) -> float:
        return self._before - self._least

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            self._least = min(self._least, psutil.virtual_memory().available)


ROWS = (preflight, eks_branch, eks_slow, eks_eight)
