"""Finding the engine; the programs are small scripts, tests/integration has the real ones."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from karrots import places
from karrots.engine import assets, binaries, recipe
from karrots.engine.probe import VARIABLE
from karrots.errors import ExitCode, PreflightFailed

if TYPE_CHECKING:
    from pathlib import Path


def fill(folder: Path, text: str = "exit 0") -> Path:
    folder.mkdir(parents=True)
    for program in recipe.PROGRAMS:
        (folder / program.name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / program.name).chmod(0o755)
    (folder / assets.CRDS).write_text("[]")
    (folder / assets.STAGES).write_text("")
    files = {path.name: path.stat().st_size for path in folder.iterdir()}
    manifest = {"files": files, "go": "1.26.8", "versions": {"kubernetes": "1.36.3"}}
    (folder / assets.VERSIONS).write_text(json.dumps(manifest))
    return folder


@pytest.fixture
def named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = fill(tmp_path / "named")
    monkeypatch.setenv(VARIABLE, str(folder))
    return folder


def test_nothing_is_there_at_first() -> None:
    assert binaries.locate() is None
    assert binaries.size() == 0
    assert binaries.prune(()) == []


def test_the_cache_is_found() -> None:
    folder = fill(binaries.cached_folder())
    found = binaries.locate()
    assert found == binaries.Binaries(folder, {"kubernetes": "1.36.3", "go": "1.26.8"})
    assert binaries.ensure() == found
    assert found is not None
    assert found.path("etcd") == folder / "etcd"


def test_the_named_folder_goes_first(named: Path) -> None:
    fill(binaries.cached_folder())
    found = binaries.locate()
    assert found is not None
    assert found.folder == named
    assert binaries.ensure() == found


@pytest.mark.parametrize("name", ["etcd", "kubectl", assets.CRDS, assets.STAGES, assets.VERSIONS])
def test_a_named_folder_that_lacks_something(named: Path, name: str) -> None:
    (named / name).unlink()
    for call in (binaries.locate, binaries.ensure):
        with pytest.raises(PreflightFailed) as caught:
            call()
        assert f"'{name}'" in caught.value.why
        assert str(named) in caught.value.why
        assert VARIABLE in caught.value.hint
        assert caught.value.code is ExitCode.PREFLIGHT_FAILED


def test_a_named_folder_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "absent"))
    with pytest.raises(PreflightFailed, match="not a whole engine"):
        binaries.locate()


def test_a_named_folder_with_a_garbled_manifest(named: Path) -> None:
    (named / assets.VERSIONS).write_text("[]")
    with pytest.raises(PreflightFailed, match="cannot be read"):
        binaries.locate()


def test_a_program_that_is_not_executable(named: Path) -> None:
    (named / "kwok").chmod(0o644)
    with pytest.raises(PreflightFailed, match="kwok") as caught:
        binaries.ensure()
    assert caught.value.why.endswith("it is not executable")


def test_a_program_of_another_kind_of_computer(named: Path) -> None:
    (named / "etcd").write_bytes(b"\x7fELF" + b"\x00" * 60)
    with pytest.raises(PreflightFailed, match="etcd") as caught:
        binaries.ensure()
    assert "does not start on" in caught.value.why


def test_a_program_that_ends_with_an_error(named: Path) -> None:
    (named / "helm-controller").write_text("#!/bin/sh\necho 'no such library' >&2\nexit 127\n")
    with pytest.raises(PreflightFailed, match="helm-controller") as caught:
        binaries.ensure()
    assert "no such library" in caught.value.why


def test_a_named_folder_is_tried_once_and_after_each_change(named: Path, tmp_path: Path) -> None:
    count = tmp_path / "count"
    (named / "etcd").write_text(f"#!/bin/sh\necho x >> '{count}'\n")
    for _ in range(3):
        binaries.ensure()
    assert count.read_text() == "x\n"
    (named / "etcd").write_text(f"#!/bin/sh\n\necho x >> '{count}'\n")
    binaries.ensure()
    assert count.read_text() == "x\nx\n"


def test_a_cached_program_is_not_started_each_time() -> None:
    fill(binaries.cached_folder(), "exit 1")
    assert binaries.ensure() == binaries.locate()


@pytest.mark.parametrize("name", ["etcd", assets.CRDS, assets.VERSIONS])
def test_a_cache_that_lost_a_file_is_not_taken(name: str) -> None:
    (fill(binaries.cached_folder()) / name).unlink()
    assert binaries.locate() is None


@pytest.mark.parametrize("manifest", ["", "{}", "[]", '{"files": {}}', '{"files": []}'])
def test_a_cache_with_a_garbled_manifest_is_not_taken(manifest: str) -> None:
    (fill(binaries.cached_folder()) / assets.VERSIONS).write_text(manifest)
    assert binaries.locate() is None


def test_a_cut_file_is_not_taken() -> None:
    (fill(binaries.cached_folder()) / "etcd").write_text("#!")
    assert binaries.locate() is None


def test_prune_keeps_what_it_is_told_to() -> None:
    for name in ("old", "older", binaries.digest()):
        fill(places.engine_binaries() / name)
    half = places.engine_binaries() / ".building-x"
    half.mkdir()
    before = binaries.size()
    assert binaries.prune({"old", binaries.digest()}) == ["older"]
    assert binaries.size() == before * 2 // 3
    assert half.is_dir()
    assert binaries.prune(()) == sorted(["old", binaries.digest()])
    assert binaries.locate() is None


def test_digests_are_folder_names() -> None:
    assert binaries.cached_folder().name == binaries.digest()
    assert len(binaries.digest()) == 24
    assert binaries.digest() == binaries.digest()


def test_an_empty_variable_names_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")
    fill(binaries.cached_folder(), "exit 1")
    assert binaries.ensure() == binaries.locate()
    shutil.rmtree(binaries.cached_folder())
    assert binaries.locate() is None
