"""Two hundred pairs of objects, each with what is to be said of it (tests/data/diff/pairs.yaml)."""

from __future__ import annotations

import copy
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from karrots.diff.classes import Allowance
from karrots.diff.compare import compare
from tests.unit.diff.sides import side

if TYPE_CHECKING:
    from karrots.diff.model import Departure, Level

TABLE = yaml.load((Path(__file__).parents[2] / "data/diff/pairs.yaml").read_text("utf-8"), Loader=yaml.CSafeLoader)
BASES: dict[str, dict[str, Any]] = TABLE["bases"]
PAIRS: list[dict[str, Any]] = TABLE["pairs"]
GONE = "<gone>"


def test_there_are_two_hundred() -> None:
    names = [pair["name"] for pair in PAIRS]
    assert len(names) >= 200
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("pair", PAIRS, ids=[pair["name"] for pair in PAIRS])
def test_pair(pair: dict[str, Any]) -> None:
    a, b = objects(pair, "a"), objects(pair, "b")
    sides = [
        side(label, given, **{key: pair[key][at] for key in ("identity", "overrides", "fence") if key in pair})
        for at, (label, given) in enumerate((("A", a), ("B", b)))
    ]
    allowed = tuple(Allowance(**each) for each in pair.get("allowed", ()))
    level: Level = "live" if pair.get("live") else "rendered"
    result = compare(level, sides[0], sides[1], allowed=allowed)
    assert sorted(brief(each) for each in result.departures) == sorted(pair["expect"])
    assert (result.score.percent == 100) is (not pair["expect"])


def brief(each: Departure) -> str:
    path = each.path or f"({each.key.kind})"
    return " ".join(filter(None, (each.change, path, each.classed, each.risk)))


def objects(pair: dict[str, Any], name: str) -> list[dict[str, Any]]:
    if pair.get(name) is None and name in pair:
        return []
    made = [changed(BASES[pair["base"]], {**pair.get("both", {}), **pair.get(name, {})})]
    return made + [changed(BASES[base], {}) for base in pair.get("beside", ())]


def changed(base: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    value = copy.deepcopy(base)
    for path, setting in settings.items():
        steps = [step.replace("~1", "/") for step in str(path).split("/")]
        holder: Any = value
        for step, following in pairwise(steps):
            holder = _entered(holder, step, following)
        last: Any = int(steps[-1]) if isinstance(holder, list) else steps[-1]
        if setting == GONE:
            del holder[last]
        elif isinstance(holder, list) and last == len(holder):
            holder.append(copy.deepcopy(setting))
        else:
            holder[last] = copy.deepcopy(setting)
    return value


def _entered(holder: Any, step: str, following: str) -> Any:
    if isinstance(holder, list):
        return holder[int(step)]
    return holder.setdefault(step, [] if following == "0" else {})
