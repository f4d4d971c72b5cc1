"""Objects of an API server as items: kept packed, with a digest of what is left when the server's own is taken away."""

from __future__ import annotations

import json
import marshal
import zlib
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from karrots.diff.classes import FENCE_MARK, made_by_the_cluster
from karrots.diff.model import ObjectKey, Origin
from karrots.diff.setaside import without
from karrots.diff.shapes import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from karrots.diff.tokens import Tokens

BATCH = 64
ROOM = 24 << 20
# A version of marshal in which equal values are the same bytes: none refers to what stands before.
PLAIN = 2


class _Shelf:
    """Objects written down; from a certain number on packed by the dozen, as neighbours are alike."""

    def __init__(self) -> None:
        self.loose: list[bytes] = []
        self.room = ROOM
        self.packed: list[bytes] = []
        self.open: list[bytes] = []

    def put(self, value: dict[str, Any]) -> int:
        """The place to ask for it again."""
        written = marshal.dumps(value)
        if self.room > 0:
            self.room -= len(written)
            self.loose.append(written)
            return len(self.loose) - 1
        if len(self.open) == BATCH:
            self.packed.append(zlib.compress(marshal.dumps(self.open), 1))
            self.open = []
        self.open.append(written)
        return len(self.loose) + len(self.packed) * BATCH + len(self.open) - 1

    def get(self, place: int) -> Mapping[str, Any]:
        found: Mapping[str, Any] = marshal.loads(self._written(place))  # noqa: S302  (what this process wrote itself)
        return found

    def _written(self, place: int) -> bytes:
        if place < len(self.loose):
            return self.loose[place]
        batch, at = divmod(place - len(self.loose), BATCH)
        held: list[bytes] = self.open
        if batch < len(self.packed):
            held = marshal.loads(zlib.decompress(self.packed[batch]))  # noqa: S302
        return held[at]


@dataclass(frozen=True, slots=True)
class LiveItem:
    key: ObjectKey
    digests: tuple[bytes, ...]
    shelf: _Shelf
    place: int

    def value(self) -> Mapping[str, Any]:
        return self.shelf.get(self.place)

    def origin(self, path: tuple[str | int, ...] = ()) -> Origin:
        metadata = self.value().get("metadata") or {}
        return Origin(
            kustomization=_label(metadata, "kustomize.toolkit.fluxcd.io"),
            helm_release=_label(metadata, "helm.toolkit.fluxcd.io"),
            manager=manager(metadata.get("managedFields"), path, self.value()),
        )


def items(objects: Iterable[Mapping[str, Any]], tokens: Tokens | None = None) -> Iterator[LiveItem]:
    """Of objects as an API server lists them, with apiVersion and kind; those that the cluster makes itself stay out.

    With `tokens`, what identity alone tells apart is known by its digest too.
    """
    shelf = _Shelf()
    names = [value.encode() for value in tokens.names] if tokens is not None else []
    for value in objects:
        if not is_set_aside(value):
            yield _item(value, shelf, tokens, names)


def _item(value: Mapping[str, Any], shelf: _Shelf, tokens: Tokens | None, names: Sequence[bytes]) -> LiveItem:
    metadata = value.get("metadata") or {}
    group = str(value.get("apiVersion", "")).rpartition("/")[0]
    key = ObjectKey(group, str(value.get("kind", "")), metadata.get("namespace") or "", str(metadata.get("name", "")))
    bare = without(value, Kind(group, key.kind), live=True)
    written = marshal.dumps(bare, PLAIN)
    digests: tuple[bytes, ...] = (_digest(written),)
    if tokens is not None and any(name in written for name in names):
        digests += (_digest(tokens.of(json.dumps(bare)).encode()),)
    return LiveItem(key, digests, shelf, shelf.put({each: part for each, part in value.items() if each != "status"}))


def _digest(written: bytes) -> bytes:
    return blake2b(written, digest_size=16).digest()


def is_set_aside(value: Mapping[str, Any]) -> bool:
    """What each cluster has of its own: made by controllers, by karrots for its identity, or by its fence."""
    metadata = value.get("metadata") or {}
    if FENCE_MARK in (metadata.get("labels") or {}):
        return True
    return bool(made_by_the_cluster(value))


def _label(metadata: Mapping[str, Any], group: str) -> str:
    labels = metadata.get("labels") or {}
    name, namespace = labels.get(f"{group}/name"), labels.get(f"{group}/namespace")
    return f"{namespace}/{name}" if name and namespace else ""


def manager(managed: Any, path: Sequence[str | int], value: Any) -> str:
    """Who wrote the setting last, by the object's managedFields; whoever wrote the object when the path is ()."""
    entries = [each for each in managed if isinstance(each, dict)] if isinstance(managed, list) else []
    entries.sort(key=lambda each: str(each.get("time", "")), reverse=True)
    if not path:
        return str(entries[0].get("manager", "")) if entries else ""
    found = [(_depth(each.get("fieldsV1"), path, value), str(each.get("manager", ""))) for each in entries]
    deepest = max((depth for depth, _ in found), default=0)
    return next((name for depth, name in found if depth == deepest), "") if deepest else ""


def _depth(fields: Any, path: Sequence[str | int], value: Any) -> int:
    """How far the entry's fields follow the path, in which items of lists are named by their keys or values.

    https://kubernetes.io/docs/reference/using-api/server-side-apply/
    """
    if not isinstance(fields, dict) or not path:
        return 0
    step, rest = path[0], path[1:]
    if isinstance(step, str):
        part = value.get(step) if isinstance(value, dict) else None
        return 1 + _depth(fields[f"f:{step}"], rest, part) if f"f:{step}" in fields else 0
    item = value[step] if isinstance(value, list) and step < len(value) else None
    found = [1 + _depth(part, rest, item) for name, part in fields.items() if _names(name, item)]
    return max(found, default=0)


def _names(name: str, item: Any) -> bool:
    if name[:2] not in {"k:", "v:"}:
        return False
    try:
        said = json.loads(name[2:])
    except ValueError:
        return False
    if name[0] == "k" and isinstance(said, dict) and isinstance(item, dict):
        return all(item.get(key) == part for key, part in said.items())
    return bool(said == item)
