"""`karrots demo` tells the whole story and leaves nothing behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import World

pytestmark = pytest.mark.engine


def test_demo_ends_with_its_receipt_and_leaves_nothing(world: World) -> None:
    told = world.karrots("demo", "-o", "json", cwd=world.root)
    story = told.document
    assert story["left"] == dict.fromkeys(("clusters", "records", "states", "ports", "processes", "files"), 0)
    assert story["receipt"]["cluster"] == "qa-feature-1234"
    assert story["receipt"]["left"] == []
    assert story["receipt"]["looked_for"]["processes"] > 0
    assert len(story["chapters"]) >= 7
    assert list((world.root / "tmp").iterdir()) == []
    assert world.processes() == []
    assert not (world.root / ".kube").exists()


def test_a_kept_demo_stays_and_can_be_taken_down(world: World) -> None:
    story = world.karrots("demo", "--keep", "-o", "json", cwd=world.root).document
    assert story["kept"]
    from pathlib import Path

    fleet = Path(story["folder"])
    names = [row["name"] for row in world.karrots("ls", "-o", "json", cwd=fleet).document["clusters"]]
    assert names == ["qa"]
    world.karrots("destroy", "qa", "--yes", cwd=fleet)
    assert world.processes() == []
