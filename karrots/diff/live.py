"""Objects of an API server as items: kept packed, with a digest of what is left when the server's own is taken away."""

from __future__ import annotations

import json
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


class _Shelf:
    """Texts that are packed by the dozen, as neighbours are alike."""

    def __init__(self) -> None:
        self.packed: list[bytes] = []
        self.open: list[bytes] = []

    def put(self, text: bytes) -> tuple[int, int]:
        if len(self.open) == BATCH:
            self.packed.append(zlib.compress(b"\0".join(self.open), 1))
            self.open = []
        self.open.append(text)
        return len(self.packed), len(self.open) - 1

    def get(self, place: tuple[int, int]) -> bytes:
        batch, at = place
        return self.open[at] if batch == len(self.packed) else zlib.decompress(self.packed[batch]).split(b"\0")[at]


@dataclass(frozen=True, slots=True)
class LiveItem:
    key: ObjectKey
    digests: tuple[bytes, ...]
    shelf: _Shelf
    place: tuple[int, int]

    def value(self) -> Mapping[str, Any]:
        found: dict[str, Any] = json.loads(self.shelf.get(self.place))
        return found

    def origin(self, path: tuple[str | int, ...] = ()) -> Origin:
        metadata = self.value().get("metadata") or {}
        return Origin(
            kustomization=_label(metadata, "kustomize.toolkit.fluxcd.io"),
            helm_release=_label(metadata, "helm.toolkit.fluxcd.io"),
            manager=manager(metadata.get("managedFields"), path),
        )


def items(objects: Iterable[Mapping[str, Any]], tokens: Tokens | None = None) -> Iterator[LiveItem]:
    """Of objects as an API server lists them, with apiVersion and kind; those that the cluster makes itself stay out.

    With `tokens`, what identity alone tells apart is known by its digest too.
    """
    shelf = _Shelf()
    for value in objects:
        if not is_set_aside(value):
            yield _item(value, shelf, tokens)


def _item(value: Mapping[str, Any], shelf: _Shelf, tokens: Tokens | None) -> LiveItem:
    metadata = value.get("metadata") or {}
    group = str(value.get("apiVersion", "")).rpartition("/")[0]
    key = ObjectKey(group, str(value.get("kind", "")), metadata.get("namespace") or "", str(metadata.get("name", "")))
    bare = without(value, Kind(group, key.kind), live=True)
    text = json.dumps(bare, sort_keys=True, separators=(",", ":"))
    digests = [_digest(text)]
    told = tokens.of(text) if tokens is not None else text
    if told != text:
        digests.append(_digest(told))
    kept = {each: part for each, part in value.items() if each != "status"}
    return LiveItem(key, tuple(digests), shelf, shelf.put(json.dumps(kept, separators=(",", ":")).encode()))


def _digest(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=16).digest()


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


def manager(managed: Any, path: Sequence[str | int]) -> str:
    """Who wrote the setting last, by the object's managedFields; whoever wrote the object when the path is ()."""
    entries = [each for each in managed if isinstance(each, dict)] if isinstance(managed, list) else []
    entries.sort(key=lambda each: str(each.get("time", "")), reverse=True)
    if not path:
        return str(entries[0].get("manager", "")) if entries else ""
    best = ("", 0)
    for each in entries:
        depth = _depth(each.get("fieldsV1"), path)
        if depth > best[1]:
            best = (str(each.get("manager", "")), depth)
    return best[0]


def _depth(fields: Any, path: Sequence[str | int]) -> int:
    """How far the entry's fields follow the path. https://kubernetes.io/docs/reference/using-api/server-side-apply/

    Items of lists are named by their keys there, so one of them is taken when all of the rest fits.
    """
    if not isinstance(fields, dict) or not path:
        return 0
    step, rest = path[0], path[1:]
    if isinstance(step, str):
        return 1 + _depth(fields[f"f:{step}"], rest) if f"f:{step}" in fields else 0
    found = [1 + _depth(part, rest) for name, part in fields.items() if name[:2] in {"k:", "v:", "i:"}]
    return max(found, default=0)
