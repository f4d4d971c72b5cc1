"""JSON Schemas of the files people write, for editors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from karrots.errors import UsageError
from karrots.spec.cluster import ClusterSpec
from karrots.spec.fleet import FleetSpec

if TYPE_CHECKING:
    from karrots.spec.model import Model

# The language server for YAML reads draft-07; pydantic writes 2020-12, but nothing of it that draft-07 lacks is used.
DRAFT = "http://json-schema.org/draft-07/schema#"

MODELS: dict[str, tuple[type[Model], str]] = {
    "cluster": (ClusterSpec, "cluster.yaml"),
    "fleet": (FleetSpec, "karrots.yaml"),
}


def json_schema(kind: str) -> dict[str, Any]:
    if kind not in MODELS:
        raise UsageError(f"there is no schema '{kind}'", why=f"there are: {', '.join(MODELS)}")
    model, file = MODELS[kind]
    return {"$schema": DRAFT, **model.model_json_schema(by_alias=True), "title": f"{file} of karrots"}
