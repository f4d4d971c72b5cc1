"""The program that plays recorded providers: its own tests, and what is built when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from karrots.adapters import process
from karrots.engine import recipe
from karrots.engine.recipe import Recipe
from karrots.replay import program
from tests.support import golang

if TYPE_CHECKING:
    from pathlib import Path

    from karrots.engine import toolchain

go = golang.go


def test_it_passes_its_own_tests(go: toolchain.Go) -> None:
    environment = go.environment(recipe.BUILD_FLAGS)
    for verb in (("vet",), ("test", "-count=1")):
        process.run([go.program, *verb, "./..."], cwd=program.WHAT.modules, env=environment, timeout=600.0)


def test_its_sources_are_formatted(go: toolchain.Go) -> None:
    root = process.run([go.program, "env", "GOROOT"], env=go.environment(())).text.strip()
    assert process.run([f"{root}/bin/gofmt", "-l", str(program.WHAT.modules)]).text == ""


def test_it_is_no_part_of_the_engine() -> None:
    """Else each change of it would cost everybody the minutes that the engine's build takes."""
    engine = recipe.engine()
    assert not program.WHAT.modules.is_relative_to(engine.modules)
    assert recipe.digest(program.WHAT) != recipe.digest(engine)


def test_what_it_is_called_does_not_change_what_is_built() -> None:
    what = program.WHAT
    assert recipe.digest(Recipe(what.modules, what.programs)) == recipe.digest(what)


@pytest.mark.usefixtures("with_replay")
def test_what_is_built_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")  # no Go could be started
    assert program.is_built()
    assert program.ensure().is_file()


def test_nothing_is_built_unasked() -> None:
    assert not program.is_built()


def test_a_program_says_what_it_is(replay_built: Path) -> None:
    assert process.run([str(replay_built / program.NAME), "--version"]).text.startswith(program.NAME)


def test_under_another_name_it_says_how_it_must_be_called(replay_built: Path) -> None:
    done = process.run([str(replay_built / program.NAME)], check=False)
    assert done.status == 1
    assert b"terraform-provider-<name>_v<version>" in done.stderr
