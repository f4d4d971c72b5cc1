"""Controllers as processes beside a cluster whose nodes are simulated: what a kubelet would start, started here."""

from __future__ import annotations

import json
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.e2e.conftest import World

PATIENCE = 20.0


@dataclass
class Controllers:
    """Programs of `folder`, each started for one cluster of `world`, with a log that says what it did."""

    world: World
    folder: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def deployed(self, cluster: str, namespace: str, name: str) -> dict[str, Any]:
        """The Deployment as it is in the cluster."""
        words = ("-n", namespace, "get", "deployment", name, "-o", "json")
        found: dict[str, Any] = json.loads(self.world.kubectl(cluster, *words))
        return found

    def arguments(self, cluster: str, namespace: str, name: str) -> list[str]:
        """What the pods of a Deployment are started with; a Deployment of no pods starts nothing."""
        spec = self.deployed(cluster, namespace, name)["spec"]
        assert spec["replicas"] > 0, f"{name} is not started in {cluster}"
        (container,) = spec["template"]["spec"]["containers"]
        arguments: list[str] = container["args"]
        return arguments

    def kubeconfig(self, cluster: str) -> str:
        return str(self.world.karrots("env", cluster, "-o", "json").document["kubeconfig"])

    def start(self, program: str, cluster: str, arguments: list[str], env: Mapping[str, str] | None = None) -> None:
        key = f"{program}-{cluster}"
        assert key not in self.running, f"{key} runs"
        place = self.world.root / key
        place.mkdir(exist_ok=True)
        told = {**self.world.env, "KUBECONFIG": self.kubeconfig(cluster), "TMPDIR": str(place), **(env or {})}
        with (place / "log").open("ab") as log:
            argv = [str(self.folder / program), *arguments]
            self.running[key] = subprocess.Popen(argv, cwd=place, env=told, stdout=log, stderr=log)

    def stop(self, program: str, cluster: str) -> None:
        self._end(self.running.pop(f"{program}-{cluster}"))

    def log(self, program: str, cluster: str) -> str:
        return (self.world.root / f"{program}-{cluster}" / "log").read_text("utf-8", "replace")

    def is_well(self) -> bool:
        """Raises when one of them has ended by itself, with the last it said."""
        for key, process in self.running.items():
            said = (self.world.root / key / "log").read_text("utf-8", "replace")[-2000:]
            assert process.poll() is None, f"{key} ended: {said}"
        return True

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def end(self) -> None:
        while self.running:
            self._end(self.running.popitem()[1])


@contextmanager
def at_work(world: World, folder: Path) -> Iterator[Controllers]:
    made = Controllers(world, folder)
    try:
        yield made
    finally:
        made.end()
