"""`terraform providers schema -json` without the types we do not keep, and without its prose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.schemas.kept import is_kept

if TYPE_CHECKING:
    from collections.abc import Mapping

PARTS = ("resource_schemas", "data_source_schemas", "ephemeral_resource_schemas")
ATTRIBUTE = ("type", "required", "optional", "computed", "sensitive", "deprecated", "write_only")
LIMITS = ("min_items", "max_items")


def provider(full: Mapping[str, Any]) -> dict[str, Any]:
    parts = {
        part: {name: schema(of) for name, of in sorted(full.get(part, {}).items()) if is_kept(name)} for part in PARTS
    }
    return {"provider": schema(full["provider"]), **{part: kept for part, kept in parts.items() if kept}}


def schema(full: Mapping[str, Any]) -> dict[str, Any]:
    return {"version": full["version"], "block": block(full["block"])}


def block(full: Mapping[str, Any]) -> dict[str, Any]:
    attributes = {name: attribute(of) for name, of in full.get("attributes", {}).items()}
    blocks = {name: nested_block(of) for name, of in full.get("block_types", {}).items()}
    kept: dict[str, Any] = {"attributes": attributes, "block_types": blocks, "deprecated": full.get("deprecated")}
    return {name: value for name, value in kept.items() if value}


def nested_block(full: Mapping[str, Any]) -> dict[str, Any]:
    return {"nesting_mode": full["nesting_mode"], **_set(full, LIMITS), "block": block(full["block"])}


def attribute(full: Mapping[str, Any]) -> dict[str, Any]:
    kept = _set(full, ATTRIBUTE)
    if "nested_type" in full:
        nested = full["nested_type"]
        attributes = {name: attribute(of) for name, of in nested["attributes"].items()}
        kept["nested_type"] = {"nesting_mode": nested["nesting_mode"], "attributes": attributes}
    return kept


def _set(full: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: full[name] for name in names if full.get(name)}
