"""The objects that were built: which there are, what differs between two sets of them, which images they name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from karrots.adapters.kube import group, parts, text
from karrots.rehearsal.model import Changed, Image

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from karrots.rehearsal.places import Places

Object = dict[str, Any]
MOST_FIELDS = 8
SERVER_MADE = ("managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink")
FLUX_LABELS = ("kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/", "reconcile.fluxcd.io/")
# What goes with an object of that kind.
TAKES = {
    "Namespace": "everything in it goes too",
    "CustomResourceDefinition": "every object of its kind goes too",
    "PersistentVolumeClaim": "its data may go too",
    "PersistentVolume": "its data may go too",
    "StatefulSet": "its pods end, and their volumes stay behind",
    "Secret": "what was in it cannot be made again from git",
}


class Key(NamedTuple):
    group: str
    kind: str
    namespace: str
    name: str


class Entry(NamedTuple):
    """One line of an inventory: an object, the version it was applied in, and who applied it."""

    key: Key
    version: str
    maker: str


class Trial(NamedTuple):
    """What the API server says to one object that is only tried: a refusal ('' for none), and warnings."""

    key: Key
    status: int
    refusal: str
    warnings: tuple[str, ...]


def inventory(maker: str, status: Object) -> Iterator[Entry]:
    """Of a Kustomization's or HelmRelease's status: ids are namespace_name_group_kind, a colon in a name is `__`."""
    for entry in parts(group(status, "inventory").get("entries")):
        namespace, _, rest = text(entry.get("id")).partition("_")
        fields = rest.rsplit("_", 2)
        if len(fields) == 3:
            name, of, kind = fields
            yield Entry(Key(of, kind, namespace, name.replace("__", ":")), text(entry.get("v")), maker)


def plain(obj: Mapping[str, Any]) -> Object:
    """As somebody would write it: without what the API server and Flux put in."""
    metadata = {name: value for name, value in group(dict(obj), "metadata").items() if name not in SERVER_MADE}
    for name in ("labels", "annotations"):
        kept = {k: v for k, v in group(metadata, name).items() if not k.startswith(FLUX_LABELS)}
        metadata.pop(name, None)
        if kept:
            metadata[name] = kept
    metadata.pop("finalizers", None)
    rest = {name: value for name, value in obj.items() if name not in ("status", "metadata")}
    return {**rest, "metadata": metadata}


def changed(before: Mapping[Key, Object], after: Mapping[Key, Object], places: Places) -> list[Changed]:
    """What would appear, change and vanish, riskiest first."""
    found = [_gone(key) for key in before.keys() - after.keys()]
    found += [_told("appears", key, places) for key in after.keys() - before.keys()]
    for key in before.keys() & after.keys():
        fields = list(differing(plain(before[key]), plain(after[key])))
        if fields:
            found.append(_told("changes", key, places, tuple(_cut(fields))))
    return sorted(found, key=lambda each: (_ORDER[each.effect], not each.risk, each))


_ORDER = {"vanishes": 0, "changes": 1, "appears": 2}


def _gone(key: Key) -> Changed:
    return Changed("vanishes", key.kind, key.namespace, key.name, risk=TAKES.get(key.kind, ""))


def _told(effect: str, key: Key, places: Places, fields: tuple[str, ...] = ()) -> Changed:
    path, line = places.place(key.kind, key.namespace, key.name)
    return Changed(effect, key.kind, key.namespace, key.name, fields, "", path, line)  # type: ignore[arg-type]


def _cut(fields: list[str]) -> list[str]:
    return fields if len(fields) <= MOST_FIELDS else [*fields[:MOST_FIELDS], f"and {len(fields) - MOST_FIELDS} more"]


def differing(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """The settings that are not the same, as people write them; never their values, which may be secret."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted(before.keys() | after.keys()):
            yield from differing(before.get(name), after.get(name), f"{path}.{name}" if path else str(name))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from differing(one, other, f"{path}[{_named(other, number)}]")
    elif json.dumps(before, sort_keys=True) != json.dumps(after, sort_keys=True):
        yield path


def _named(item: Any, number: int) -> str:
    name = item.get("name") if isinstance(item, dict) else None
    return f"name={name}" if isinstance(name, str) else str(number)


def images(objects: Iterable[tuple[str, Mapping[str, Any]]]) -> list[Image]:
    """Of every pod that any of these objects would make; each with the labels of who uses it."""
    used: dict[str, set[str]] = {}
    for label, obj in objects:
        for image in _images(obj.get("spec")):
            used.setdefault(image, set()).add(label)
    return [Image(image, tuple(sorted(users))) for image, users in sorted(used.items())]


def _images(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name in ("containers", "initContainers", "ephemeralContainers"):
            listed = value.get(name)
            yield from (text(c.get("image")) for c in parts(listed) if isinstance(c.get("image"), str))
        for name, part in value.items():
            if name not in ("openAPIV3Schema", "values"):
                yield from _images(part)
    elif isinstance(value, list):
        for part in value:
            yield from _images(part)
