"""Patches as kustomize applies them: strategic merge and JSON patch."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from karrots.diff.shapes import Kind, key_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_DIRECTIVE = "$patch"
# Lists with keys that a patch replaces all the same: their patch strategy is not merge.
_ATOMIC = frozenset({"rules", "paths", "tls", "subjects", "tolerations", "metrics", "volumeClaimTemplates", "versions"})


class BadPatch(Exception):
    """A patch that does not fit what it is applied to."""


def strategic(value: Any, patch: Any, kind: Kind, field: tuple[str, ...] = ()) -> Any:
    """https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md"""
    if isinstance(patch, dict):
        return _map(value if isinstance(value, dict) else {}, patch, kind, field)
    if isinstance(patch, list) and isinstance(value, list):
        return _list(value, patch, kind, field)
    return copy.deepcopy(patch)


def _map(value: dict[str, Any], patch: dict[str, Any], kind: Kind, field: tuple[str, ...]) -> dict[str, Any]:
    if patch.get(_DIRECTIVE) == "replace":
        return {key: copy.deepcopy(part) for key, part in patch.items() if key != _DIRECTIVE}
    if patch.get(_DIRECTIVE) == "delete":
        return {}
    merged = dict(value)
    for key, part in patch.items():
        if key.startswith("$"):
            continue
        if part is None or (isinstance(part, dict) and part.get(_DIRECTIVE) == "delete"):
            merged.pop(key, None)
        else:
            merged[key] = strategic(merged.get(key), part, kind, (*field, key))
    return merged


def _list(value: list[Any], patch: list[Any], kind: Kind, field: tuple[str, ...]) -> list[Any]:
    known = kind.is_built_in and field and field[-1] not in _ATOMIC
    key = kind.known_key(kind.field(field)) if known else None
    if key is None or any(isinstance(item, dict) and item.get(_DIRECTIVE) == "replace" for item in patch):
        return [copy.deepcopy(item) for item in patch if not (isinstance(item, dict) and _DIRECTIVE in item)]
    merged = list(value)
    fresh: list[Any] = []
    for item in patch:
        at = next((at for at, old in enumerate(merged) if key_of(old, key) == key_of(item, key)), None)
        if isinstance(item, dict) and item.get(_DIRECTIVE) == "delete":
            merged = [old for number, old in enumerate(merged) if number != at]
        elif at is None:
            fresh.append(copy.deepcopy(item))
        else:
            merged[at] = strategic(merged[at], item, kind, field)
    return [*fresh, *merged]


def json_patch(value: Any, operations: Sequence[Any]) -> Any:
    """RFC 6902. Raises BadPatch."""
    made = copy.deepcopy(value)
    for operation in operations:
        if not isinstance(operation, dict):
            raise BadPatch("an operation is no map")
        made = _operated(made, operation)
    return made


def _operated(value: Any, operation: dict[str, Any]) -> Any:
    name, path = operation.get("op"), _pointer(operation.get("path"))
    if name in {"move", "copy"}:
        source = _pointer(operation.get("from"))
        found = copy.deepcopy(_get(value, source))
        return _set(_removed(value, source) if name == "move" else value, path, found, insert=True)
    if name == "remove":
        return _removed(value, path)
    if name == "test":
        if _get(value, path) != operation.get("value"):
            raise BadPatch(f"the test at '{operation.get('path')}' fails")
        return value
    if name not in {"add", "replace"}:
        raise BadPatch(f"'{name}' is no operation")
    if name == "replace":
        _get(value, path)
    return _set(value, path, copy.deepcopy(operation.get("value")), insert=name == "add")


def _pointer(path: Any) -> list[str]:
    if not isinstance(path, str) or (path and not path.startswith("/")):
        raise BadPatch(f"'{path}' is no path")
    return [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")[1:]]


def _get(value: Any, path: Sequence[str]) -> Any:
    for step in path:
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            raise BadPatch(f"there is no '/{'/'.join(path)}'")
    return value


def _set(value: Any, path: Sequence[str], new: Any, *, insert: bool) -> Any:
    if not path:
        return new
    holder, last = _get(value, path[:-1]), path[-1]
    if isinstance(holder, dict):
        holder[last] = new
    elif isinstance(holder, list) and last == "-":
        holder.append(new)
    elif isinstance(holder, list) and last.isdigit() and int(last) <= len(holder):
        holder[int(last) : int(last) + (0 if insert else 1)] = [new]
    else:
        raise BadPatch(f"there is no '/{'/'.join(path)}'")
    return value


def _removed(value: Any, path: Sequence[str]) -> Any:
    _get(value, path)
    holder = _get(value, path[:-1])
    if isinstance(holder, list):
        del holder[int(path[-1])]
    else:
        del holder[path[-1]]
    return value
