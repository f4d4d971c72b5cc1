"""After `eject` the same directory is kept by hand, and Terraform by hand agrees with karrots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import World

pytestmark = pytest.mark.engine


def test_a_plan_by_hand_shows_no_change(world: World) -> None:
    world.karrots("create")
    world.karrots("eject")
    world.git("commit", "-qam", "Keep terraform/ by hand")
    world.karrots("identity", "--write")
    assert world.git("status", "--porcelain") == "", "the identity file is ignored by git"
    terraform = ("run", "qa", "--", "terraform", "-chdir=terraform")
    world.karrots(*terraform, "init", "-input=false")
    world.karrots(*terraform, "plan", "-input=false", "-detailed-exitcode")


def test_an_edit_by_hand_is_what_apply_uses(world: World) -> None:
    file = world.directory / "terraform/outputs.tf"
    file.write_text(file.read_text() + '\noutput "greeting" {\n  value = "by hand"\n}\n')
    world.git("commit", "-qam", "An output of our own")
    world.karrots("apply", "qa")
    out = world.karrots("run", "qa", "--", "terraform", "-chdir=terraform", "output", "-raw", "greeting")
    assert out.out.strip() == "by hand"


def test_render_refuses_an_ejected_directory(world: World) -> None:
    refused = world.karrots("render", expect=2)
    assert "ejected" in refused.err


def test_destroy_uses_the_ejected_root(world: World) -> None:
    receipt = world.karrots("destroy", "qa", "--yes", "-o", "json").document
    assert receipt["left"] == []
    assert world.processes() == []
