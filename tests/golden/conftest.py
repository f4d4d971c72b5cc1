"""Golden trees: `pytest tests/golden --update-golden` writes what is rendered now; read its diff before committing."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE = Path(__file__).parent


class Golden(Protocol):
    def __call__(self, case: str, files: Mapping[str, str]) -> None:
        """Fails with a diff when `files` is not the tree kept under tests/golden/<case>/expected."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden trees instead of comparing")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    if not request.config.getoption("--update-golden", default=False):
        return _compare
    if os.environ.get("CI"):
        pytest.fail("golden trees are updated by hand and reviewed, never in CI")
    return _update


def _compare(case: str, files: Mapping[str, str]) -> None:
    folder = HERE / case / "expected"
    expected = {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file()
    }
    difference = "".join(
        _diff(path, expected.get(path, ""), files.get(path, "")) for path in sorted({*expected, *files})
    )
    difference += "".join(f"left over: {path}\n" for path in sorted(set(expected) - set(files)))
    difference += "".join(f"not kept: {path}\n" for path in sorted(set(files) - set(expected)))
    if difference:
        pytest.fail(f"{case} differs (pytest tests/golden --update-golden):\n{difference}", pytrace=False)


def _diff(path: str, expected: str, actual: str) -> str:
    lines = difflib.unified_diff(
        expected.splitlines(keepends=True), actual.splitlines(keepends=True), f"expected/{path}", f"actual/{path}"
    )
    return "".join(lines)


def _update(case: str, files: Mapping[str, str]) -> None:
    folder = HERE / case / "expected"
    for path in [each for each in folder.rglob("*") if each.is_file()]:
        path.unlink()
    for name, text in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
