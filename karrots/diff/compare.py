"""Two sides of one level: objects matched, settings compared, each departure classed and located, and the score.

Items of the second side are matched while they come. What both sides have the same is known by its digest and never
read; of the rest one pair is in memory at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from karrots.diff import risks
from karrots.diff.classes import Allowance, Context, Seen, classed
from karrots.diff.model import NOWHERE, Departure, LevelResult, ObjectKey, Problem, Score
from karrots.diff.pairs import Difference, Pair
from karrots.diff.secrecy import Seal, is_secret
from karrots.diff.setaside import without
from karrots.diff.shapes import ABSENT, Kind
from karrots.diff.showing import shown
from karrots.diff.tokens import Tokens, plain
from karrots.errors import KarrotsError
from karrots.spec.yaml_file import YamlProblem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from karrots.diff.model import Change, Item, Level, Origin, Side

MATCHED: Any = None


@dataclass(frozen=True)
class _Raw:
    """A difference with its objects' outlines, until all of both sides was seen."""

    key: ObjectKey
    found: Difference
    origins: tuple[Origin, Origin]
    outlines: tuple[Mapping[str, Any], Mapping[str, Any]]
    kind: Kind
    whole: tuple[Any, Any] | None = None


def compare(
    level: Level, a: Side, b: Side, *, allowed: tuple[Allowance, ...] = (), seal: Seal | None = None
) -> LevelResult:
    """`seal` when several comparisons have to show the same hashes."""
    return _Comparison(level, a, b, allowed, seal or Seal()).result()


@dataclass
class _Comparison:
    level: Level
    a: Side
    b: Side
    allowed: tuple[Allowance, ...]
    seal: Seal
    problems: list[Problem] = field(default_factory=list)
    raw: list[_Raw] = field(default_factory=list)
    scaled: set[tuple[str, str, str]] = field(default_factory=set)
    equal: float = 0.0
    total: int = 0

    def __post_init__(self) -> None:
        self.tokens = Tokens(self.a.identity, self.b.identity), Tokens(self.b.identity, self.a.identity)

    def result(self) -> LevelResult:
        index = self._index()
        later: list[Item] = []
        seen: dict[ObjectKey, Item] = {}
        for item in self._items(self.b):
            key = item.key
            if key not in index:
                if self._is_first(seen, item, self.b):
                    later.append(item)
            elif index[key] is MATCHED:
                self._twice(self.b, item, None)
            else:
                partner, index[key] = index[key], MATCHED
                self._pair(partner, item)
        self._rest([item for item in index.values() if item is not MATCHED], later)
        departures = tuple(sorted(map(self._departure, self.raw), key=lambda each: (each.key, each.path)))
        return LevelResult(self.level, departures, Score(self.equal, self.total), tuple(self.problems))

    def _index(self) -> dict[ObjectKey, Item]:
        index: dict[ObjectKey, Item] = {}
        for item in self._items(self.a):
            self._is_first(index, item, self.a)
        return index

    def _items(self, side: Side) -> Iterable[Item]:
        problems: list[Problem] = []
        for item in side.items(problems):
            if is_secret(item.key.group, item.key.kind):
                self.seal.learn(self._value(item, side) or {})
            elif item.key.kind == "HorizontalPodAutoscaler":
                self._note_scaled(item.key, self._value(item, side) or {})
            yield item
        self.problems += [each if each.side else replace(each, side=side.label) for each in problems]

    def _value(self, item: Item, side: Side) -> Mapping[str, Any] | None:
        """None, and a problem, for what cannot be read."""
        try:
            return item.value()
        except KarrotsError as error:
            at = item.origin()
            line = error.line if isinstance(error, YamlProblem) else at.line
            message = error.problem if isinstance(error, YamlProblem) else error.message
            problem = Problem(side.label, f"{item.key}: {message}", at.path, line, error.hint)
            if problem not in self.problems:
                self.problems.append(problem)
            return None

    def _note_scaled(self, key: ObjectKey, value: Mapping[str, Any]) -> None:
        spec = value.get("spec")
        target = spec.get("scaleTargetRef") if isinstance(spec, dict) else None
        if isinstance(target, dict):
            self.scaled.add((key.namespace, str(target.get("kind")), plain(str(target.get("name")))))

    def _is_first(self, seen: dict[ObjectKey, Item], item: Item, side: Side) -> bool:
        first = seen.setdefault(item.key, item)
        if first is item:
            return True
        self._twice(side, item, first)
        return False

    def _twice(self, side: Side, item: Item, first: Item | None) -> None:
        at, other = item.origin(), first.origin() if first else None
        where = f" (first in {other.path}:{other.line})" if other and other.path else ""
        message = f"{item.key} stands twice{where}; the first is compared"
        self.problems.append(Problem(side.label, message, at.path, at.line))

    def _rest(self, left: list[Item], right: list[Item]) -> None:
        """What has no partner of its own name may have one that identity alone tells apart."""
        named = {_tokenised(item.key, self.tokens[1]): item for item in reversed(right)}
        paired: set[int] = set()
        for item in left:
            key = _tokenised(item.key, self.tokens[0])
            partner = named.pop(key, None)
            if partner is None:
                self._alone(item, 0)
            else:
                paired.add(id(partner))
                self._pair(item, partner, key)
        for item in right:
            if id(item) not in paired:
                self._alone(item, 1)

    def _pair(self, a: Item, b: Item, key: ObjectKey | None = None) -> None:
        self.total += 1
        if set(a.digests).intersection(b.digests):
            self.equal += 1
            return
        kind = Kind(a.key.group, a.key.kind)
        values = self._read(a, kind, self.a), self._read(b, kind, self.b)
        if values[0] is None or values[1] is None:
            return
        pair = Pair(kind, self.tokens)
        found = pair.differences(values[0], values[1])
        self.equal += 1 if not found else max(0.0, 1 - len(found) / max(pair.settings, len(found)))
        outlines = _outline(values[0]), _outline(values[1])
        for each in found:
            origins = a.origin(each.at_a), b.origin(each.at_b)
            self.raw.append(_Raw(key or a.key, each, origins, outlines, kind))

    def _alone(self, item: Item, side: int) -> None:
        self.total += 1
        kind = Kind(item.key.group, item.key.kind)
        value = self._read(item, kind, (self.a, self.b)[side]) or {}
        values: tuple[Any, Any] = (ABSENT, value) if side else (value, ABSENT)
        found = Difference((), values[0], values[1], (), ())
        outlines = ({}, _outline(value)) if side else (_outline(value), {})
        origin = item.origin()
        here = (NOWHERE, origin) if side else (origin, NOWHERE)
        key = _tokenised(item.key, self.tokens[side])
        self.raw.append(_Raw(key, found, here, outlines, kind, values))

    def _read(self, item: Item, kind: Kind, side: Side) -> dict[str, Any] | None:
        value = self._value(item, side)
        if value is None:
            return None
        if self.level in {"rendered", "live"}:
            if is_secret(kind.group, kind.name):
                value = self.seal.sealed(value)
            return without(value, kind, live=self.level == "live")
        return dict(value)

    def _departure(self, raw: _Raw) -> Departure:
        found = raw.found
        path = self.seal.hide(written(found.path))
        context = Context(self.a, self.b, self.allowed, frozenset(self.scaled))
        said = classed(Seen(raw.key, path, found.path, raw.origins, raw.outlines), context)
        risk = self._risk(raw)
        a, b = self._shown(raw)
        origins = tuple(replace(each, override=said.override) if said.override else each for each in raw.origins)
        return Departure(
            level=self.level, key=raw.key, path=path, change=_change(found), a=a, b=b,
            classed=said.classed, reason=said.reason, origin_a=origins[0], origin_b=origins[1],
            risk=risk.risk, risk_reason=risk.reason,
        )  # fmt: skip

    def _risk(self, raw: _Raw) -> risks.Found:
        if self.level not in {"rendered", "live"}:
            return risks.NONE
        if raw.whole is not None:
            return risks.of_object(raw.kind, raw.whole[1])
        return risks.of_setting(raw.kind, raw.found.path, _plain(raw.found.a), _plain(raw.found.b))

    def _shown(self, raw: _Raw) -> tuple[str, str]:
        if raw.whole is None:
            return shown(raw.found.a, raw.found.b, self.seal)
        return tuple("" if value is ABSENT else str(raw.key) for value in raw.whole)  # type: ignore[return-value]


def _tokenised(key: ObjectKey, tokens: Tokens) -> ObjectKey:
    return ObjectKey(key.group, key.kind, tokens.of(key.namespace), tokens.of(key.name))


def _outline(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a class is made of."""
    return {key: value[key] for key in ("metadata", "type") if key in value}


def written(path: tuple[str, ...]) -> str:
    text = ""
    for step in path:
        if step.startswith("["):
            text += step
        elif set(step) & {".", "/", "[", "]"}:
            text += f'["{step}"]'
        else:
            text += f".{step}" if text else step
    return text


def _change(found: Difference) -> Change:
    if found.a is ABSENT:
        return "added"
    return "removed" if found.b is ABSENT else "changed"


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, dict):
        return {plain(key): _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else value
