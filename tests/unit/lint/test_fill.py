"""Variables of a manifest filled in, as far as a rehearsal needs it."""

from __future__ import annotations

from typing import Any

import pytest

from karrots.lint.substitution import fill

VALUES = {"name": "qa", "count": "3", "empty": "", "yes": "true"}


@pytest.mark.parametrize(
    ("value", "filled"),
    [
        ("a ${name} b", "a qa b"), ("${count}", 3), ("x${count}", "x3"), ("${yes}", True), ("${name}", "qa"),
        ("${empty:-d}", "d"), ("${empty}", ""), ("${other:=d}", "d"), ("${name:-d}", "qa"), ("$${name}", "${name}"),
        ("$name", "$name"), (4, 4), (None, None), ({"${name}": ["${count}"]}, {"qa": [3]}),
    ],
)  # fmt: skip
def test_filled(value: Any, filled: Any) -> None:
    assert fill(value, VALUES) == filled


@pytest.mark.parametrize("text", ["${nobody}", "${name/a/b}", "${#name}", "${name^^}", "${", "${a b}", "${name:?no}"])
def test_what_is_left_to_flux(text: str) -> None:
    assert fill({"a": text}, VALUES) is None
