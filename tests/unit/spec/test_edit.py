from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import pytest

from karrots import places
from karrots.errors import UsageError
from karrots.spec.cluster import load_cluster
from karrots.spec.edit import _list_indent, edit, set_key
from karrots.spec.yaml_file import YamlProblem

if TYPE_CHECKING:
    from pathlib import Path


def _changed(before: str, after: str) -> list[str]:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]


DEMO = sorted(path for path in (places.data() / "clusters").rglob("*.yaml") if "charts" not in path.parts)


@pytest.mark.parametrize("path", DEMO, ids=lambda path: path.relative_to(places.data()).as_posix())
def test_without_a_change_every_byte_stays(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert edit(text, 0, lambda _: None) == text


@pytest.mark.parametrize(
    ("path", "value", "lines"),
    [
        ("terraform", "ejected", ["-terraform: rendered", "+terraform: ejected"]),
        ("nodes.default.count", 3, ["-    count: 2", "+    count: 3"]),
        ("kubernetes", "1.37", ['-kubernetes: "1.36"', '+kubernetes: "1.37"']),
        ("network.nat", "none", ["+network:", "+  nat: none"]),
    ],
)
def test_one_key_is_one_change(path: str, value: str | int, lines: list[str]) -> None:
    text = (places.data() / "clusters/qa/cluster.yaml").read_text(encoding="utf-8")
    after = set_key(text, path, value)
    assert _changed(text, after) == lines
    load_cluster(after, "cluster.yaml")


def test_list_style_and_documents_stay() -> None:
    text = "---\n# one\na:\n- x   # first\n- y\n---\n# two\nb: 'q'\nc: >-\n  folded\n  text\n---\nd: 1\n"
    after = edit(text, 1, lambda root: root.update(b="r"))
    assert _changed(text, after) == ["-b: 'q'", "+b: 'r'"]


def test_a_group_that_is_a_value_is_refused() -> None:
    with pytest.raises(UsageError, match=r"cannot set 'a\.b'"):
        set_key("a: 1\n", "a.b", "c")


def test_hostile_text_does_not_reach_the_slower_reader() -> None:
    with pytest.raises(YamlProblem):
        set_key("[" * 100_000, "a", "b")


@pytest.mark.parametrize("text", ["- a\n", "text\n", "7\n"], ids=repr)
def test_a_file_that_holds_no_keys_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="cannot set 'terraform'"):
        set_key(text, "terraform", "ejected")


@pytest.mark.parametrize("text", ["", "# nothing\n", "when: 2024-13-45\nterraform: rendered\n"], ids=repr)
def test_what_the_round_trip_reader_stumbles_over_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="cannot"):
        set_key(text, "terraform", "ejected")


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("a:\n- x\n", 0),
        ("a:\n  - x\n", 2),
        ("a: # said\n\n# more\n- x\n", 0),
        ("b: 1\na:\n    - x\n", 2),
        ("- a:\n  - x\n", 2),
        ("a: 1\n", 2),
        ("", 2),
    ],
)
def test_the_indent_of_the_first_list(text: str, offset: int) -> None:
    assert _list_indent(text) == offset
