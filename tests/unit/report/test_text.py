from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karrots.report.tables import narrowed, table
from karrots.report.text import age_text, clean, count_text, seconds_text, span_text

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("a\x00b\x07c\x7f", "abc"),
        ("\u202eright to left", "right to left"),
        ("\x9b2J", "2J"),
        ("a\ud800b", "ab"),
        ("carriage\rreturn", "carriagereturn"),
        ("grüße 🥕", "grüße 🥕"),
    ],
)
def test_nothing_that_steers_a_terminal_is_left(said: str, kept: str) -> None:
    assert clean(said) == kept


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (9.94, "9.9 s"), (12, "12 s"), (99.4, "99 s"), (185, "3 min 05 s"), (3600, "60 min 00 s")],
)
def test_seconds(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h"), (172800, "2d"), (-90, "in 1m")],
)
def test_spans(seconds: float, text: str) -> None:
    assert span_text(seconds) == text


@pytest.mark.parametrize(
    ("when", "text"),
    [
        ("2026-11-21T11:00:00Z", "1h"),
        ("2026-11-24T12:00:00Z", "in 3d"),
        ("2026-11-21T13:00:00+01:00", "0s"),
        ("2026-11-21T11:00:00", "?"),
        ("2026-11-21", "?"),
        ("yesterday", "?"),
        ("", "?"),
    ],
)
def test_ages(when: str, text: str) -> None:
    assert age_text(when, NOW) == text


def test_counts() -> None:
    assert [count_text(n, "object") for n in (0, 1, 2)] == ["0 objects", "1 object", "2 objects"]
    assert count_text(2, "directory") == "2 directories"


def test_a_table_is_as_wide_as_its_content() -> None:
    assert table(("NAME", "B"), [("qa", "main"), ("qa-2", "x")]) == "NAME  B\nqa    main\nqa-2  x\n"
    assert table(("NAME",), []) == "NAME\n"


def test_a_cell_stays_on_its_line_and_steers_nothing() -> None:
    assert table(("A", "B"), [("one\ntwo", "\x1b[2J")]) == "A        B\none two  [2J\n"


@given(
    rows=st.lists(st.tuples(*[st.text(max_size=60)] * 4), max_size=5),
    width=st.integers(min_value=40, max_value=120),
)
def test_a_table_fits_its_terminal(rows: list[tuple[str, ...]], width: int) -> None:
    lines = table(("NAME", "BRANCH", "PHASE", "AGE"), rows, width=width).split("\n")[:-1]
    assert len(lines) == len(rows) + 1
    assert all(len(line) <= width for line in lines)


def test_the_widest_column_gives_way_first_and_none_below_its_heading() -> None:
    assert narrowed([30, 10, 4], [4, 6, 4], 30) == [16, 10, 4]
    assert narrowed([30, 10, 4], [4, 6, 4], 1) == [6, 6, 4]
