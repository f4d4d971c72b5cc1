"""From bytes to a checked model, every mistake with its place in the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from karrots.errors import UsageError
from karrots.spec import overrides as settings
from karrots.spec import shape
from karrots.spec.model import Model, shorten
from karrots.spec.suggest import suggestion
from karrots.spec.yaml_file import Document, load_text, place, schema_hint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

M = TypeVar("M", bound=Model)
MOST_PROBLEMS = 50
LONGEST = 400  # characters of one problem: a key may have as many as the file


@dataclass(frozen=True)
class Problem:
    """One mistake; `path` is where in the document, line and column count from 1."""

    text: str
    path: str
    line: int = 0
    column: int = 0


class InvalidSpec(UsageError):
    """YAML, but not what its schema says; `problems` has all of it, the message the first."""

    def __init__(self, source: str, problems: Iterable[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        lines = [f"{place(source, each.line, each.column)}: {each.text}" for each in self.problems]
        super().__init__(lines[0], why="\n".join(lines[1:]), hint=schema_hint(source))


def load(model: type[M], data: bytes | str, source: str, overrides: Mapping[str, str]) -> M:
    document = load_text(data, source)
    if not isinstance(document.value, dict):
        raise InvalidSpec(source, [Problem("the file must hold keys and values", "", *document.position())])
    value = settings.applied(model, document.value, overrides)
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise _invalid(model, document, overrides, error) from error


def _invalid(
    model: type[Model], document: Document, overrides: Mapping[str, str], error: ValidationError
) -> UsageError:
    everything = error.errors(include_url=False)
    # Each is looked up in the file and in the known keys, and nobody reads a thousand.
    found = (_problem(model, document, dict(each)) for each in everything[:MOST_PROBLEMS])
    problems = sorted(found, key=lambda problem: (problem.line, problem.column))
    blamed = [path for path in overrides if any(_touches(path, problem.path) for problem in problems)]
    if not blamed:
        return InvalidSpec(document.source, problems)
    named = "', '".join(f"{path}={overrides[path]}" for path in blamed)
    why = "\n".join(problem.text for problem in problems)
    return UsageError(f"cannot set '{named}'", why=why, hint=schema_hint(document.source))


def _touches(override: str, path: str) -> bool:
    return path == override or override.startswith(f"{path}.")


def _problem(model: type[Model], document: Document, error: dict[str, Any]) -> Problem:
    # "[key]" is pydantic's mark for a mistake in a mapping's key, not in its value.
    location = tuple(step for step in error["loc"] if step != "[key]")
    path = ".".join(str(step) for step in location)
    return Problem(shorten(_text(model, location, path, error), LONGEST), path, *document.position(location))


def _text(model: type[Model], location: Sequence[str | int], path: str, error: dict[str, Any]) -> str:
    kind, value = error["type"], error.get("input")
    subject = f"'{path}' " if path else ""
    if kind == "extra_forbidden":
        return _unknown_key(model, location)
    if kind == "missing":
        return f"{subject}is missing"
    if kind == "value_error":
        return f"{subject}{error['ctx']['error']}"
    if kind == "literal_error":
        return f"{subject}must be {error['ctx']['expected']}, not {_called(value)}"
    if kind in _WANTED:
        return f"{subject}must be {_WANTED[kind].format(**error.get('ctx', {}))}, not {_called(value)}"
    return f"{subject}is wrong: {error['msg']}"


_WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "dict_type": "a group of keys",
    "model_type": "a group of keys",
    "list_type": "a list",
    "greater_than_equal": "{ge} or more",
    "less_than_equal": "{le} or less",
    "string_too_short": "a text",
    "too_short": "a group of at least one key",
}


def _called(value: Any) -> str:
    if value is None:
        return "empty"
    if value in ("", {}):
        return "nothing"
    if isinstance(value, dict):
        return "a group of keys"
    return "a list" if isinstance(value, list) else f"'{shorten(str(value))}'"


def _unknown_key(model: type[Model], location: Sequence[str | int]) -> str:
    *above, key = location
    known = shape.keys(shape.at(model, above)) or ()
    where = f" in '{'.'.join(str(step) for step in above)}'" if above else ""
    return f"unknown key '{key}'{where}{suggestion(str(key), known) or _listed(known)}"


def _listed(known: Sequence[str]) -> str:
    return f"; known are {', '.join(known)}"
