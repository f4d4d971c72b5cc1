"""Roots rehearsed in the tests' own process, against one version of a schema."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from karrots.ops.rehearse_terraform import of_folder
from karrots.ops.settings import Settings
from karrots.report.reporters import QuietReporter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from karrots.ops.rehearse_terraform import Rehearsed
    from karrots.replay.schemas import Recorded


def played(root: Path, recorded: Sequence[Recorded]) -> Rehearsed:
    settings = Settings(root, QuietReporter(io.StringIO()), ask=lambda _: False)
    return of_folder(settings, root, recorded, ())


def complaints(rehearsed: Rehearsed) -> list[str]:
    """Each thing found, on one line; what was not clean."""
    told = [f"{f.severity}: {f.file}:{f.line} {f.address} {f.summary}: {f.detail}" for f in rehearsed.findings]
    left = [f"{stage.name} {stage.outcome}" for stage in rehearsed.stages if stage.outcome != "ok"]
    return [*told, *left, *([] if rehearsed.stages[-1].name == "destroy" else ["it did not come to the end"])]
