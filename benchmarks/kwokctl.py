"""The peer of the engine: kwok's own tool, which starts the same control plane from the same programs, without Flux."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.row import Wrong
from karrots.adapters import process
from karrots.engine import binaries, recipe, toolchain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.world import Ended, World

PACKAGE = "sigs.k8s.io/kwok/cmd/kwokctl"
BUILD_SECONDS = 900.0
# As the engine is built, but for `-mod`: go.sum lacks two modules that kwokctl alone needs.
FLAGS = ("-trimpath", "-buildvcs=false", "-mod=mod")
PROGRAMS = {
    "etcd": "etcd",
    "kube-apiserver": "kube-apiserver",
    "kube-controller-manager": "kube-controller-manager",
    "kube-scheduler": "kube-scheduler",
    "kwok-controller": "kwok",
}
# Its components listen on every address otherwise.
LOOPBACK = """\
kind: KwokctlConfiguration
apiVersion: config.kwok.x-k8s.io/v1alpha1
options:
  bindAddress: 127.0.0.1
"""
WAIT = ("--wait", "60s")


def build() -> Path:
    """kwokctl in the engine's cache, of the version the engine's kwok has."""
    program = binaries.cached_folder() / "kwokctl"
    if program.exists():
        return program
    found = recipe.engine()
    go = toolchain.ensure(recipe.go_floor(found.modules))
    program.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".kwokctl-", dir=program.parent) as scratch:
        made = Path(scratch) / "kwokctl"
        for name in ("go.mod", "go.sum"):
            shutil.copy(found.modules / name, Path(scratch) / name)
        argv = [go.program, "build", f"-modfile={scratch}/go.mod", "-ldflags", found.ldflags, "-o", str(made), PACKAGE]
        process.run(argv, cwd=found.modules, env=go.environment(FLAGS), timeout=BUILD_SECONDS)
        made.rename(program)
    return program


@dataclass(frozen=True)
class Kwokctl:
    """Clusters of one world. Prometheus, dashboards and metrics are off unless one asks for them."""

    program: Path
    world: World
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def name(self) -> str:
        return f"peer-{next(self._numbers)}"

    def create(self, name: str, *more: str) -> Ended:
        return self.world.run(*self.create_argv(name, *more))

    def create_argv(self, name: str, *more: str) -> list[str]:
        config = self.world.root / "kwokctl.yaml"
        config.write_text(LOOPBACK)
        programs = [f"--{flag}-binary={self.world.tool(own)}" for flag, own in PROGRAMS.items()]
        named = [f"--config={config}", f"--name={name}", f"--kubeconfig={self._kubeconfig(name)}"]
        return [str(self.program), "create", "cluster", "--runtime=binary", *named, *programs, *more]

    def delete(self, name: str) -> Ended:
        ended = self.world.run(
            self.program, "delete", "cluster", f"--name={name}", f"--kubeconfig={self._kubeconfig(name)}"
        )
        if left := self.world.processes(f"/clusters/{name}/"):
            raise Wrong(f"kwokctl delete cluster left {len(left)} processes")
        return ended

    def check_ready(self, name: str) -> None:
        if self.kubectl(name, "get", "--raw", "/readyz").strip() != "ok":
            raise Wrong("kwokctl's API server is not ready")

    def kubectl(self, name: str, *words: str) -> str:
        kubectl = self.world.tool("kubectl")
        return self.world.run(kubectl, f"--kubeconfig={self._kubeconfig(name)}", *words).out

    def _kubeconfig(self, name: str) -> Path:
        return self.world.root / f"{name}.kubeconfig"
