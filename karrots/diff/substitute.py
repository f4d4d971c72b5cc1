"""Flux's post-build substitution with one side's values; what identity gave is marked as such.

The operators are those of github.com/fluxcd/pkg/envsubst. A variable nobody defines is left as it stands: Flux would
refuse it, and lint says so.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from karrots.diff.tokens import marked
from karrots.spec import yaml_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_VARIABLE = re.compile(r"(\$\$)|\$\{(#?)(\w+)((?:[^{}$]|\$(?!\{)|\$\{[^{}]*\})*)\}")
_MOST = 1 << 20


@dataclass(frozen=True)
class Values:
    """`identity` is what the cluster alone is called, `others` what content defines."""

    identity: Mapping[str, str]
    others: Mapping[str, str]

    @cached_property
    def digest(self) -> bytes:
        """Of what content defines; identity is the same by its names."""
        return repr((sorted(self.identity), sorted(self.others.items()))).encode()

    def text(self, text: str) -> str:
        return _VARIABLE.sub(self._one, text) if "$" in text else text

    def of(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._scalar(value)
        if isinstance(value, dict):
            return {self.text(key): self.of(part) for key, part in value.items()}
        return [self.of(part) for part in value] if isinstance(value, list) else value

    def _scalar(self, text: str) -> Any:
        """Flux substitutes in the text of the manifest, so what reads as a number becomes one."""
        made = self.text(text)
        return made if made == text or "\n" in made else _read(made)

    def _one(self, match: re.Match[str]) -> str:
        escaped, length, name, operation = match.groups()
        if escaped:
            return "$"
        value = self.identity.get(name, self.others.get(name))
        result = _applied(value, length, operation, self.text)
        if result is None:
            return match[0]
        return marked(f"{length}{name}{operation}", result) if name in self.identity else result


def _applied(value: str | None, length: str, operation: str, inner: Callable[[str], str]) -> str | None:
    if length:
        return str(len(value)) if value is not None and not operation else None
    if not operation:
        return value
    for operator, change in _OPERATORS.items():
        if operation.startswith(operator):
            return change(value, inner(operation[len(operator) :]))
    return None


def _or(value: str | None, word: str) -> str:
    return value or word


def _unless_set(value: str | None, word: str) -> str:
    return word if value is None else value


def _if_set(value: str | None, word: str) -> str:
    return word if value else ""


def _slice(value: str | None, word: str) -> str | None:
    first, _, count = word.partition(":")
    if value is None or not first.strip().lstrip("-").isdigit() or (count and not count.lstrip("-").isdigit()):
        return None
    begin = int(first)
    rest = value[begin:] if begin >= 0 else value[max(0, len(value) + begin) :]
    return rest[: int(count)] if count else rest


def _trimmed(value: str | None, pattern: str, *, front: bool, greedy: bool) -> str | None:
    if value is None:
        return None
    match = re.compile(fnmatch.translate(pattern)).fullmatch
    cuts = range(len(value) + 1)
    fitting = [cut for cut in cuts if match(value[:cut] if front else value[len(value) - cut :])]
    cut = (max if greedy else min)(fitting, default=0)
    return value[cut:] if front else value[: len(value) - cut]


def _replaced(value: str | None, word: str, *, count: int) -> str | None:
    old, _, new = word.partition("/")
    return None if value is None or not old or len(value) > _MOST else value.replace(old, new, count)


def _ends(value: str | None, word: str, *, front: bool) -> str | None:
    old, _, new = word.partition("/")
    if value is None:
        return None
    if front:
        return new + value.removeprefix(old) if value.startswith(old) else value
    return value.removesuffix(old) + new if value.endswith(old) else value


_OPERATORS: Mapping[str, Callable[[str | None, str], str | None]] = {
    ":-": _or, ":=": _or, ":?": _or, ":+": _if_set, "=": _unless_set, ":": _slice,
    "^^": lambda value, _: None if value is None else value.upper(),
    "^": lambda value, _: None if value is None else value[:1].upper() + value[1:],
    ",,": lambda value, _: None if value is None else value.lower(),
    ",": lambda value, _: None if value is None else value[:1].lower() + value[1:],
    "##": lambda value, word: _trimmed(value, word, front=True, greedy=True),
    "#": lambda value, word: _trimmed(value, word, front=True, greedy=False),
    "%%": lambda value, word: _trimmed(value, word, front=False, greedy=True),
    "%": lambda value, word: _trimmed(value, word, front=False, greedy=False),
    "//": lambda value, word: _replaced(value, word, count=-1),
    "/#": lambda value, word: _ends(value, word, front=True),
    "/%": lambda value, word: _ends(value, word, front=False),
    "/": lambda value, word: _replaced(value, word, count=1),
}  # fmt: skip


def _read(text: str) -> Any:
    if not re.fullmatch(r"[-+.\w~]{0,40}", text):
        return text
    try:
        found = yaml_file.documents(text, "")
    except yaml_file.YamlProblem:
        return text
    value = found[0].value if found else None
    return text if isinstance(value, dict | list) else value
