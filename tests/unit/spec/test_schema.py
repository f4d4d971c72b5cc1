from __future__ import annotations

from typing import Any

import jsonschema
import pytest
import yaml

from karrots import places
from karrots.errors import UsageError
from karrots.render import fleet
from karrots.spec.schema import json_schema


@pytest.mark.parametrize("path", fleet.SCHEMAS)
def test_the_schemas_of_the_demo_fleet_are_those_of_the_models(path: str) -> None:
    assert (places.data() / path).read_text(encoding="utf-8") == fleet.schemas()[path]


@pytest.mark.parametrize(
    ("kind", "path"),
    [("fleet", "karrots.yaml"), ("cluster", "clusters/qa/cluster.yaml"), ("cluster", "clusters/prod/cluster.yaml")],
)
def test_an_editor_that_reads_draft_07_agrees(kind: str, path: str) -> None:
    schema = json_schema(kind)
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    value: Any = yaml.safe_load((places.data() / path).read_text(encoding="utf-8"))
    assert list(validator.iter_errors(value)) == []
    assert list(validator.iter_errors({**value, "nodez": 1}))
    assert list(validator.iter_errors({**value, "kind": "Other"}))


def test_the_first_line_of_the_demo_files_leads_to_the_schema() -> None:
    for path in ("karrots.yaml", "clusters/qa/cluster.yaml", "clusters/prod/cluster.yaml"):
        file = places.data() / path
        first = file.read_text(encoding="utf-8").splitlines()[0]
        assert first.startswith("# yaml-language-server: $schema=")
        assert (file.parent / first.partition("=")[2]).is_file()


def test_an_unknown_kind() -> None:
    with pytest.raises(UsageError, match="there is no schema 'x'"):
        json_schema("x")
