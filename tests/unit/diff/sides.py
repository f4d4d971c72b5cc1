"""Sides made of plain objects."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from karrots.diff.model import ObjectKey, Origin, Problem, Side

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True)
class Given:
    """An object as an item, which is located by its place in the list."""

    object: Mapping[str, Any]
    at: int

    @property
    def key(self) -> ObjectKey:
        metadata = self.object["metadata"]
        group = str(self.object["apiVersion"]).rpartition("/")[0]
        return ObjectKey(group, self.object["kind"], metadata.get("namespace", ""), metadata["name"])

    @property
    def digests(self) -> tuple[bytes, ...]:
        return (json.dumps(self.object, sort_keys=True).encode(),)

    def value(self) -> Mapping[str, Any]:
        return self.object

    def origin(self, path: tuple[str | int, ...] = ()) -> Origin:
        from karrots.diff.live import manager

        return Origin(
            "given.yaml", self.at, manager=manager(self.object["metadata"].get("managedFields"), path, self.object)
        )


def side(label: str, objects: Iterable[Mapping[str, Any]], **record: Mapping[str, str]) -> Side:
    kept = [Given(each, at) for at, each in enumerate(objects, 1)]

    def items(_: list[Problem]) -> Iterable[Given]:
        return iter(kept)

    return Side(label, items, **record)
