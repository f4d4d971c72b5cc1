from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from karrots.spec.yaml_file import MAX_ALIASES, MAX_BYTES, MAX_DEPTH, YamlProblem, documents, load, load_text

BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)

HOSTILE: dict[str, tuple[str | bytes, int, str]] = {
    "100,000 brackets": ("[" * 100_000, 1, "nested deeper"),
    "5,000 braces": ("{" * 5_000, 1, "nested deeper"),
    "3,000 block levels": ("- " * 3_000 + "x", 1, "nested deeper"),
    "too many aliases": ("a: &a x\nb: [" + "*a," * (MAX_ALIASES + 1) + "]", 2, "aliases"),
    "a bomb": (BOMB, 6, "unfold"),
    "an alias in itself": ("a: &a\n  - *a", 2, "inside what it names"),
    "a key twice": ("a: 1\nb:\n  c: 1\n  c: 2", 4, "stands twice (first in line 3)"),
    "a Python object": ("a: !!python/object/apply:os.system [id]", 1, "is not allowed"),
    "a set": ("a: !!set {x}", 1, "is not allowed"),
    "a tag of one's own": ("a: !secret x", 1, "is not allowed"),
    "a list as a key": ("? [a]\n: b", 1, "a key must be text"),
    "5,000 digits": ("a: " + "9" * 5_000, 1, "digits"),
    "an open list": ("a: [1, 2", 2, "expected"),
    "a tab": ("a:\n\tb: 1", 2, "cannot start"),
    "an undefined alias": ("a: *x", 1, "undefined alias"),
    "an open quote": ("a: 'x", 1, "end of stream"),
    "another YAML version": ("%YAML 3.0\n---\na: 1", 1, "incompatible"),
    "a zero byte": ("a: \x00", 0, "control characters"),
    "half a surrogate": ("a: \ud800", 0, "surrogates"),
    "not UTF-8": (b"a: 1\nb: \xff", 2, "UTF-8"),
    "UTF-16": ("a: 1".encode("utf-16"), 1, "UTF-8"),
    "too large": (b"#" * (MAX_BYTES + 1), 0, "larger"),
    "nothing": ("", 0, "empty"),
    "two documents": ("a: 1\n---\nb: 2", 0, "more than one"),
    "an explicit number that is none": ("a: !!int x", 0, "invalid literal"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_text_is_a_clean_error_with_its_place(case: str) -> None:
    data, line, says = HOSTILE[case]
    with pytest.raises(YamlProblem) as caught:
        load(data, "clusters/qa/cluster.yaml")
    assert says in caught.value.problem
    assert caught.value.line == line
    assert caught.value.message.startswith(
        f"clusters/qa/cluster.yaml:{line}:" if line else "clusters/qa/cluster.yaml: "
    )


def test_bounds_allow_what_is_just_within_them() -> None:
    depth = MAX_DEPTH - 1
    assert load("a: " + "[" * depth + "]" * depth, "f").value
    assert len(load("a: &a x\nb: [" + "*a," * MAX_ALIASES + "]", "f").value["b"]) == MAX_ALIASES


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("010", "010"),
        ("012345678901", "012345678901"),
        ("0", 0),
        ("-4", -4),
        ("0x1f", 31),
        ("0o17", 15),
        ("1_000", "1_000"),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".inf", float("inf")),
        ("2024-11-21", "2024-11-21"),
        ("2024-13-45", "2024-13-45"),
        ("190:20:30", "190:20:30"),
        ("'1'", "1"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: Any) -> None:
    assert load(f"a: {text}", "f").value == {"a": value}


def test_as_text_every_scalar_stays_as_written() -> None:
    document = load_text("a: 1.30\nb: 0123\nc: no\nd:\ne: ''\nf: true\ng: 2024-01-02", "f")
    assert document.value == {"a": "1.30", "b": "0123", "c": "no", "d": None, "e": "", "f": "true", "g": "2024-01-02"}


def test_keys_are_text_and_merge_keys_work() -> None:
    value = load("1: a\ntrue: b\nbase: &base {x: 1, y: 2}\nover:\n  <<: *base\n  y: 3", "f").value
    assert value == {"1": "a", "true": "b", "base": {"x": 1, "y": 2}, "over": {"x": 1, "y": 3}}


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert load("a: 1".encode("utf-8-sig"), "f").value == {"a": 1}


def test_documents_leave_out_empty_ones_and_keep_their_number() -> None:
    found = documents("# nothing\n---\na: 1\n---\n---\nb: 2\n", "f")
    assert [(document.index, document.value) for document in found] == [(0, {"a": 1}), (2, {"b": 2})]


def test_positions() -> None:
    document = load("a:\n  - x\n  - b: |\n      one\n      two\n    c: 'q'\n", "f")
    assert document.position() == (1, 1)
    assert document.position(("a", 1, "b")) == (3, 5)
    assert document.position(("a", 1, "missing", "deeper")) == (3, 5)
    assert document.scalar_line(("a", 1, "b"), len("one\n")) == 5
    assert document.scalar_line(("a", 1, "c"), 0) == 6


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(VALUES)
def test_reads_back_what_json_writes(value: Any) -> None:
    assert load(json.dumps({"root": value}, ensure_ascii=False), "f").value == {"root": value}


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_any_input_is_a_value_or_a_problem(data: str | bytes) -> None:
    try:
        documents(data, "f")
    except YamlProblem:
        return


@given(
    st.lists(
        st.sampled_from(
            [
                "a: ",
                "- ",
                "{",
                "}",
                "[",
                "]",
                "&x ",
                "*x",
                "\n",
                "  ",
                "'",
                '"',
                "|",
                ">",
                "!t ",
                "<<: ",
                "---\n",
                "?",
                "#",
                ",",
            ]
        )
    )
)
def test_any_mix_of_syntax_is_a_value_or_a_problem(parts: list[str]) -> None:
    try:
        for document in documents("".join(parts), "f"):
            yaml.safe_dump(document.value)
    except YamlProblem:
        return
