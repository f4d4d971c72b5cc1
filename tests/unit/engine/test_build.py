from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from karrots.engine import binaries, build, recipe
from karrots.errors import PreflightFailed, ToolFailed
from tests.support.told import Told

if TYPE_CHECKING:
    from pathlib import Path

    from karrots.engine.recipe import Recipe, Say


@pytest.mark.parametrize(
    ("package", "name"),
    [
        ("k8s.io/kubernetes/cmd/kubectl", "kubectl"),
        ("go.etcd.io/etcd/server/v3", "server"),
        ("example.com/vet", "vet"),
        ("example.com/v2x", "v2x"),
    ],
)
def test_the_names_go_gives(package: str, name: str) -> None:
    assert build._go_names_it(package) == name


def test_progress_passes_over_what_is_no_event() -> None:
    told = Told()
    progress = build.Progress(2, told)
    for line in ("", "go: downloading x", "{", '{"ImportPath": "a", "Action": "build-output", "Output": "a\\n"}'):
        progress.line(line)
    progress.line('{"ImportPath": "a", "Action": "build-output", "Output": "a.go:1:2: undefined: x\\n"}')
    progress.line('{"ImportPath": "a", "Action": "build-fail"}')
    assert told.packages == [(1, 2, "a")]
    assert progress.complaints == ["a.go:1:2: undefined: x"]


def test_more_packages_than_counted_do_not_pass_the_total() -> None:
    told = Told()
    progress = build.Progress(1, told)
    for package in ("a", "b"):
        progress.line(json.dumps({"ImportPath": package, "Output": f"{package}\n"}))
    assert told.packages == [(1, 1, "a"), (1, 1, "b")]


def test_the_real_recipe_would_be_built_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Recipe, Path]] = []

    def instead(what: Recipe, folder: Path, say: Say) -> binaries.Binaries:
        asked.append((what, folder))
        return binaries.Binaries(folder, {})

    monkeypatch.setattr(binaries, "_build", instead)
    assert binaries.locate() is None
    binaries.ensure()
    assert asked == [(recipe.engine(), binaries.cached_folder())]
    assert str(binaries.cached_folder()).startswith(os.environ["KARROTS_HOME"])


def test_a_disk_that_filled_up_meanwhile_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "build.log"
    log.write_text("write: no space left on device\n")
    progress = build.Progress(1, Told())
    failure = build._failure(["go", "build"], 1, log, progress, tmp_path)
    assert isinstance(failure, ToolFailed)
    assert failure.tail == "write: no space left on device"
    monkeypatch.setattr(build, "PROGRAM_BYTES", 10**18)
    assert isinstance(build._failure(["go", "build"], 1, log, progress, tmp_path), PreflightFailed)
