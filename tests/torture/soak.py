"""Create and destroy on real engines, again and again: nothing may pile up."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from karrots import places
from karrots.pipeline import RUNS_KEPT
from tests.torture.frame import Torture, Wrong
from tests.torture.real_world import real_world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.torture.frame import Place
    from tests.torture.real_world import RealWorld


@dataclass
class Soak:
    """`kept` are the files that were there after the first run."""

    world: RealWorld
    kept: list[str] = field(default_factory=list)
    runs: int = 0

    def run(self, seed: int) -> None:
        world, name = self.world, f"soak-{seed}"
        world.karrots("create", name)
        held = world.held(world.record(name))
        world.karrots("destroy", name, "--yes")
        world.check_gone(held)
        self._check_left()
        self.runs += 1

    def _check_left(self) -> None:
        world = self.world
        if left := world.processes():  # and with them every port they listened on
            raise Wrong(f"still running: {[' '.join(found.cmdline())[:100] for found in left]}")
        files = world.kept_files()
        self.kept = self.kept or files
        if more := sorted(set(files) - set(self.kept)):
            raise Wrong(f"files that were not there after the first run: {more}")
        if temporary := [path.name for path in (world.root / "tmp").iterdir()]:
            raise Wrong(f"left among the temporary files: {temporary}")
        if len(list(places.runs().iterdir())) > RUNS_KEPT + 1:
            raise Wrong(f"more than {RUNS_KEPT} folders of runs")

    def notes(self) -> dict[str, str]:
        home = self.world.root / "karrots"
        return {
            "KiB kept at the end, runs apart": str(sum(_size(home / name) for name in self.world.kept_files()) // 1024),
            "created and destroyed": str(self.runs),
        }


def _size(path: Path) -> int:
    return os.lstat(path).st_size


@contextmanager
def soaked(place: Place) -> Iterator[Callable[[int], None]]:
    with real_world(place.folder, place.engine) as world:
        soak = Soak(world)

        def run(seed: int) -> None:
            soak.run(seed)
            place.notes.update(soak.notes())

        yield run


ROWS: tuple[Torture, ...] = (
    Torture(
        name="soak",
        title="create and destroy on real engines, again and again",
        promise="no process, port, file or temporary folder is left",
        world=soaked,
        wanted=50,
        usual=3,
        slice=1,
    ),
)
