"""The clouds' templates against recorded schemas; `make replay` plays all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from karrots.replay import schemas
from tests.replay.faults import FAULTS, Fault
from tests.replay.play import complaints, played
from tests.replay.versions import NOT_FOR_TEMPLATES, PROVIDERS
from tests.schemas.kept import is_kept
from tests.support.variants import VARIANTS

if TYPE_CHECKING:
    from pathlib import Path

    from karrots.replay.schemas import Recorded


def ours(cloud: str) -> list[Recorded]:
    """Those in tests/data/schemas alone, whatever KARROTS_EXTRA_SCHEMAS says: a test is the same everywhere."""
    found = [each for each in schemas.shipped() if each.name == PROVIDERS[cloud]]
    return [each for each in found if (each.name, str(each.version).partition(".")[0]) not in NOT_FOR_TEMPLATES]


PLAYED = {name: shape for name, shape in VARIANTS.items() if ours(shape.provider)}
# One of each cloud in its richest form; the others are a `make replay` away.
RICH = [name for name in ("eks-pools", "eks-services", "eks-karpenter", "gke-pools", "aks-pools") if name in PLAYED]
PLANTED = [fault for fault in FAULTS if fault.variant in PLAYED]


@pytest.mark.usefixtures("with_replay")
@pytest.mark.parametrize("name", RICH)
def test_a_root_lives_cleanly_with_every_recording(name: str, tmp_path: Path) -> None:
    shape = VARIANTS[name]
    told = {
        each.label: complaints(played(shape.write(tmp_path / str(each.version)), [each]))
        for each in ours(shape.provider)
    }
    assert told
    assert {label: lines for label, lines in told.items() if lines} == {}


@pytest.mark.usefixtures("with_replay")
@pytest.mark.parametrize("fault", PLANTED, ids=lambda each: each.name)
def test_a_planted_fault_is_found(fault: Fault, tmp_path: Path) -> None:
    shape = VARIANTS[fault.variant]
    fault.plant(shape.write(tmp_path / "root"))
    told = complaints(played(tmp_path / "root", ours(shape.provider)[-1:]))
    assert any(fault.is_told(line) for line in told), told


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_every_type_in_a_root_is_recorded(name: str, tmp_path: Path) -> None:
    import re

    root = VARIANTS[name].write(tmp_path / "root")
    text = "".join(file.read_text() for file in root.glob("*.tf"))
    types = {kind for _, kind in re.findall(r'^(resource|data) "(\w+)"', text, re.MULTILINE)}
    assert types
    assert {kind for kind in types - {"terraform_data"} if not is_kept(kind)} == set()  # that one is Terraform's own
