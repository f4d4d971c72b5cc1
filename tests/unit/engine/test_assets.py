from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karrots.engine import assets
from karrots.errors import PreflightFailed

if TYPE_CHECKING:
    from pathlib import Path


def test_prose_goes_and_properties_of_that_name_stay() -> None:
    schema = {
        "description": "prose",
        "type": "object",
        "required": ["description"],
        "properties": {
            "description": {"description": "prose", "type": "string"},
            "list": {"type": "array", "items": {"description": "prose", "type": "string"}},
            "map": {"additionalProperties": {"description": "prose", "type": "string"}},
            "any": {"anyOf": [{"description": "prose", "type": "string"}, {"type": "integer"}]},
            "closed": {"type": "object", "additionalProperties": False},
        },
    }
    assert assets.without_prose(schema) == {
        "type": "object",
        "required": ["description"],
        "properties": {
            "description": {"type": "string"},
            "list": {"type": "array", "items": {"type": "string"}},
            "map": {"additionalProperties": {"type": "string"}},
            "any": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
            "closed": {"type": "object", "additionalProperties": False},
        },
    }


def test_the_users_data_in_a_schema_is_left_alone() -> None:
    data = {"description": "a value", "properties": {"description": "a value"}}
    schema = {"default": data, "example": data, "enum": [data], "x-kubernetes-validations": [data]}
    assert assets.without_prose(schema) == schema


schemas = st.recursive(
    st.fixed_dictionaries({"type": st.sampled_from(["string", "integer"])}, optional={"description": st.text()}),
    lambda inner: (
        st.fixed_dictionaries(
            {"type": st.just("object"), "properties": st.dictionaries(st.text() | st.just("description"), inner)},
            optional={"description": st.text()},
        )
        | st.fixed_dictionaries({"type": st.just("array"), "items": inner}, optional={"description": st.text()})
    ),
)


@given(schemas)
def test_nothing_but_prose_is_lost(schema: dict[str, Any]) -> None:
    slim = assets.without_prose(schema)
    assert assets.without_prose(slim) == slim
    assert _properties(slim) == _properties(schema)


def _properties(schema: Any) -> Any:
    """The shape: names and types only."""
    if "properties" in schema:
        return {name: _properties(inner) for name, inner in schema["properties"].items()}
    return [_properties(schema["items"])] if "items" in schema else schema["type"]


def test_a_definition_gets_fluxs_labels_and_keeps_its_own() -> None:
    crd: dict[str, Any] = {
        "metadata": {"name": "x", "labels": {"own": "1"}},
        "spec": {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": {"description": "prose"}}}, {"name": "v2"}]},
    }
    slim = assets.slim(crd)
    assert slim["metadata"]["labels"] == {"own": "1", **assets.LABELS}
    assert slim["spec"]["versions"] == [{"name": "v1", "schema": {"openAPIV3Schema": {}}}, {"name": "v2"}]
    assert crd["metadata"]["labels"] == {"own": "1"}


def test_load(tmp_path: Path) -> None:
    (tmp_path / assets.CRDS).write_text(json.dumps([{"kind": "CustomResourceDefinition"}]))
    (tmp_path / assets.VERSIONS).write_text(json.dumps({"versions": {"kwok": "0.8.0"}, "go": "1.26.8"}))
    found = assets.load(tmp_path)
    assert found.crds == ({"kind": "CustomResourceDefinition"},)
    assert found.stages == tmp_path / "stages.yaml"
    assert found.versions == {"kwok": "0.8.0"}


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"versions": 1}'])
def test_a_damaged_folder_is_named(tmp_path: Path, damage: str) -> None:
    (tmp_path / assets.CRDS).write_text("[]")
    (tmp_path / assets.VERSIONS).write_text(damage)
    with pytest.raises(PreflightFailed, match=str(tmp_path)):
        assets.load(tmp_path)
