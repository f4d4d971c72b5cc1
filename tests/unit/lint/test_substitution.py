from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karrots.lint.substitution import uses


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("${a}", ["a"]),
        ("x${a}y${b}z", ["a", "b"]),
        ("${a:-${b}}", ["a", "b"]),
        ("$${a}", []),
        ("$${a}${b}", ["b"]),
        ("$$${a}", ["a"]),
        ("$$$${a}", []),
        ("${a:}", [""]),
        ("${a:-${b}", ["", "b"]),
        ('{"k": "${a}"}', ["a"]),
        ("$a $(b) {c} ${", [""]),
        ("${a b}", [""]),
        ("${_a1}", ["_a1"]),
    ],
)
def test_names(text: str, names: list[str]) -> None:
    assert [use.name for use in uses(text)] == names


@pytest.mark.parametrize("operator", [":-", ":=", ":?", ":+", "="])
def test_operators_that_stand_in_for_a_missing_value(operator: str) -> None:
    assert [use.has_default for use in uses(f"${{a{operator}x}}")] == [True]


@pytest.mark.parametrize("text", ["${a}", "${a^}", "${a,,}", "${a%x}", "${a##x}", "${a/x/y}", "${a:1}", "${#a}"])
def test_operators_that_need_a_value(text: str) -> None:
    assert [use.has_default for use in uses(text)] == [False]


@given(st.text(alphabet="${}:-=ab#\n", max_size=60))
def test_any_text(text: str) -> None:
    for use in uses(text):
        assert text[use.offset : use.offset + 2] == "${"
