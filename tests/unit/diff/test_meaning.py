from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from karrots.diff.model import RISKS, ObjectKey, Score
from karrots.diff.quantities import duration, quantity
from karrots.diff.shapes import DEFAULTS
from karrots.diff.tokens import Tokens, marked, plain, unmarked


@pytest.mark.parametrize(
    ("text", "number"),
    [("1", "1"), (1, "1"), ("1000m", "1"), ("1Ki", "1024"), ("1k", "1000"), ("1e3", "1000"), ("1E", "1e18"),
     (".5", "0.5"),     ("-1n", "-1e-9"), (0.5, "0.5")],
)  # fmt: skip
def test_quantities(text: Any, number: str) -> None:
    assert quantity(text) == Decimal(number)


@pytest.mark.parametrize("text", ["", "1 Gi", "1KB", "x", True, None, "1e", "1" * 100, [], "1Gi2"])
def test_what_is_no_quantity(text: Any) -> None:
    assert quantity(text) is None


@pytest.mark.parametrize(
    ("text", "seconds"), [("1m", 60), ("60s", 60), ("1h30m", 5400), ("0", 0), ("1.5s", 1.5), ("500ms", 0.5)]
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == Decimal(str(seconds)) * 10**9


@pytest.mark.parametrize("text", ["", "60", "1d", "m", "1 m", None, 60])
def test_what_is_no_duration(text: Any) -> None:
    assert duration(text) is None


def test_identity_is_looked_for_between_words_and_the_longest_first() -> None:
    own = {"cluster_name": "qa", "cluster_domain": "qa.example.com", "cluster_region": "eu", "cluster_parent": ""}
    tokens = Tokens(own, {"cluster_name": "prod", "cluster_region": "eu"})
    assert tokens.of("aqua qa x.qa.example.com qa_1 qa2 eu") == (
        "aqua ${cluster_name} x.${cluster_domain} ${cluster_name}_1 qa2 eu"
    )


def test_what_a_variable_gave_is_identity_wherever_it_stands() -> None:
    text = f"x{marked('cluster_name^^', 'QA')}y"
    assert plain(text) == "xQAy"
    assert Tokens({}, {}).of(text) == "x${cluster_name^^}y"
    assert plain(unmarked(text)) != "xQAy"


@pytest.mark.parametrize(
    ("equal", "total", "percent"), [(0, 0, 100), (1, 1, 100), (99_999.9999, 100_000, 99.99), (1, 3, 33.33)]
)
def test_a_score_is_a_hundred_only_when_nothing_differs(equal: float, total: int, percent: float) -> None:
    assert Score(equal, total).percent == percent


def test_each_default_says_where_it_is_written() -> None:
    assert all(each.source.startswith("https://") for each in DEFAULTS)
    assert len({(each.kind, each.field) for each in DEFAULTS}) == len(DEFAULTS)


def test_words() -> None:
    assert str(ObjectKey("apps", "Deployment", "shop", "web")) == "Deployment.apps/shop/web"
    assert RISKS[0] == "deletes"
