"""The row on Terraform's state: our `http` backend beside Terraform's own `local` one."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

from benchmarks.row import Contest, Reading, Target, Wrong, row
from benchmarks.world import world
from karrots.adapters import process, terraform
from karrots.adapters.terraform_state import StateServer
from karrots.adapters.terraform_store import StateStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from benchmarks.row import Bench
    from benchmarks.world import World

RESOURCES = 1000
ROOT = f"""
resource "terraform_data" "one" {{
  count = {RESOURCES}
  input = "value of ${{count.index}}"
}}
"""
HTTP = 'terraform {\n  backend "http" {}\n}\n'
APPLY_SECONDS = 600.0


@row("state", f"terraform apply, {RESOURCES:,} resources", Target(times=3.0))
def state(bench: Bench) -> Iterator[Contest]:
    with world(bench.engine) as made:
        roots = Roots(made)
        yield Contest(roots.by_http, {"local backend": roots.by_local})


class Roots:
    """A fresh root for each run; the same resources, the same command, another backend."""

    def __init__(self, made: World) -> None:
        self.world = made
        self._program = terraform.locate().path
        self._numbers = itertools.count()

    def by_http(self) -> Reading:
        folder = self._folder(HTTP + ROOT)
        kept = folder / "kept"
        kept.mkdir()
        with StateServer(kept, holder="benchmark") as server:
            seconds = self._apply(folder, server.environment())
        _expect(StateStore(kept).resources())
        return Reading(seconds)

    def by_local(self) -> Reading:
        folder = self._folder(ROOT)
        seconds = self._apply(folder, {})
        listed = self._run(folder, {}, "state", "list")
        _expect(len(listed.splitlines()))
        return Reading(seconds)

    def _folder(self, text: str) -> Path:
        folder = self.world.root / f"root-{next(self._numbers)}"
        folder.mkdir()
        (folder / "main.tf").write_text(text)
        return folder

    def _apply(self, folder: Path, settings: Mapping[str, str]) -> float:
        """Seconds of `apply` alone."""
        self._run(folder, settings, "init", "-input=false")
        began = time.perf_counter()
        self._run(folder, settings, "apply", "-auto-approve", "-input=false")
        return time.perf_counter() - began

    def _run(self, folder: Path, settings: Mapping[str, str], *words: str) -> str:
        env = terraform.environment(settings)
        return process.run([str(self._program), *words], cwd=folder, env=env, timeout=APPLY_SECONDS).text


def _expect(count: int) -> None:
    if count != RESOURCES:
        raise Wrong(f"the state holds {count} resources, not {RESOURCES}")


ROWS = (state,)
