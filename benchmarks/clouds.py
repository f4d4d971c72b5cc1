"""Rows on clouds, with an account on loopback that takes its time."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

from benchmarks.row import Contest, Reading, Target, Wrong, row
from benchmarks.world import program, world
from tests.support import aws

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.row import Bench

ANSWER_SECONDS = 0.1
QUESTIONS = 15
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


ROWS = (preflight,)
