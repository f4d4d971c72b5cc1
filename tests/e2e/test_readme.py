"""The README's story, typed in by a test: its `sh` blocks in order, as one script."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from karrots.engine import cluster
from tests.support.engine import remove_all

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)
TIMEOUT = 300.0


@pytest.fixture
def shell(tmp_path: Path, with_engine: Path) -> Iterator[dict[str, str]]:
    """The test's own environment, with the karrots under test on PATH and temporary folders below the test's own."""
    programs = Path(sys.executable).parent
    yield {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "TMPDIR": str(tmp_path)}
    remove_all()


def test_every_command_works_as_written(shell: dict[str, str], tmp_path: Path) -> None:
    blocks = BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    script = "\n".join(["set -eu", *blocks])
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=shell, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    live = re.findall(r"^hello .*(nginx:\S+)", done.stdout, re.MULTILINE)
    assert live == ["nginx:1.30", "nginx:1.29", "nginx:1.30"], "the copy, qa before the merge, qa after it"
    assert len(re.findall(r"^left .*processes 0 of 10 ", done.stdout, re.MULTILINE)) == 2
    assert cluster.clusters() == []
    assert cluster.strays() == []
