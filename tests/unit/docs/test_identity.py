"""docs/identity.md: each line of a cluster's identity differs between two clusters of a directory, or says why not."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs"


@cache
def lines() -> list[tuple[str, str, str, str]]:
    done = subprocess.run([sys.executable, str(DOCS / "identity.py")], capture_output=True, text=True, check=True)
    return [tuple(each) for each in json.loads(done.stdout)]


def test_there_are_twenty() -> None:
    assert len({what for what, *_ in lines()}) == len(lines()) == 20


def test_no_value_is_shared_without_a_reason() -> None:
    shared = {what for what, first, second, _ in lines() if first == second}
    assert shared == {what for what, _, _, why in lines() if why}
    assert all(first and second for _, first, second, _ in lines())


def test_none_of_the_parents_is_in_the_copys() -> None:
    own = ("01k9y2v7p3m5s1r6w4v9q0c7za", "v9q0c7za", "10.64.0.0", "qa.dev.example.com")
    for what, first, second, _ in lines():
        assert not any(text in second for text in own), what
        assert not {"qa", "main"}.intersection(second.split(", ")), what
        assert "01k9z3v8q4n6t2m7x5w0r1d8ab" not in first, what


def test_the_page_has_all_of_them() -> None:
    page = (DOCS / "identity.md").read_text(encoding="utf-8")
    for what, first, second, _ in lines():
        assert f"| {what} |" in page
        assert f"`{first}` | `{second}`" in page
