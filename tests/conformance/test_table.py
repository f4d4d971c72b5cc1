"""The table says what was run and how it ended."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SUITE = """
import pytest

@pytest.mark.parametrize("name", ["aks", "eks", "gke", "local"])
def test_it_holds(name):
    assert name != "gke"

@pytest.mark.parametrize("cloud", ["aks", "eks"])
@pytest.mark.parametrize("nodes", ["few", "many"])
def test_of_many_one_fails(cloud, nodes):
    assert (cloud, nodes) != ("eks", "many")

@pytest.fixture
def broken():
    yield
    raise OSError

@pytest.mark.parametrize("name", ["aks", "eks-main"])
def test_what_it_needs_breaks(name, broken): ...

@pytest.mark.parametrize("name", ["aks", "local"])
def test_it_is_left_out(name):
    if name == "aks":
        pytest.skip("no")

def test_of_no_provider(): ...
"""
TABLE = """\
| case | aks | eks | gke | local |
|---|---|---|---|---|
| it holds | passes | passes | **FAILS** (1 of 1) | passes |
| it is left out | skipped (1 of 1) |  |  | passes |
| of many one fails | passes (2) | **FAILS** (1 of 2) |  |  |
| what it needs breaks | **FAILS** (1 of 1) | **FAILS** (1 of 1) |  |  |
"""


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["in one process", "in several"])
def test_each_cell_is_how_its_tests_ended(options: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "conftest.py").write_text("from tests.conformance.conftest import *\n")
    (tmp_path / "test_planted.py").write_text(SUITE)
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, str(tmp_path)]
    done = subprocess.run(
        argv, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    printed = [line for line in done.stdout.splitlines() if line.startswith("|")]
    assert printed == TABLE.splitlines(), done.stdout
