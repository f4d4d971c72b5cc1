from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from karrots.errors import NotFound, UsageError
from karrots.replay import schemas
from tests.schemas import npm, trim
from tests.schemas.kept import is_kept

if TYPE_CHECKING:
    from pathlib import Path

MOST_BYTES = 2_000_000


def test_what_ships_is_small_and_in_order() -> None:
    shipped = schemas.shipped()
    assert {each.name for each in shipped} == {"aws", "google", "azurerm"}
    assert [each.label for each in shipped if each.name == "aws"] == ["aws 5.100.0", "aws 6.25.0"]
    assert sum(each.file.stat().st_size for each in shipped) < MOST_BYTES


def test_versions_are_numbers(tmp_path: Path) -> None:
    for version in ("5.9.0", "5.100.0", "10.0.0"):
        (tmp_path / f"aws-{version}.json.gz").write_bytes(b"")
    (tmp_path / "README.md").write_text("")
    assert [each.version for each in schemas.shipped(tmp_path)] == ["5.9.0", "5.100.0", "10.0.0"]


def test_a_file_of_the_users(tmp_path: Path) -> None:
    document: dict[str, Any] = {
        "provider_schemas": {f"example.com/team/{name}": {"provider": {}} for name in ("one", "two")}
    }
    (tmp_path / "schema.json.gz").write_bytes(gzip.compress(json.dumps(document).encode()))
    found = schemas.of_file(tmp_path / "schema.json.gz")
    assert [(each.name, each.version, each.label) for each in found] == [
        ("one", None, "one of schema.json.gz"),
        ("two", None, "two of schema.json.gz"),
    ]


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", "{}", '{"provider_schemas": 1}', '{"provider_schemas": {"a": {"provider": {}}}}']
)
def test_what_is_no_recording(tmp_path: Path, text: str) -> None:
    (tmp_path / "schema.json").write_text(text)
    with pytest.raises(UsageError) as caught:
        schemas.of_file(tmp_path / "schema.json")
    assert "terraform providers schema -json" in caught.value.hint


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        schemas.of_file(tmp_path / "schema.json")


def test_what_is_kept() -> None:
    assert is_kept("aws_eks_node_group")
    assert is_kept("azurerm_subnet")
    assert not is_kept("aws_instance")
    assert not is_kept("random_id")


def test_trimming_keeps_meaning_and_drops_prose() -> None:
    full = {
        "version": 1,
        "block": {
            "description": "prose",
            "attributes": {
                "description": {"type": "string", "optional": True, "description": "prose"},
                "many": {
                    "nested_type": {"nesting_mode": "set", "attributes": {"x": {"type": "bool", "required": True}}},
                    "computed": True,
                },
            },
            "block_types": {"one": {"nesting_mode": "list", "max_items": 1, "min_items": 0, "block": {}}},
        },
    }
    assert trim.schema(full) == {
        "version": 1,
        "block": {
            "attributes": {
                "description": {"type": "string", "optional": True},
                "many": {
                    "computed": True,
                    "nested_type": {"nesting_mode": "set", "attributes": {"x": {"type": "bool", "required": True}}},
                },
            },
            "block_types": {"one": {"nesting_mode": "list", "max_items": 1, "block": {}}},
        },
    }


def test_a_schema_from_npm_is_the_one_of_the_provider() -> None:
    """Where both are at hand: arguments, blocks, and list or set agree with what the provider itself says."""
    by_version = {each.version: each.schema["resource_schemas"] for each in schemas.shipped() if each.name == "aws"}
    real, rebuilt = (by_version[version]["aws_eks_node_group"]["block"] for version in ("5.100.0", "6.25.0"))
    assert rebuilt["block_types"].keys() == real["block_types"].keys()
    for name, block in real["block_types"].items():
        assert rebuilt["block_types"][name]["nesting_mode"] == block["nesting_mode"]
    for name, attribute in real["attributes"].items():
        assert rebuilt["attributes"][name]["type"] == attribute["type"]
        assert rebuilt["attributes"][name].get("required") == attribute.get("required")


def test_names_of_javascript() -> None:
    assert npm.snake("subnetIds") == "subnet_ids"
