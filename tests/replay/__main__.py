"""`make replay`: every shape of every cloud's root, against every recorded version of its provider; then the faults.

Ends with 1 when something is not clean, or a fault is not found. Arguments are beginnings of names of shapes.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from karrots.report.tables import table
from tests.replay.faults import FAULTS
from tests.replay.play import complaints, played
from tests.replay.versions import missing, note, recorded
from tests.support.variants import VARIANTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from karrots.ops.rehearse_terraform import Rehearsed
    from karrots.replay.schemas import Recorded
    from tests.replay.faults import Fault
    from tests.support.variants import Variant

LISTED = 5  # complaints of one root


def main(wanted: list[str]) -> int:
    from karrots import places
    from karrots.replay import program

    began = time.monotonic()
    built = program.ensure(lambda done, total, what, _: say(f"{done}/{total} {what}") if done == total else None)
    chosen = {name: each for name, each in VARIANTS.items() if not wanted or name.startswith(tuple(wanted))}
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["KARROTS_HOME"] = f"{scratch}/home"
        places.private_folder(places.replay_provider())
        (places.replay_provider() / built.parent.name).symlink_to(built.parent)
        lived, found = lives(chosen, Path(scratch)), faults(chosen, Path(scratch))
    bad = [*lived, *found].count(False)
    counts = f"{len(chosen)} shapes, {len(lived)} lives, {len(found)} faults"
    say(f"{note()}\n{counts}, {seconds(time.monotonic() - began)}, {bad or 'nothing'} amiss")
    return 1 if bad or not chosen else 0


def lives(chosen: dict[str, Variant], scratch: Path) -> list[bool]:
    """For each shape and schema, whether it was clean."""
    rows: list[tuple[str, ...]] = []
    amiss: list[str] = []
    for name, shape in chosen.items():
        versions = recorded(shape.provider)
        if not versions:
            rows.append((name, *["-"] * 8, "NOT PLAYED"))
            amiss.append(f"{name}: {missing(shape.provider)}")
        for version in versions:
            result = played(shape.write(scratch / f"{name}-{version.version}"), [version])
            told = complaints(result)
            rows.append(row(name, version, result, clean=not told))
            amiss += [f"{name} {version.label}: {line}" for line in told[:LISTED]]
    head = ("SHAPE", "SCHEMA", "RESOURCES", "INIT", "VALIDATE", "PLAN", "APPLY", "AGAIN", "DESTROY", "")
    say(table(head, rows) + "\n".join(amiss))
    return [each[-1] == "clean" for each in rows]


def row(name: str, version: Recorded, result: Rehearsed, *, clean: bool) -> tuple[str, ...]:
    times = [f"{stage.seconds:.1f}" for stage in result.stages]
    made = next((stage.found for stage in result.stages if stage.name == "apply"), "-").removesuffix(" made")
    return (name, version.label, made, *times, *["-"] * (6 - len(times)), "clean" if clean else "NOT CLEAN")


def faults(chosen: dict[str, Variant], scratch: Path) -> list[bool]:
    """For each, whether it was found."""
    rows = [
        (fault.name, fault.variant, version.label, told, f"{taken:.1f}")
        for number, fault in enumerate(FAULTS)
        if fault.variant in chosen
        for version, told, taken in planted(fault, chosen[fault.variant], scratch / f"fault-{number}")
    ]
    say(table(("FAULT", "SHAPE", "SCHEMA", "FOUND", "SECONDS"), rows))
    return [each[3] != "NOT FOUND" for each in rows]


def planted(fault: Fault, shape: Variant, folder: Path) -> Iterator[tuple[Recorded, str, float]]:
    """With the newest recording."""
    root = shape.write(folder)
    fault.plant(root)
    for version in recorded(shape.provider)[-1:]:
        result = played(root, [version])
        found = next((line for line in complaints(result) if fault.is_told(line)), None)
        yield version, f"at {result.stages[-1].name}: {fault.says}" if found else "NOT FOUND", result.seconds


def seconds(value: float) -> str:
    return f"{value:.0f} s"


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
