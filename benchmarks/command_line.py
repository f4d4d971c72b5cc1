"""Rows on what a prompt or a script asks again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import fleets
from benchmarks.records import fill
from benchmarks.row import Contest, Reading, Target, Wrong, row
from benchmarks.world import program, world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.row import Bench, Run
    from benchmarks.world import World

RECORDS = 1000


def saying(made: World, wanted: str, *argv: str | Path, cwd: Path | None = None) -> Run:
    """A run of a program whose output must hold `wanted`."""

    def run() -> Reading:
        ended = made.run(*argv, cwd=cwd)
        if wanted not in ended.out:
            raise Wrong(f"the answer lacks '{wanted}'")
        return Reading(ended.seconds)

    return run


def floors(made: World) -> dict[str, Run]:
    return {
        "kubectl version --client": saying(made, "Client Version", made.tool("kubectl"), "version", "--client"),
        "git --version": saying(made, "git version", "git", "--version"),
    }


@row("version", "karrots --version", Target(most=0.080), often=4)
def version(bench: Bench) -> Iterator[Contest]:
    from karrots import __version__

    with world(bench.engine) as made:
        yield Contest(saying(made, __version__, program(), "--version"), floors(made))


@row("help", "karrots --help", Target(most=0.150), often=4)
def help_(bench: Bench) -> Iterator[Contest]:
    with world(bench.engine) as made:
        yield Contest(saying(made, "destroy", program(), "--help"), floors(made))


@row("ls", f"karrots ls, {RECORDS:,} records", Target(most=0.250), often=4)
def ls(bench: Bench) -> Iterator[Contest]:
    with world(bench.engine) as made:
        directory = fleets.shop(made)
        fill(made, directory, RECORDS)

        def run() -> Reading:
            ended = made.karrots("ls", cwd=directory)
            if sum(1 for line in ended.out.splitlines() if line.startswith("story-")) != RECORDS:
                raise Wrong("not every cluster is listed")
            return Reading(ended.seconds)

        yield Contest(run, floors(made))


ROWS = (version, help_, ls)
