from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from karrots.engine import recipe
from karrots.engine.recipe import Program

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    return shutil.copytree(recipe.engine().modules, tmp_path / "modules")


def test_versions_come_from_go_mod() -> None:
    versions = recipe.versions(recipe.engine().modules)
    assert set(versions) == set(recipe.MODULES)
    assert all(version[0].isdigit() for version in versions.values())


def test_the_stamps_name_the_version_of_kubernetes() -> None:
    kubernetes = recipe.versions(recipe.engine().modules)["kubernetes"]
    major, minor = kubernetes.split(".")[:2]
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        for name, value in {"gitVersion": f"v{kubernetes}", "gitMajor": major, "gitMinor": minor}.items():
            assert f"-X {package}.{name}={value}" in recipe.engine().ldflags


def test_every_program_has_a_name_of_its_own() -> None:
    names = [program.name for program in recipe.PROGRAMS]
    assert len(set(names)) == len(names)
    assert names[:2] == ["etcd", "kube-apiserver"]


def test_the_floor_of_go_comes_from_go_mod(modules: Path) -> None:
    (modules / "go.mod").write_text("module x\n\ngo 1.99.3\n")
    assert recipe.go_floor(modules) == (1, 99)


def test_the_digest_does_not_depend_on_where_the_sources_are(modules: Path) -> None:
    assert recipe.digest(replace(recipe.engine(), modules=modules)) == recipe.digest(recipe.engine())


@pytest.mark.parametrize(
    "change",
    [
        lambda modules: _append(modules / "go.mod", "// x\n"),
        lambda modules: _append(modules / "go.sum", "x\n"),
        lambda modules: _append(modules / "artifact" / "go.mod", "// x\n"),
        lambda modules: _append(modules / "artifact" / "storage" / "write.go", "// x\n"),
        lambda modules: _append(modules / "artifact" / "storage" / "new.go", "package storage\n"),
        lambda modules: (modules / "artifact" / "storage" / "lock.go").unlink(),
    ],
    ids=["go.mod", "go.sum", "artifact's go.mod", "changed source", "new source", "lost source"],
)
def test_what_is_compiled_is_in_the_digest(modules: Path, change: Callable[[Path], None]) -> None:
    what = replace(recipe.engine(), modules=modules)
    before = recipe.digest(what)
    change(modules)
    assert recipe.digest(what) != before


def test_tests_and_other_files_are_not_in_the_digest(modules: Path) -> None:
    what = replace(recipe.engine(), modules=modules)
    before = recipe.digest(what)
    _append(modules / "artifact" / "storage" / "new_test.go", "package storage\n")
    _append(modules / "notes.md", "x")
    assert recipe.digest(what) == before


def test_flags_and_programs_are_in_the_digest() -> None:
    what = recipe.engine()
    others = [
        replace(what, stamps=()),
        replace(what, programs=what.programs[1:]),
        replace(what, programs=(*what.programs, Program("new", "example.com/new"))),
    ]
    assert len({recipe.digest(one) for one in (what, *others)}) == 4


def _append(path: Path, text: str) -> None:
    path.write_text((path.read_text() if path.exists() else "") + text)
