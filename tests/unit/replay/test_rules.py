"""rules.yaml against the recordings: a rule about a place that does not exist finds nothing, for ever."""

from __future__ import annotations

from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest

from karrots.replay import schemas
from karrots.replay.rules import DOCUMENTATION, FILE, rules

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PARTS = {"resources": "resource_schemas", "data": "data_source_schemas"}
PLACES = ("allowed", "form", "between", "answers")
GROUPS = ("conflicts", "exactly_one", "at_least_one", "together")
KEYS = {"source", "new", "when", *PLACES, *GROUPS}
TYPES = [(part, kind) for part in PARTS for kind in rules()[part]]


def places(rule: Mapping[str, Any]) -> Iterator[str]:
    yield from chain.from_iterable(rule.get(key, ()) for key in PLACES)
    yield from chain.from_iterable(group for key in GROUPS for group in rule.get(key, ()))
    yield from rule.get("new", ())
    for condition in rule["when"]:
        yield from chain.from_iterable(condition.get(key, ()) for key in ("if", "then", "with", "without"))


@cache
def recorded(part: str, kind: str) -> list[dict[str, Any]]:
    """Of each version that has the type."""
    found = (each.schema.get(PARTS[part], {}).get(kind) for each in schemas.shipped() if kind.startswith(each.name))
    return [each["block"] for each in found if each]


def has(block: Mapping[str, Any], place: str) -> bool:
    name, _, rest = place.partition(".")
    if name in block.get("block_types", {}):
        return not rest or has(block["block_types"][name]["block"], rest)
    attribute = block.get("attributes", {}).get(name)
    return attribute is not None and (not rest or rest.rpartition(".")[2] in str(attribute))


@pytest.mark.parametrize(("part", "kind"), TYPES)
def test_each_place_is_in_some_recording(part: str, kind: str) -> None:
    blocks = recorded(part, kind)
    assert blocks
    assert {place for place in places(rules()[part][kind]) if not any(has(block, place) for block in blocks)} == set()


@pytest.mark.parametrize(("part", "kind"), TYPES)
def test_each_entry_names_its_source(part: str, kind: str) -> None:
    source = rules()[part][kind]["source"]
    provider = kind.partition("_")[0]
    folder = {"resources": "resources", "data": "data-sources"}[part]
    assert source.startswith(f"{DOCUMENTATION}{provider}/latest/docs/{folder}/")
    assert source.rpartition("/")[2].removesuffix("_iam") in kind
    assert rules()[part][kind].keys() <= KEYS


def test_the_table_is_in_order() -> None:
    for part in PARTS:
        assert list(rules()[part]) == sorted(rules()[part])
    assert FILE.read_text("utf-8").startswith("# What the recorded schema")


def test_values_are_texts() -> None:
    cluster = rules()["resources"]["aws_eks_cluster"]
    assert cluster["when"][0]["if"] == {"compute_config.enabled": "true"}
    group = rules()["resources"]["aws_cloudwatch_log_group"]
    assert "30" in group["allowed"]["retention_in_days"]
