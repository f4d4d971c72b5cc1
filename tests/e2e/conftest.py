"""Stories on real clusters: one world for each module, with one engine build for all."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.support import environment, fleets
from tests.support.command_line import Outcome, karrots
from tests.support.repositories import git

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class World:
    """A folder with a home, a fleet and all that karrots keeps; nothing else of the computer is used."""

    root: Path
    directory: Path
    env: dict[str, str]

    def karrots(self, *words: str, expect: int | None = 0, cwd: Path | None = None) -> Outcome:
        return karrots(*words, cwd=cwd or self.directory, env=self.env, expect=expect)

    def git(self, *words: str) -> str:
        return git(self.directory, *words)

    def commit(self, path: str, before: str, after: str) -> str:
        return fleets.commit(self.directory, path, before, after)

    def kubectl(self, cluster: str, *words: str) -> str:
        return self.karrots("run", cluster, "--", "kubectl", *words).out.strip()

    def image(self, cluster: str, deployment: str = "front") -> str:
        path = "jsonpath={.spec.template.spec.containers[0].image}"
        return self.kubectl(cluster, "-n", "shop", "get", "deployment", deployment, "-o", path)

    def processes(self) -> list[str]:
        """Command lines that name this world, but for our own."""
        return [
            " ".join(p.info["cmdline"])
            for p in psutil.process_iter(["cmdline", "pid"])
            if p.info["pid"] != os.getpid() and any(str(self.root) in word for word in p.info["cmdline"] or ())
        ]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, engine_bin: Path) -> Iterator[World]:
    with opened(tmp_path_factory.mktemp("world"), engine_bin) as made:
        yield made


@contextmanager
def opened(root: Path, engine_bin: Path) -> Iterator[World]:
    """The shop without its HelmRelease, so that nothing waits for Helm; whatever runs at the end is taken down."""
    (root / "tmp").mkdir()
    own = {"KARROTS_ENGINE_BIN": str(engine_bin), "TMPDIR": str(root / "tmp")}
    env = environment.inherited() | environment.settings(root) | own
    with pytest.MonkeyPatch.context() as patch:
        for name, value in env.items():
            patch.setenv(name, value)
        directory = fleets.shop(root)
        fleets.without_release(directory)
    made = World(root, directory, env)
    try:
        yield made
    finally:
        take_down(made)


def take_down(made: World) -> None:
    for found in made.karrots("engine", "list", "-o", "json").document["clusters"]:
        karrots("engine", "stop", found["id"], cwd=made.directory, env=made.env, expect=None)
    left = made.processes()
    for process in psutil.process_iter(["cmdline"]):
        if any(str(made.root) in word for word in process.info["cmdline"] or ()) and process.pid != os.getpid():
            process.kill()
    assert not left, f"still running after a stop: {left}"
