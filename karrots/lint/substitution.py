"""Flux's post-build substitution: which variables a text uses.

Grammar as in github.com/fluxcd/pkg/envsubst v1.7: `${name}` and `${name<operator>…}`, `$${` is an escaped `${`.
Strict since Flux 2.9: a variable without a value fails the whole Kustomization, unless its operator gives a default.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Path = tuple[str | int, ...]

ANNOTATION = "kustomize.toolkit.fluxcd.io/substitute"
DISABLED = "disabled"

# Two dollars are one escaped, so an odd number of them begins a variable.
_USE = re.compile(r"(?<!\$)(?:\$\$)*(?P<use>\$\{)(?P<length>#?)(?P<name>\w*)(?P<operator>:[-=?+]|:(?!\})|[=,^/#%}]|)")
_BRACE = re.compile(r"(?<!\$)(?:\$\$)*(?P<use>\$\{)|\}")
_PLAIN = re.compile(
    r"(?P<escaped>\$\$\{)|\$\{(?:(?P<name>\w+)(?:(?P<operator>:?[-=?+]|[,^/#%:]+)(?P<default>[^${}]*))?\})?"
)
_DEFAULTS = ("=", ":=", ":-", ":?", ":+")


@dataclass(frozen=True)
class Use:
    """One `${…}` at character `offset` of a text. `name` is empty for one that Flux cannot parse."""

    name: str
    offset: int
    has_default: bool
    text: str


def uses(text: str) -> Iterator[Use]:
    if "${" not in text:
        return
    closed = _closed(text)
    for match in _USE.finditer(text):
        name, operator, start = match["name"], match["operator"], match.start("use")
        parses = name and operator and start in closed
        excerpt = text[start : start + 40].split("\n", 1)[0]
        yield Use(name if parses else "", start, operator in _DEFAULTS and not match["length"], excerpt)


def _closed(text: str) -> set[int]:
    """Where each `${` stands that has its `}`; a default may hold further ones."""
    opened: list[int] = []
    closed: set[int] = set()
    for token in _BRACE.finditer(text):
        if token["use"]:
            opened.append(token.start("use"))
        elif opened:
            closed.add(opened.pop())
    return closed


def strings(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every text in a value, keys included, with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield (*path, key), key
            yield from strings(part, (*path, key))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from strings(part, (*path, index))


def is_disabled(metadata: Any) -> bool:
    """Flux accepts the switch as a label or an annotation."""
    if not isinstance(metadata, dict):
        return False
    groups = (metadata.get("annotations"), metadata.get("labels"))
    return any(isinstance(group, dict) and group.get(ANNOTATION) == DISABLED for group in groups)


def fill(value: Any, values: Mapping[str, str]) -> Any:
    """An object with plain variables and defaults filled in; None where another one is in it.

    Flux substitutes in the text of a manifest, so a text that was nothing but a variable may become a number.
    """
    try:
        return _filled(value, values)
    except LookupError:
        return None


def _filled(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {_filled_text(str(key), values): _filled(part, values) for key, part in value.items()}
    if isinstance(value, list):
        return [_filled(part, values) for part in value]
    if not isinstance(value, str) or "${" not in value:
        return value
    made = _filled_text(value, values)
    return _read(made) if made != value and "\n" not in made else made


def _filled_text(text: str, values: Mapping[str, str]) -> str:
    """Raises LookupError for a variable without a value, and for any operator but a default."""
    return _PLAIN.sub(lambda match: _value(match, values), text)


def _value(match: re.Match[str], values: Mapping[str, str]) -> str:
    if match["escaped"]:
        return "${"
    if match["name"] is None or (match["operator"] and match["operator"] not in ("=", ":=", ":-")):
        raise LookupError(match[0])
    if match["operator"] and not values.get(match["name"]):
        return match["default"] or ""
    return values[match["name"]]


def _read(text: str) -> Any:
    from karrots.spec import yaml_file

    try:
        found = yaml_file.load(text, "a value").value
    except yaml_file.YamlProblem:
        return text
    return found if isinstance(found, (int, float, bool)) else text
