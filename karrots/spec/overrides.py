"""Dotted overrides (`--set nodes.default.count=2`) on the raw text of a specification."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from karrots.errors import UsageError
from karrots.spec import shape
from karrots.spec.suggest import suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from karrots.spec.model import Model

HINT = "karrots schema cluster"


def applied(model: type[Model], value: Any, overrides: Mapping[str, str]) -> dict[str, Any]:
    """A copy of `value` with each path set. Raises UsageError for a path the schema does not have."""
    result: dict[str, Any] = _copy(value)
    for path, text in overrides.items():
        steps = path.split(".")
        _check(model, path, steps)
        _set(result, path, steps, text)
    return result


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(part) for key, part in value.items()}
    return [_copy(part) for part in value] if isinstance(value, list) else value


def _check(model: type[Model], path: str, steps: Sequence[str]) -> None:
    kind: Any = model
    for depth, step in enumerate(steps):
        above = f"'{'.'.join(steps[:depth])}'" if depth else "the file"
        if not shape.is_group(kind):
            raise UsageError(f"cannot set '{path}'", why=f"{above} is a single value", hint=HINT)
        known = shape.keys(kind)
        if not step or (known is not None and step not in known):
            near = suggestion(step, known or ())
            raise UsageError(f"cannot set '{path}'", why=f"{above} has no key '{step}'{near}", hint=HINT)
        kind = shape.inner(kind, step)
    if shape.is_group(kind):
        raise UsageError(f"cannot set '{path}'", why="it is a group of keys; name one of them", hint=HINT)


def _set(target: dict[str, Any], path: str, steps: Sequence[str], text: str) -> None:
    for step in steps[:-1]:
        if target.get(step) is None:
            target[step] = {}
        target = target[step]
        if not isinstance(target, dict):
            raise UsageError(f"cannot set '{path}'", why=f"'{step}' is not a group of keys in the file", hint=HINT)
    target[steps[-1]] = text
