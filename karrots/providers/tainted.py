"""What a stopped run left tainted in Terraform's state, which is its version 4 JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator


Marked: TypeAlias = tuple[Mapping[str, Any], Mapping[str, Any]]


def tainted(state: Mapping[str, Any], kinds: Collection[str]) -> Iterator[Marked]:
    """Resources of these kinds, each with the instance of it that is."""
    for resource in state.get("resources") or ():
        if resource.get("mode") == "managed" and resource.get("type") in kinds:
            for instance in resource.get("instances") or ():
                if instance.get("status") == "tainted":
                    yield resource, instance


def addresses(marked: Iterable[Marked], is_whole: Callable[[str, Mapping[str, Any]], bool]) -> tuple[str, ...]:
    """Of those that are whole, by their type and what the state holds of them."""
    return tuple(
        address_of(resource, instance)
        for resource, instance in marked
        if is_whole(str(resource["type"]), instance.get("attributes") or {})
    )


def address_of(resource: Mapping[str, Any], instance: Mapping[str, Any]) -> str:
    plain = ".".join(filter(None, (resource.get("module"), resource["type"], resource["name"])))
    key = instance.get("index_key")
    return plain if key is None else f'{plain}["{key}"]' if isinstance(key, str) else f"{plain}[{key}]"
