"""Equal settings that stand around those that differ, for pages that show both sides. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from karrots.diff.secrecy import Seal, is_secret
from karrots.diff.setaside import without
from karrots.diff.shapes import Kind
from karrots.diff.tokens import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from karrots.diff.model import Departure, Item, Level, ObjectKey, Origin, Problem, Side

MOST_OBJECTS = 300
MOST_SETTINGS = 12  # of one object
LONGEST = 120


@dataclass
class Around:
    """`seal` hides here too what is secret elsewhere. Objects are kept as they are read, which few are."""

    seal: Seal = field(default_factory=Seal)
    kept: dict[tuple[Level, str, ObjectKey], Mapping[str, Any]] = field(default_factory=dict)
    settings: dict[tuple[Level, ObjectKey], list[tuple[str, str]]] = field(default_factory=dict)

    def noting(self, level: Level, side: Side, name: str) -> Side:
        """The same side, whose objects are kept when somebody reads them."""

        def items(problems: list[Problem]) -> Iterator[Item]:
            for item in side.items(problems):
                yield _Noted(item, level, name, self)

        return replace(side, items=items)

    def keep(self, level: Level, side: str, key: ObjectKey, value: Mapping[str, Any]) -> None:
        if len(self.kept) < 2 * MOST_OBJECTS and not is_secret(key.group, key.kind):
            self.kept[level, side, key] = value

    def find(self, departures: Iterable[Departure]) -> None:
        paths: dict[tuple[Level, ObjectKey], list[str]] = {}
        for each in departures:
            if each.path:
                paths.setdefault((each.level, each.key), []).append(each.path)
        for (level, key), differing in paths.items():
            a, b = (self.kept.get((level, side, key)) for side in ("a", "b"))
            if a is not None and b is not None:
                self.settings[level, key] = self._equal(level, key, a, b, differing)

    def _equal(
        self, level: Level, key: ObjectKey, a: Mapping[str, Any], b: Mapping[str, Any], differing: list[str]
    ) -> list[tuple[str, str]]:
        kind = Kind(key.group, key.kind)
        one, other = (dict(_flat(without(value, kind, live=level == "live"), "")) for value in (a, b))
        same = [path for path, text in one.items() if other.get(path) == text and path not in differing]
        near = sorted(same, key=lambda path: -max(_shared(path, each) for each in differing))[:MOST_SETTINGS]
        return [(self.seal.hide(path), self.seal.hide(one[path])[:LONGEST]) for path in sorted(near)]


@dataclass(frozen=True, slots=True)
class _Noted:
    item: Item
    level: Level
    side: str
    around: Around

    @property
    def key(self) -> ObjectKey:
        return self.item.key

    @property
    def digests(self) -> tuple[bytes, ...]:
        return self.item.digests

    def value(self) -> Mapping[str, Any]:
        value = self.item.value()
        self.around.keep(self.level, self.side, self.key, value)
        return value

    def origin(self, path: tuple[str | int, ...] = ()) -> Origin:
        return self.item.origin(path)


def _flat(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, part in value.items():
            yield from _flat(part, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for at, part in enumerate(value):
            name = part.get("name") if isinstance(part, dict) else None
            yield from _flat(part, f"{path}[name={name}]" if isinstance(name, str) else f"{path}[{at}]")
    else:
        yield path, plain(value) if isinstance(value, str) else json.dumps(value)


def _shared(a: str, b: str) -> int:
    """How many characters both begin with."""
    return next((at for at, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
