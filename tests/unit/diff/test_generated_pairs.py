"""No planted difference is missed and none invented; `KARROTS_DIFF_PAIRS=10000` asks for more than the fast slice."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karrots.diff.compare import compare
from karrots.diff.secrecy import Seal
from tests.unit.diff.generated import IDENTITIES, pair
from tests.unit.diff.sides import side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from karrots.diff.model import LevelResult

PAIRS = int(os.environ.get("KARROTS_DIFF_PAIRS", "400"))
SLICES = 8

NAMES = st.sampled_from(["a", "b", "name", "key", "value", "spec", "data", "env", "limits", "cpu", "containers"])
LEAVES = (
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "1", "1000m", "qa", "prod-2", "x.qa", "x"])
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=12
)
KINDS = st.sampled_from(
    [("v1", "ConfigMap"), ("apps/v1", "Deployment"), ("example.com/v1", "Widget"), ("v1", "Secret"), ("v1", "Service"),
     ("networking.k8s.io/v1", "NetworkPolicy"), ("rbac.authorization.k8s.io/v1", "Role"),
     ("helm.toolkit.fluxcd.io/v2", "HelmRelease")]
)  # fmt: skip


@pytest.mark.parametrize("number", range(SLICES))
def test_what_was_planted_is_what_is_found(number: int) -> None:
    for seed in range(number, PAIRS, SLICES):
        made = pair(seed)
        found = compared(made.a, made.b)
        assert {(each.key.name, each.path) for each in found.departures} == made.planted, f"seed {seed}"
        assert (found.score.percent == 100) is (not made.planted), f"seed {seed}"
        assert mirrored(found) == told(compared(made.b, made.a, IDENTITIES[::-1])), f"seed {seed}"
        text = json.dumps(dataclasses.asdict(found), default=str)
        assert not [secret for secret in made.secrets if secret in text], f"seed {seed}"


def test_every_kind_of_difference_is_planted() -> None:
    planted = [pair(seed).planted for seed in range(200)]
    assert any(not each for each in planted)
    assert len({path.rpartition(".")[2].partition("[")[0] for each in planted for _, path in each}) > 8


def test_a_planted_difference_that_is_kept_back_is_noticed() -> None:
    """The test itself: without its planted setting the pair is equal, so the sets above would differ."""
    made = next(made for made in map(pair, range(100)) if made.planted)
    assert {(each.key.name, each.path) for each in compared(made.a, made.a).departures} != made.planted


@given(KINDS, VALUES)
@settings(max_examples=150)
def test_a_side_and_itself(kind: tuple[str, str], value: Any) -> None:
    objects = [thing(kind, value)]
    found = compared(objects, json.loads(json.dumps(objects)), (IDENTITIES[0],) * 2)
    assert found.departures == ()
    assert found.score.percent == 100


@given(KINDS, VALUES, VALUES)
@settings(max_examples=300)
def test_the_other_way_round(kind: tuple[str, str], one: Any, other: Any) -> None:
    a, b = [thing(kind, one)], [thing(kind, other)]
    forth, back = compared(a, b), compared(b, a, IDENTITIES[::-1])
    assert mirrored(forth) == told(back)
    assert forth.score.percent == back.score.percent


def thing(kind: tuple[str, str], value: Any) -> dict[str, Any]:
    return {
        "apiVersion": kind[0],
        "kind": kind[1],
        "metadata": {"name": "one"},
        "spec": value,
        "data": {"x": str(value)},
    }


def compared(a: list[Any], b: list[Any], identities: Sequence[dict[str, str]] = IDENTITIES) -> LevelResult:
    left, right = side("A", a, identity=identities[0]), side("B", b, identity=identities[1])
    return compare("live", left, right, seal=Seal(b"salt"))


def told(result: LevelResult) -> set[tuple[Any, ...]]:
    return {(each.key, each.path, each.change, each.a, each.b) for each in result.departures}


def mirrored(result: LevelResult) -> set[tuple[Any, ...]]:
    other = {"added": "removed", "removed": "added", "changed": "changed"}
    return {(each.key, each.path, other[each.change], each.b, each.a) for each in result.departures}
