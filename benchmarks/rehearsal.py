"""Rows of `karrots rehearse`: content of some size on a throw-away cluster, from the command until nothing is left.

Flux's own published rate at 1,000 objects is 3.9 objects a second; the time of 1,000 here is to be read beside that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import fleets
from benchmarks.row import Contest, Reading, Target, Wrong, row
from benchmarks.world import World, world
from karrots.engine import cluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.row import Bench

# What Flux applies of the shop as fleets.py leaves it.
SHOP = 20
FEW, MANY = 50, 1000
CONFIG_MAP = """\
apiVersion: v1
kind: ConfigMap
metadata: {{name: many-{0}, namespace: shop}}
data: {{host: "${{cluster_domain}}", number: "{0}"}}
"""


def grown(made: World, objects: int) -> Path:
    """The shop with so many objects in all."""
    directory = fleets.shop(made)
    more = directory / "flux/apps/more.yaml"
    added = [CONFIG_MAP.format(number) for number in range(objects - SHOP)]
    more.write_text("---\n".join([more.read_text(), *added]))
    made.git("commit", "--quiet", "--all", "--message", "Grown", cwd=directory)
    return directory


def rehearsed(made: World, directory: Path, objects: int) -> Reading:
    ended = made.karrots("rehearse", "-o", "json", cwd=directory)
    told = ended.document
    if not told["passed"] or told["applied"] != objects:
        raise Wrong(f"{told['applied']} objects, not {objects}: {told['verdict']}")
    if cluster.clusters() or made.git("for-each-ref", "refs/namespaces", cwd=directory):
        raise Wrong("a cluster or a ref is left")
    return Reading(ended.seconds)


def _contest(bench: Bench, objects: int) -> Iterator[Contest]:
    with world(bench.engine) as made:
        directory = grown(made, objects)
        yield Contest(lambda: rehearsed(made, directory, objects))


@row("rehearse-few", f"rehearse {FEW} objects", Target(most=6.0))
def few(bench: Bench) -> Iterator[Contest]:
    yield from _contest(bench, FEW)


@row("rehearse-many", f"rehearse {MANY:,} objects", Target(most=30.0))
def many(bench: Bench) -> Iterator[Contest]:
    yield from _contest(bench, MANY)


ROWS = (few, many)
