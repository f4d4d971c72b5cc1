"""Matching, doubles and what cannot be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from karrots.diff.compare import compare
from karrots.diff.model import Comparison, Side
from karrots.errors import Failed
from tests.unit.diff.sides import Given, side

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from karrots.diff.model import Problem

QA, PROD = {"cluster_name": "qa"}, {"cluster_name": "prod"}


def settings(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def test_names_that_identity_makes_the_same_are_each_told_once() -> None:
    """qa-x is ${cluster_name}-x, and so is prod-x over there; a second one of that name is an object more."""
    a = [settings("qa-x", v="1")]
    b = [settings("prod-x", v="1"), settings("qa-y", v="1")]
    result = compare("rendered", side("A", a, identity=QA), side("B", b, identity=PROD))
    assert [(each.key.name, each.change) for each in result.departures] == [("qa-y", "added")]
    assert (result.score.equal, result.score.total) == (1, 2)


def test_the_same_name_on_both_sides_goes_before_identity() -> None:
    a = [settings("qa-x", v="1"), settings("prod-x", v="2")]
    b = [settings("prod-x", v="2"), settings("qa-x", v="1")]
    assert not compare("rendered", side("A", a, identity=QA), side("B", b, identity=PROD)).differs


def test_two_objects_that_identity_makes_one() -> None:
    """`x-prod` and `x-${cluster_name}` of the second side are one by their tokens; none may get lost."""
    b = [settings("x-prod", v="1"), settings("x-live", v="1")]
    found = compare(
        "rendered",
        side("A", [], identity={"cluster_name": "qa", "cluster_parent": "old"}),
        side("B", b, identity={"cluster_name": "prod", "cluster_region": "live"}),
    )
    assert len(found.departures) == 2
    both = compare("rendered", side("A", []), side("B", [*b, settings("x-prod", v="2")]))
    assert len(both.departures) == 2
    assert [problem.line for problem in both.problems] == [3]


@dataclass(frozen=True)
class Broken(Given):
    def value(self) -> Mapping[str, Any]:
        raise Failed("it cannot be read", hint="look at it")


def test_what_cannot_be_read_is_a_problem_and_not_equal() -> None:
    def items(_: list[Problem]) -> Iterable[Given]:
        return [Broken(settings("one", v="2"), 4)]

    result = compare("rendered", side("A", [settings("one", v="1")]), Side("B", items))
    assert [(each.side, each.line, each.message) for each in result.problems] == [
        ("B", 4, "ConfigMap/one: it cannot be read")
    ]
    assert result.score.percent == 0


def test_a_comparison_is_as_good_as_its_worst_level() -> None:
    same = compare("rendered", side("A", []), side("B", []))
    other = compare("live", side("A", [settings("one")]), side("B", []))
    assert Comparison("A", "B", (same, other)).percent == 0
    assert not Comparison("A", "B", (same,)).differs
