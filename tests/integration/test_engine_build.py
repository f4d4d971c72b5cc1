"""Building, with the real Go and a module of two small programs."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from karrots.adapters import process
from karrots.engine import assets, binaries, build
from karrots.engine.recipe import Program, Recipe
from karrots.errors import Failed, PreflightFailed, ToolFailed
from tests.support import golang
from tests.support.told import Told

if TYPE_CHECKING:
    from pathlib import Path

    from karrots.engine import toolchain
    from karrots.engine.recipe import Say


pytestmark = pytest.mark.engine
go = golang.go


@pytest.fixture(autouse=True)
def small_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two small programs do not need the gigabytes that the engine does."""
    for name in ("MODULE_BYTES", "CACHE_BYTES", "PROGRAM_BYTES"):
        monkeypatch.setattr(build, name, 1_000_000)


@pytest.fixture
def what(tmp_path: Path, go: toolchain.Go) -> Recipe:
    modules = tmp_path / "modules"
    for name in ("alpha", "beta/v2"):
        folder = modules / "cmd" / name
        folder.mkdir(parents=True)
        # A source of this test alone, so that no other test has put it into Go's cache.
        source = f'package main\n\nvar version = "{tmp_path}"\n\nfunc main() {{ println(version) }}\n'
        (folder / "main.go").write_text(source)
    (modules / "go.mod").write_text("module example.com/tiny\n\ngo 1.26.0\n")
    (modules / "go.sum").write_text("")
    programs = (Program("alpha", "example.com/tiny/cmd/alpha"), Program("second", "example.com/tiny/cmd/beta/v2"))
    return Recipe(modules, programs, (("main.version", "7.8.9"),))


def made(what: Recipe, folder: Path, say: Say) -> binaries.Binaries:
    return binaries._build(what, folder, say)


def test_a_build_is_complete_and_stamped(what: Recipe, tmp_path: Path) -> None:
    told = Told()
    found = made(what, tmp_path / "engine" / "digest", told)
    assert {path.name for path in found.folder.iterdir()} == {"alpha", "second", *assets.FILES}
    for name in ("alpha", "second"):
        done = process.run([str(found.path(name))])
        assert done.stderr == b"7.8.9\n"
    assert binaries.complete(found.folder, what)
    assert found.versions["go"].startswith("1.")
    assert [path.name for path in (tmp_path / "engine").iterdir() if path.name.startswith(".")] == []
    assert told.phases[0] == "looking for Go"
    last = told.packages[-1]
    assert last[0] == last[1]


def test_progress_counts_what_go_compiles(what: Recipe, tmp_path: Path) -> None:
    made(what, tmp_path / "engine" / "warm", lambda *_: None)
    (what.modules / "cmd" / "alpha" / "more.go").write_text("package main\n\nvar more = 1\n")
    told = Told()
    made(what, tmp_path / "engine" / "digest", told)
    counted = [(done, total) for done, total, what, _ in told.lines if what.startswith("example.com")]
    assert counted[0] == (1, 2)
    assert all(left is None or left > 0 for *_, left in told.lines)


def test_a_source_that_does_not_compile(what: Recipe, tmp_path: Path) -> None:
    (what.modules / "cmd" / "alpha" / "main.go").write_text("package main\n\nfunc main() { nonsense() }\n")
    with pytest.raises(ToolFailed) as caught:
        made(what, tmp_path / "engine" / "digest", lambda *_: None)
    assert "undefined: nonsense" in caught.value.tail
    assert caught.value.log == tmp_path / "engine" / build.LOG
    assert not (tmp_path / "engine" / "digest").exists()


def test_modules_that_cannot_be_had(what: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOPROXY", f"file://{tmp_path}/empty")
    monkeypatch.setenv("GOMODCACHE", str(tmp_path / "modules-cache"))
    with (what.modules / "go.mod").open("a") as file:
        file.write("require example.com/absent v1.0.0\n")
    source = 'package main\n\nimport _ "example.com/absent"\n\nfunc main() {}\n'
    (what.modules / "cmd" / "alpha" / "main.go").write_text(source)
    with pytest.raises(Failed, match="modules") as caught:
        made(what, tmp_path / "engine" / "digest", lambda *_: None)
    assert "GOPROXY" in caught.value.hint
    assert "example.com/absent" in caught.value.why


def test_a_program_that_does_not_work_is_not_taken(what: Recipe, tmp_path: Path) -> None:
    (what.modules / "cmd" / "alpha" / "main.go").write_text('package main\n\nfunc main() { panic("broken") }\n')
    with pytest.raises(PreflightFailed, match="alpha") as caught:
        made(what, tmp_path / "engine" / "digest", lambda *_: None)
    assert "broken" in caught.value.why
    assert not (tmp_path / "engine" / "digest").exists()


def test_an_interrupted_build_leaves_nothing(what: Recipe, tmp_path: Path) -> None:
    def interrupted(done: int, total: int, package: str, left: float | None) -> None:
        if package.startswith("example.com"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made(what, tmp_path / "engine" / "digest", interrupted)
    assert {path.name for path in (tmp_path / "engine").iterdir()} <= {build.LOG}
    made(what, tmp_path / "engine" / "digest", lambda *_: None)


def test_what_a_killed_build_left_is_removed(what: Recipe, tmp_path: Path) -> None:
    left = tmp_path / "engine" / f"{build.SCRATCH}killed" / "engine"
    left.mkdir(parents=True)
    made(what, tmp_path / "engine" / "digest", lambda *_: None)
    assert not left.parent.exists()


def test_two_builders_build_once(what: Recipe, tmp_path: Path) -> None:
    told = [Told(), Told()]
    found: list[binaries.Binaries] = []
    threads = [
        threading.Thread(target=lambda say: found.append(made(what, tmp_path / "engine" / "digest", say)), args=(one,))
        for one in told
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted("looking for Go" in one.phases for one in told) == [False, True]
    assert found[0] == found[1]


def test_a_damaged_folder_is_built_again(what: Recipe, tmp_path: Path) -> None:
    folder = made(what, tmp_path / "engine" / "digest", lambda *_: None).folder
    (folder / "alpha").write_bytes(b"short")
    assert not binaries.complete(folder, what)
    made(what, folder, lambda *_: None)
    assert binaries.complete(folder, what)


def test_the_manifest_tells_how_it_was_made(what: Recipe, tmp_path: Path) -> None:
    folder = made(what, tmp_path / "engine" / "digest", lambda *_: None).folder
    manifest = json.loads((folder / assets.VERSIONS).read_bytes())
    assert set(manifest) == {"built", "files", "go", "seconds", "versions"}
    assert manifest["files"]["alpha"] == (folder / "alpha").stat().st_size


def test_a_small_one_is_its_programs_alone(what: Recipe, tmp_path: Path) -> None:
    small = replace(what, title="the little thing", small=True)
    told = Told()
    found = made(small, tmp_path / "little" / "digest", told)
    assert {path.name for path in found.folder.iterdir()} == {"alpha", "second", assets.VERSIONS}
    assert binaries.built(small, found.folder, told) == found


def test_what_cannot_be_built_is_called_by_its_title(what: Recipe, tmp_path: Path) -> None:
    (what.modules / "cmd" / "alpha" / "main.go").write_text("package main\n\nfunc main() { nonsense() }\n")
    with pytest.raises(ToolFailed, match="the little thing could not be built"):
        made(replace(what, title="the little thing"), tmp_path / "engine" / "digest", lambda *_: None)
