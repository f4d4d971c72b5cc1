"""Takes over what Terraform made and did not write down, under a provider that plays its recorded schema."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from karrots.providers import PROVIDERS
from karrots.steps import infrastructure
from tests.conformance.roots import root_of
from tests.replay.play import complaints, played
from tests.replay.versions import recorded

if TYPE_CHECKING:
    from pathlib import Path

    from karrots.fleet.record import Record
    from karrots.spec.cluster import ClusterSpec
    from karrots.steps.context import Context


@dataclass(frozen=True)
class TakenOver:
    """Of one life: how many things Terraform made, how many it had in the end, and what it complained about."""

    made: int
    had: int
    complaints: list[str]

    @property
    def imported(self) -> int:
        return self.had - self.made


def imported(folder: Path, record: Record, spec: ClusterSpec) -> Path:
    """The rendered root, with the blocks that an operation puts beside it."""
    root = root_of(folder, record.provider, spec, record)
    run = SimpleNamespace(resume="karrots create", note=lambda _: None)
    known = {"provider": PROVIDERS[record.provider], "record": record, "section": None, "spec": spec, "run": run}
    ctx = SimpleNamespace(**known, root=SimpleNamespace(folder=root))
    infrastructure.take_over(cast("Context", ctx), {})
    return root


def lived(root: Path, cloud: str) -> TakenOver:
    result = played(root, recorded(cloud)[-1:])
    counts = {stage.name: int((re.match(r"\d+", stage.found) or ["0"])[0]) for stage in result.stages}
    return TakenOver(counts.get("apply", 0), counts.get("destroy", 0), complaints(result))
