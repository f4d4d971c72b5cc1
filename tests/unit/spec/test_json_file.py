from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karrots.spec import json_file

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES)
def test_what_is_read_is_what_was_written(value: object) -> None:
    assert json_file.load(json.dumps(value)) == value
    assert json_file.load(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.binary())
def test_no_bytes_raise_anything_but_a_value_error(data: bytes) -> None:
    try:
        json_file.load(data)
    except ValueError:
        return


def test_depth_is_counted_outside_of_texts() -> None:
    assert json_file.load('["' + "[" * 200 + '\\"{"]') == ["[" * 200 + '"{']
    assert json_file.load("[" + "[]," * 200 + "[]]") == [[]] * 201
    assert json_file.load("[" * 64 + "]" * 64)


@pytest.mark.parametrize(
    "text",
    ["[" * 65 + "]" * 65, '{"a":' * 65 + "1" + "}" * 65, "[" * 100_000, '"\\ud800"', "9" * 5000, b"\xff"],
    ids=len,
)
def test_what_could_not_be_written_again_is_refused(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"nested deeper|surrogates|digits|decode"):
        json_file.load(text)
