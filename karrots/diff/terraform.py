"""The level `terraform`: the files of two roots by their lines, variables and outputs by their keys. Pure.

Spaces, comments and empty lines of a root mean nothing. Where a value differs only as the two clusters do (name,
domain, range …), the two are equal.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from karrots.diff.content import alike
from karrots.diff.model import Departure, LevelResult, ObjectKey, Origin, Problem, Score
from karrots.diff.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from karrots.diff.model import Change, Class

GIVEN = "given to this cluster when it was made"
NOTHING_SAYS_WHY = "no identity and no override says why"
OVERRIDDEN = "an override of this cluster: {}"
COMMENT = ("#", "//")


@dataclass(frozen=True)
class Root:
    """`files` are the texts of the root by path; `values` what stands in its variables, by the file that says so.

    `outputs` are a state's, None where there is none at hand; those that are sensitive are named in `sensitive`.
    `own` are the variables that are identity themselves.
    """

    label: str
    provider: str
    files: Mapping[str, str]
    values: Mapping[str, Mapping[str, Any]]
    outputs: Mapping[str, Any] | None = None
    sensitive: frozenset[str] = frozenset()
    identity: Mapping[str, str] = field(default_factory=dict)
    own: frozenset[str] = frozenset()
    overrides: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def compare(a: Root, b: Root, salt: bytes) -> LevelResult:
    """Each file, each variable and each output weighs one. Of two providers only what both have is compared."""
    tokens = Tokens(a.identity, b.identity), Tokens(b.identity, a.identity)
    apart = a.provider != b.provider
    found = [*([] if apart else _files(a, b)), *_variables(a, b, tokens, apart=apart)]
    found += [] if apart else _outputs(a, b, tokens, salt)
    departures = tuple(departure for _, some in found for departure in some)
    problems = (*a.problems, *b.problems, *([_two_providers(a, b)] if apart else []))
    return LevelResult("terraform", departures, Score(sum(share for share, _ in found), len(found)), problems)


def _two_providers(a: Root, b: Root) -> Problem:
    told = f"'{a.label}' is on {a.provider} and '{b.label}' on {b.provider}: what is the provider's own stands apart"
    names = sorted({name for values in (*a.values.values(), *b.values.values()) for name in values})
    alone = [name for name in names if not (_has(a, name) and _has(b, name))]
    return Problem("", f"{told}: files, outputs and the variables {', '.join(alone)}" if alone else told)


def _has(root: Root, name: str) -> bool:
    return any(name in values for values in root.values.values())


Found = tuple[float, list[Departure]]


def _files(a: Root, b: Root) -> Iterator[Found]:
    for path in sorted(set(a.files) | set(b.files)):
        one, other = a.files.get(path), b.files.get(path)
        if one is None or other is None:
            yield 0.0, [_alone(path, "added" if one is None else "removed")]
        else:
            left, right = meant(one), meant(other)
            yield (
                alike(*("\n".join(text for _, text in side).encode() for side in (left, right))),
                list(_hunks(path, left, right)),
            )


def meant(text: str) -> list[tuple[int, str]]:
    """Numbers of lines, and what these say without the spaces that only align them."""
    lines = ((number, " ".join(line.split())) for number, line in enumerate(text.splitlines(), 1))
    return [(number, line) for number, line in lines if line and not line.startswith(COMMENT)]


def _alone(path: str, change: Change) -> Departure:
    origins = (Origin(), Origin(f"terraform/{path}", 1))
    origins = origins if change == "added" else origins[::-1]
    return Departure("terraform", _file(path), "", change, "", "", "unexpected", NOTHING_SAYS_WHY, *origins)


def _file(path: str) -> ObjectKey:
    return ObjectKey("", "file", "", f"terraform/{path}")


def _hunks(path: str, left: Sequence[tuple[int, str]], right: Sequence[tuple[int, str]]) -> Iterator[Departure]:
    texts = [text for _, text in left], [text for _, text in right]
    matcher = difflib.SequenceMatcher(None, *texts, autojunk=False)
    for tag, start, end, begin, stop in matcher.get_opcodes():
        if tag != "equal":
            one, other = left[start:end], right[begin:stop]
            place = f"line {(one or other)[0][0]}"
            yield Departure(
                "terraform", _file(path), place, _change(one, other), _joined(one), _joined(other), "unexpected",
                NOTHING_SAYS_WHY, _at(path, one), _at(path, other),
            )  # fmt: skip


def _change(a: Any, b: Any) -> Change:
    return "added" if not a else "removed" if not b else "changed"


def _joined(lines: Sequence[tuple[int, str]]) -> str:
    return "\n".join(text for _, text in lines)


def _at(path: str, lines: Sequence[tuple[int, str]]) -> Origin:
    return Origin(f"terraform/{path}", lines[0][0]) if lines else Origin()


# Variables and outputs


def _variables(a: Root, b: Root, tokens: tuple[Tokens, Tokens], *, apart: bool) -> Iterator[Found]:
    for file in sorted(set(a.values) | set(b.values)):
        one, other = a.values.get(file, {}), b.values.get(file, {})
        for name in sorted(set(one) & set(other) if apart else set(one) | set(other)):
            if name in a.own | b.own:
                yield 1.0, []
                continue
            key = ObjectKey("", "variable", "", name)
            sides = [flat(side[name], name) if name in side else {} for side in (one, other)]
            yield _settings(key, (sides[0], sides[1]), tokens, (a.overrides, b.overrides), f"terraform/{file}")


def _outputs(a: Root, b: Root, tokens: tuple[Tokens, Tokens], salt: bytes) -> Iterator[Found]:
    if a.outputs is None or b.outputs is None:
        return
    for name in sorted(set(a.outputs) | set(b.outputs)):
        sides = [flat(_covered(root, name, salt), name) if name in (root.outputs or {}) else {} for root in (a, b)]
        share, found = _settings(ObjectKey("", "output", "", name), (sides[0], sides[1]), tokens, ({}, {}), "")
        yield (1.0, list(map(_given, found))) if all(sides) else (share, found)


def _given(each: Departure) -> Departure:
    return replace(each, classed="runtime", reason=GIVEN)


def _covered(root: Root, name: str, salt: bytes) -> Any:
    value = (root.outputs or {})[name]
    if name not in root.sensitive:
        return value
    text = json.dumps(value, sort_keys=True).encode()
    return f"(sensitive, {hashlib.blake2b(text, key=salt, digest_size=4).hexdigest()})"


def flat(value: Any, path: str) -> dict[str, str]:
    """Every single value by its dotted path; an empty group is one too."""
    if isinstance(value, dict) and value:
        return {k: v for key, part in value.items() for k, v in flat(part, f"{path}.{key}").items()}
    if isinstance(value, list) and value:
        return {k: v for at, part in enumerate(value) for k, v in flat(part, f"{path}[{at}]").items()}
    return {path: value if isinstance(value, str) else json.dumps(value)}


def _settings(
    key: ObjectKey,
    sides: tuple[Mapping[str, str], Mapping[str, str]],
    tokens: tuple[Tokens, Tokens],
    overrides: tuple[Mapping[str, str], Mapping[str, str]],
    file: str,
) -> Found:
    a, b = sides
    paths = sorted(set(a) | set(b))
    differing = [path for path in paths if not _same(a.get(path), b.get(path), tokens)]
    departures = [_setting(key, path, a, b, overrides, file) for path in differing]
    return 1 - len(differing) / len(paths) if paths else 1.0, departures


def _same(a: str | None, b: str | None, tokens: tuple[Tokens, Tokens]) -> bool:
    if a is None or b is None:
        return a is b
    return a == b or tokens[0].of(a) == tokens[1].of(b)


def _setting(
    key: ObjectKey,
    path: str,
    a: Mapping[str, str],
    b: Mapping[str, str],
    overrides: tuple[Mapping[str, str], Mapping[str, str]],
    file: str,
) -> Departure:
    change: Change = "added" if path not in a else "removed" if path not in b else "changed"
    named = [_override(path, side) for side in overrides]
    word = named[1] or named[0]
    classed: Class = "expected" if word else "unexpected"
    reason = OVERRIDDEN.format(word) if word else NOTHING_SAYS_WHY
    left, right = (
        Origin(file if path in side else "", override=name) for side, name in zip((a, b), named, strict=True)
    )
    return Departure("terraform", key, path, change, a.get(path, ""), b.get(path, ""), classed, reason, left, right)


def _override(path: str, overrides: Mapping[str, str]) -> str:
    """The override that gave the value at `path`, or a part above it."""
    return next((key for key in overrides if path == key or path.startswith((f"{key}.", f"{key}["))), "")
