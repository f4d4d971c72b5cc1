"""Results as documents: the one form behind `-o json` and `-o yaml`.

Field names are a promise (tests/unit/report/test_document.py): fields are added, never renamed.
"""

from __future__ import annotations

import dataclasses
import json
from enum import StrEnum
from typing import Any

API_VERSION = "karrots.dev/v1"


class Format(StrEnum):
    text = "text"
    json = "json"
    yaml = "yaml"
    name = "name"


class Page(StrEnum):
    """The forms of a verb whose result can also be a page."""

    text = "text"
    json = "json"
    yaml = "yaml"
    name = "name"
    markdown = "markdown"
    html = "html"


def document(result: Any) -> dict[str, Any]:
    """A result dataclass as {apiVersion, kind, …fields}."""
    return {"apiVersion": API_VERSION, "kind": type(result).__name__, **plain(result)}


def plain(value: Any) -> Any:
    """Dataclasses, tuples and paths as JSON knows them."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)


def dump(content: Any, form: Format) -> str:
    """In ASCII it passes every pipe whole, also a file name that is not UTF-8, and cannot steer a terminal."""
    if form is Format.yaml:
        import yaml

        text: str = yaml.safe_dump(content, sort_keys=False)
        return text
    return json.dumps(content, indent=2) + "\n"
