from __future__ import annotations

from typing import Any

import pytest

from karrots.diff.compare import compare
from karrots.diff.threeway import against
from tests.unit.diff.sides import side

BASE = {"size": 1, "deep": {"on": True, "off": False}, "items": [{"name": "a", "n": 1}]}


def widget(**spec: Any) -> list[dict[str, Any]]:
    return [{"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "one"}, "spec": {**BASE, **spec}}]


def whose(mine: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> dict[str, str]:
    fork, a, b = side("fork", widget()), side("mine", mine), side("theirs", theirs)
    compared = [compare("rendered", *pair) for pair in ((a, b), (fork, a), (fork, b))]
    return {each.path: each.whose for each in against(*compared).departures}


@pytest.mark.parametrize(
    ("mine", "theirs", "said"),
    [
        ({"size": 2}, {}, {"spec.size": "mine"}),
        ({}, {"size": 2}, {"spec.size": "theirs"}),
        ({"size": 2}, {"size": 3}, {"spec.size": "both"}),
        ({"size": 2}, {"size": 2}, {}),
        ({"size": 2}, {"deep": {"on": False, "off": False}}, {"spec.size": "mine", "spec.deep.on": "theirs"}),
        ({"deep": "none"}, {"deep": {"on": False, "off": False}}, {"spec.deep": "both"}),
        ({"items": [{"name": "a", "n": 2}]}, {"items": []}, {"spec.items[name=a]": "both"}),
        ({"sizes": 1}, {"size": 2}, {"spec.size": "theirs", "spec.sizes": "mine"}),
    ],
)
def test_who_left_the_fork_point(mine: dict[str, Any], theirs: dict[str, Any], said: dict[str, str]) -> None:
    assert whose(widget(**mine), widget(**theirs)) == said


def test_an_object_that_one_of_the_two_took_away() -> None:
    assert whose([], widget()) == {"": "mine"}
    assert whose([], widget(size=2)) == {"": "both"}
