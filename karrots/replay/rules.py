"""rules.yaml: what a schema cannot say, for the provider that plays it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "rules.yaml"
PARTS = ("resources", "data")
DOCUMENTATION = "https://registry.terraform.io/providers/hashicorp/"


@cache
def rules() -> dict[str, dict[str, Any]]:
    """By `resources` and `data`, then by type."""
    import yaml

    found = yaml.safe_load(FILE.read_text("utf-8"))
    return {part: {name: _texts(rule) for name, rule in (found.get(part) or {}).items()} for part in PARTS}


def _texts(rule: dict[str, Any]) -> dict[str, Any]:
    """Values are compared as texts, and a form is a pattern and the same in words."""
    allowed = {place: [_text(value) for value in values] for place, values in rule.get("allowed", {}).items()}
    form = {place: {"pattern": pattern, "words": words} for place, (pattern, words) in rule.get("form", {}).items()}
    when = [{key: _facts(value) for key, value in condition.items()} for condition in rule.get("when", [])]
    source = DOCUMENTATION + rule["source"]
    return {**rule, "source": source, "allowed": allowed, "form": form, "when": when}


def _facts(value: Any) -> Any:
    return {place: _text(wanted) for place, wanted in value.items()} if isinstance(value, dict) else value


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
