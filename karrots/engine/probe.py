"""Whether the engine's programs work on this computer."""

from __future__ import annotations

import os
import platform
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from karrots.adapters import process
from karrots.errors import KarrotsError, PreflightFailed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from karrots.engine.recipe import Program

VARIABLE = "KARROTS_ENGINE_BIN"
PROBE_SECONDS = 30.0


def probe(folder: Path, programs: Sequence[Program]) -> None:
    """Start each program once. Raises PreflightFailed naming the first that does not work."""
    with ThreadPoolExecutor(max_workers=4) as pool:
        for name, complaint in zip(programs, pool.map(lambda one: _complaint(folder, one), programs), strict=True):
            if complaint:
                raise PreflightFailed(
                    f"the engine's program '{name.name}' does not work",
                    why=f"{folder / name.name}: {complaint}",
                    hint=f"karrots engine build, or name another folder in {VARIABLE}",
                )


def _complaint(folder: Path, program: Program) -> str:
    path = folder / program.name
    if not os.access(path, os.X_OK):
        return "it is not executable"
    try:
        process.run([str(path), *program.probe], timeout=PROBE_SECONDS)
    except KarrotsError as error:
        if getattr(error, "status", 0) == process.CANNOT_EXECUTE:
            return f"it does not start on {sys.platform} {platform.machine()}: {error.why}"
        return f"{error.message}: {error.why}"
    return ""
