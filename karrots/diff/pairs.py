"""Two values of one object, setting by setting.

Settings are equal when they are the same text, when they mean the same to the API, or when identity alone tells them
apart. Going from b to a gives the mirror image of going from a to b.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from karrots.diff.canonical import canonical
from karrots.diff.quantities import quantity
from karrots.diff.shapes import ABSENT, Kind, key_of
from karrots.diff.tokens import Tokens, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from karrots.diff.shapes import Key

LONGEST_LABEL = 60
# Names of fields, and for items of lists `[name=web]`, `[2]` or `[…]`.
Path = tuple[str, ...]
# Where the same setting stands in one of the sides: with positions.
Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Difference:
    """`a` or `b` is ABSENT; `at_a` and `at_b` lead to the deepest part that is there."""

    path: Path
    a: Any
    b: Any
    at_a: Place
    at_b: Place


@dataclass(frozen=True)
class _Spot:
    path: Path
    a: Place
    b: Place

    def field(self, step: str) -> _Spot:
        return _Spot((*self.path, step), (*self.a, step), (*self.b, step))

    def item(self, label: str, a: int | None, b: int | None) -> _Spot:
        at_a = self.a if a is None else (*self.a, a)
        return _Spot((*self.path, f"[{label}]"), at_a, self.b if b is None else (*self.b, b))


@dataclass
class Pair:
    """One comparison; `settings` counts those of either side."""

    kind: Kind
    tokens: tuple[Tokens, Tokens]
    settings: int = 0

    def differences(self, a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Difference]:
        return list(self._values(a, b, _Spot((), (), ())))

    def _values(self, a: Any, b: Any, spot: _Spot) -> Iterator[Difference]:
        if isinstance(a, dict) and isinstance(b, dict):
            yield from self._maps(a, b, spot)
        elif isinstance(a, list) and isinstance(b, list):
            yield from self._lists(a, b, spot)
        else:
            self.settings += 1
            if not self.same(a, b, spot.path):
                yield Difference(spot.path, a, b, spot.a, spot.b)

    def same(self, a: Any, b: Any, path: Path) -> bool:
        if isinstance(a, str) and isinstance(b, str) and self._same_text(a, b):
            return True
        return self.kind.same(_read(a), _read(b), self.kind.field(path))

    def _same_text(self, a: str, b: str) -> bool:
        return plain(a) == plain(b) or self.tokens[0].of(a) == self.tokens[1].of(b)

    def _maps(self, a: Mapping[str, Any], b: Mapping[str, Any], spot: _Spot) -> Iterator[Difference]:
        if spot.path[-1:] == ("resources",):
            a, b = _asked(a, b), _asked(b, a)
        partners = self._partners(a, b)
        taken = set(partners.values())
        for key in sorted({*a, *(each for each in b if each not in taken)}):
            there = partners.get(key) if key in a else key
            step = spot.field(key) if there in {None, key} else _renamed(spot, self.tokens[0].of(key), key, str(there))
            yield from self._either(a.get(key, ABSENT), b.get(there, ABSENT) if there is not None else ABSENT, step)

    def _partners(self, a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, str]:
        """Keys of `a` with theirs in `b`: themselves, or those that identity alone tells apart."""
        shared = {key: key for key in a if key in b}
        left = {self.tokens[0].of(key): key for key in sorted(a, reverse=True) if key not in shared}
        right = {self.tokens[1].of(key): key for key in sorted(b, reverse=True) if key not in shared}
        return shared | {left[token]: right[token] for token in left if token in right}

    def _either(self, a: Any, b: Any, spot: _Spot) -> Iterator[Difference]:
        field = self.kind.field(spot.path)
        if not self.kind.keeps_null(field):
            a, b = (ABSENT if value is None else value for value in (a, b))
        if a is not ABSENT and b is not ABSENT:
            yield from self._values(a, b, spot)
        elif self.kind.is_map(field) and isinstance(b if a is ABSENT else a, dict):
            yield from self._maps({} if a is ABSENT else a, {} if b is ABSENT else b, spot)
        else:
            self.settings += 1
            if a is not b and not self.kind.is_nothing(b if a is ABSENT else a, field):
                yield Difference(spot.path, a, b, spot.a, spot.b)

    def _lists(self, a: Sequence[Any], b: Sequence[Any], spot: _Spot) -> Iterator[Difference]:
        field = self.kind.field(spot.path)
        if self.kind.is_set(field):
            yield from self._sets(a, b, spot)
            return
        key = self.kind.merge_key(field, [*a, *b]) or _key_of_both(self.kind, field, a, b)
        keyed = _keyed(a, key, self.tokens[0]), _keyed(b, key, self.tokens[1])
        if key is None or keyed[0] is None or keyed[1] is None:
            yield from self._positions(a, b, spot)
        else:
            yield from self._by_key(a, b, keyed[0], keyed[1], spot)

    def _by_key(
        self, a: Sequence[Any], b: Sequence[Any], mine: dict[str, int], theirs: dict[str, int], spot: _Spot
    ) -> Iterator[Difference]:
        for label in sorted({*mine, *theirs}):
            at, there = mine.get(label), theirs.get(label)
            left = ABSENT if at is None else a[at]
            right = ABSENT if there is None else b[there]
            yield from self._either(left, right, spot.item(label, at, there))
        order = [label for label in mine if label in theirs], [label for label in theirs if label in mine]
        if order[0] != order[1] and self.kind.order_matters(spot.path, [*a, *b]):
            yield Difference((*spot.path, "[order]"), ", ".join(order[0]), ", ".join(order[1]), spot.a, spot.b)

    def _sets(self, a: Sequence[Any], b: Sequence[Any], spot: _Spot) -> Iterator[Difference]:
        """What is in one only; of the same thing more than once, the number counts."""
        left = [canonical(item, self.kind, spot.path, None) for item in a]
        right = [canonical(item, self.kind, spot.path, None) for item in b]
        rest_a, rest_b = _without(left, Counter(right)), _without(right, Counter(left))
        told = [canonical(item, self.kind, spot.path, self.tokens[0]) for item in a]
        said = [canonical(item, self.kind, spot.path, self.tokens[1]) for item in b]
        over_a = _without([told[at] for at in rest_a], Counter(said[at] for at in rest_b))
        over_b = _without([said[at] for at in rest_b], Counter(told[at] for at in rest_a))
        self.settings += len(a) + len(over_b)
        for at in sorted((rest_a[index] for index in over_a), key=lambda at: told[at]):
            yield Difference((*spot.path, f"[{_label(told[at])}]"), a[at], ABSENT, (*spot.a, at), spot.b)
        for at in sorted((rest_b[index] for index in over_b), key=lambda at: said[at]):
            yield Difference((*spot.path, f"[{_label(said[at])}]"), ABSENT, b[at], spot.a, (*spot.b, at))

    def _positions(self, a: Sequence[Any], b: Sequence[Any], spot: _Spot) -> Iterator[Difference]:
        """What begins and ends both the same is left away, so that one item more does not move all the others."""
        most = min(len(a), len(b))
        head = next((at for at in range(most) if not self._equal(a[at], b[at], spot)), most)
        tail = next((at for at in range(most - head) if not self._equal(a[-1 - at], b[-1 - at], spot)), most - head)
        self.settings += head + tail
        for at in range(head, max(len(a), len(b)) - tail):
            left = a[at] if at < len(a) - tail else ABSENT
            right = b[at] if at < len(b) - tail else ABSENT
            here = spot.item(str(at), None if left is ABSENT else at, None if right is ABSENT else at)
            yield from self._present(left, right, here)

    def _present(self, a: Any, b: Any, spot: _Spot) -> Iterator[Difference]:
        """Of items of lists: one that is there says something, whatever it is."""
        if a is ABSENT or b is ABSENT:
            self.settings += 1
            yield Difference(spot.path, a, b, spot.a, spot.b)
        else:
            yield from self._values(a, b, spot)

    def _equal(self, a: Any, b: Any, spot: _Spot) -> bool:
        return not Pair(self.kind, self.tokens).has_difference(a, b, spot)

    def has_difference(self, a: Any, b: Any, spot: _Spot) -> bool:
        return next(self._values(a, b, spot.item("0", None, None)), None) is not None


def _asked(resources: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without requests that only say what is limited, which is what not saying them means, where `other` has none.

    https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/
    """
    limits, requests = resources.get("limits"), resources.get("requests")
    if not isinstance(limits, dict) or not isinstance(requests, dict):
        return resources
    there = other.get("requests")
    said = there if isinstance(there, dict) else {}
    kept = {key: part for key, part in requests.items() if key in said or not _means(part, limits.get(key))}
    return {**resources, "requests": kept}


def _means(a: Any, b: Any) -> bool:
    return a == b or (quantity(a) is not None and quantity(a) == quantity(b))


def _read(value: Any) -> Any:
    return plain(value) if isinstance(value, str) else value


def _renamed(spot: _Spot, shown: str, a: str, b: str) -> _Spot:
    return _Spot((*spot.path, shown), (*spot.a, a), (*spot.b, b))


def _key_of_both(kind: Kind, field: tuple[str, ...], a: Sequence[Any], b: Sequence[Any]) -> Key | None:
    """A key that each side has for itself; asked of both together it would never be unique."""
    if not a or not b:
        return kind.merge_key(field, a or b)
    key = kind.merge_key(field, a)
    return key if key == kind.merge_key(field, b) else None


def _keyed(items: Sequence[Any], key: Key | None, tokens: Tokens) -> dict[str, int] | None:
    """Positions by what identifies the item; None when one has no key, or two the same."""
    found: dict[str, int] = {}
    for at, item in enumerate(items):
        parts = key_of(item, key) if key is not None else None
        if key is None or parts is None:
            return None
        named = zip(key, parts, strict=True)
        label = ",".join(f"{name}={_written(part, tokens)}" for name, part in named if part is not None)
        if label in found:
            return None
        found[label] = at
    return found


def _written(part: Any, tokens: Tokens) -> str:
    return tokens.of(part) if isinstance(part, str) else str(part)


def _without(items: Sequence[str], others: Counter[str]) -> list[int]:
    """The positions of items that `others` has not, counted."""
    left = Counter(others)
    rest = []
    for at, item in enumerate(items):
        if left[item] > 0:
            left[item] -= 1
        else:
            rest.append(at)
    return rest


def _label(text: str) -> str:
    """An item of a set by what it is: a text without its quotes, something longer cut."""
    bare = text[1:-1] if text.startswith('"') else text
    if len(bare) <= LONGEST_LABEL:
        return bare
    return f"{bare[:LONGEST_LABEL]}…{blake2b(bare.encode(), digest_size=3).hexdigest()}"
