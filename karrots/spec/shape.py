"""Walking the models by path: which keys are known where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

from karrots.spec.model import Model

if TYPE_CHECKING:
    from collections.abc import Sequence


def at(kind: Any, path: Sequence[str | int]) -> Any:
    """The type at `path` below the type `kind`, None where there is none."""
    for step in path:
        kind = inner(kind, step)
    return kind


def inner(kind: Any, step: str | int) -> Any:
    for option in _options(kind):
        if _is_model(option):
            for name, info in option.model_fields.items():
                if (info.alias or name) == step:
                    return info.annotation
        elif get_origin(option) in (dict, Mapping, list):
            return get_args(option)[-1]
    return None


def keys(kind: Any) -> tuple[str, ...] | None:
    """The keys a type allows; None for a type that has none, or takes any."""
    for option in _options(kind):
        if _is_model(option):
            return tuple(info.alias or name for name, info in option.model_fields.items())
    return None


def is_group(kind: Any) -> bool:
    return any(_is_model(option) or get_origin(option) in (dict, Mapping) for option in _options(kind))


def _is_model(option: Any) -> bool:
    return isinstance(option, type) and issubclass(option, Model)


def _options(kind: Any) -> tuple[Any, ...]:
    """`kind` without Annotated; the parts of a union one by one."""
    if get_origin(kind) is Annotated:
        return _options(get_args(kind)[0])
    if get_origin(kind) in (dict, Mapping, list) or isinstance(kind, type):
        return (kind,)
    return tuple(part for option in get_args(kind) for part in _options(option))
