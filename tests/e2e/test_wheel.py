"""The built wheel, installed in a fresh environment, is all that karrots needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from karrots import __version__

if TYPE_CHECKING:
    from tests.e2e.conftest import World

pytestmark = [pytest.mark.engine, pytest.mark.wheel]

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(CHECKOUT)]
    subprocess.run(build, check=True, capture_output=True, timeout=120)
    (found,) = out.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `karrots` of an environment that has the wheel; its dependencies are lent, so that no network is needed."""
    folder = tmp_path_factory.mktemp("fresh") / "env"
    venv.create(folder, with_pip=False)
    python = folder / "bin/python"
    lib = folder / f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        str(wheel),
    ]
    subprocess.run(install, check=True, capture_output=True, timeout=120)
    (lib / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin/karrots"


def _run(program: Path, *words: str, world: World, cwd: Path) -> str:
    done = subprocess.run(
        [str(program), *words], cwd=cwd, env=world.env, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_holds_the_templates_the_demo_fleet_and_the_engine(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for needed in (
        "karrots/_data/karrots.yaml",
        "karrots/_data/clusters/qa/cluster.yaml",
        "karrots/_data/templates/local/main.tf",
        "karrots/engine/modules/go.sum",
        "karrots/engine/modules/artifact/storage/storage.go",
    ):
        assert needed in names
    assert not [name for name in names if name.startswith("tests/") or "identity.auto" in name or ".terraform/" in name]


def test_it_is_the_wheel_that_runs(installed: Path, world: World) -> None:
    assert _run(installed, "--version", world=world, cwd=world.root).strip() == f"karrots {__version__}"
    where = "import karrots; print(karrots.__file__)"
    python = installed.with_name("python")
    found = subprocess.run(
        [python, "-c", where], cwd=world.root, capture_output=True, text=True, check=True, env=dict(os.environ)
    ).stdout
    assert str(installed.parents[1]) in found


def test_it_makes_a_fleet_and_tells_the_story(installed: Path, world: World) -> None:
    fresh = world.root / "fresh-fleet"
    fresh.mkdir()
    _run(installed, "init", world=world, cwd=fresh)
    _run(installed, "lint", world=world, cwd=fresh / "clusters/qa")
    story = json.loads(_run(installed, "demo", "-q", "-o", "json", world=world, cwd=world.root))
    assert set(story["left"].values()) == {0}
    assert world.processes() == []
