"""Files of two trees: how much is equal, and who left the fork point."""

from __future__ import annotations

import pytest

from karrots.diff.content import alike, content


def test_the_same_is_100_per_cent() -> None:
    found = content({"a": b"1\n"}, {"a": b"1\n"})
    assert found.departures == ()
    assert found.score.percent == 100.0


def test_each_file_weighs_one_and_its_equal_lines_count() -> None:
    found = content({"a": b"1\n2\n3\n4\n", "b": b"x\n", "c": b"y\n"}, {"a": b"1\n2\n3\n5\n", "b": b"x\n", "d": b"y\n"})
    assert [(each.key.name, each.change) for each in found.departures] == [
        ("a", "changed"), ("c", "removed"), ("d", "added"),
    ]  # fmt: skip
    assert (found.score.equal, found.score.total) == (1.75, 4)


@pytest.mark.parametrize(
    ("a", "b", "share"),
    [(b"", b"", 1.0), (b"\xff\x00", b"\xff\x01", 0.0), (b"a\nb", b"b\na", 0.99), (None, b"", 0.0), (b"a", b"", 0.0)],
)
def test_two_that_differ_are_never_all_equal(a: bytes | None, b: bytes | None, share: float) -> None:
    assert alike(a, b) == share


def test_who_left_the_fork_point() -> None:
    base = {"a": b"0", "b": b"0", "c": b"0", "d": b"0"}
    found = content({**base, "a": b"1", "c": b"1"}, {"a": b"0", "b": b"2", "c": b"2"}, base)
    assert {each.key.name: each.whose for each in found.departures} == {
        "a": "mine", "b": "theirs", "c": "both", "d": "theirs",
    }  # fmt: skip
