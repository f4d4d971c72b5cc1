"""What is open and what is held: words that name kinds and objects, and who has the last say about them.

    CronJob                  every CronJob
    report                   whatever has that name
    CronJob/report           of that kind and name, in any namespace
    CronJob/shop/report      one object

In the API server the same is decided by an expression of CEL made here, so both are in one place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from karrots.fence.kinds import KINDS
from karrots.spec.fence_words import CLOSED, OPEN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NEVER = "false"
_KINDS = {kind.lower(): kind for kind in KINDS}


def canonical(word: str) -> str:
    """The one form of a word: `cronjobs` is `CronJob`, `cronjob/report` is `CronJob/report`."""
    head, slash, rest = word.partition("/")
    return f"{_kind(head) or head}{slash}{rest}"


def _kind(word: str) -> str:
    """The kind in Kubernetes' spelling, of its singular or plural in any case; '' for no kind we know."""
    low = word.lower()
    return next((_KINDS[each] for each in (low, low.removesuffix("s"), low.removesuffix("es")) if each in _KINDS), "")


def words_for(kind: str, namespace: str, name: str) -> tuple[str, ...]:
    """All the words that mean this object."""
    return kind, name, f"{kind}/{name}", f"{kind}/{namespace}/{name}"


@dataclass(frozen=True)
class Decisions:
    """`levels` from the strongest: words, and whether what they name is held. What nobody named is held."""

    levels: tuple[tuple[frozenset[str], bool], ...] = ()

    @classmethod
    def of(cls, always_open: Iterable[str], always_closed: Iterable[str], said: Mapping[str, str]) -> Decisions:
        """Of cluster.yaml's two lists, and of what was said of one cluster: word to `open` or `closed`.

        What is always closed stays so. Then the cluster's own word counts, a name before a kind, then cluster.yaml.
        """
        levels = (
            (frozenset(map(canonical, always_closed)), True),
            *(
                (_said(said, state, kinds=kinds), state == CLOSED)
                for kinds in (False, True)
                for state in (OPEN, CLOSED)
            ),
            (frozenset(map(canonical, always_open)), False),
        )
        return cls(tuple((words, held) for words, held in levels if words))

    def held(self, kind: str, namespace: str, name: str) -> bool:
        words = set(words_for(kind, namespace, name))
        return next((held for named, held in self.levels if named & words), True)

    def expression(self, kind: str, namespace: str, name: str) -> str:
        """`held` in CEL; the three are expressions of it."""
        result = "true"
        for named, held in reversed(self.levels):
            meant = means(named, kind, namespace, name)
            result = f"({meant} ? {str(held).lower()} : {result})" if meant != NEVER else result
        return result

    @property
    def closed_by_name(self) -> frozenset[str]:
        """Single things that somebody said are closed: they are held also where nothing else gives them away."""
        return frozenset(word for words, held in self.levels if held for word in words if word not in KINDS)


def _said(said: Mapping[str, str], state: str, *, kinds: bool) -> frozenset[str]:
    return frozenset(word for word, what in said.items() if what == state and (word in KINDS) == kinds)


def means(words: Iterable[str], kind: str, namespace: str, name: str) -> str:
    """CEL for an object that one of the words means.

    An API server takes long to learn a long expression, and refuses one that could be dear. So what cannot be meant is
    left out, and parts are compared as they are: how long a text is that is put together, it cannot know. Words have
    been checked to be letters, digits, `.`, `-` and `/`.
    """
    kinds, names, placed = _sorted(words, kind.strip("'") if kind.startswith("'") else "")
    cases = [f"{kind} in {_list(kinds)}"] if kinds else []
    cases += [f"{name} in {_list(names)}"] if names else []
    for (of, space), found in sorted(placed.items()):
        where = [f"{kind} == '{of}'"] if not kind.startswith("'") else []
        where += [f"{namespace} == '{space}'"] if space else []
        cases.append("(" + " && ".join([*where, f"{name} in {_list(found)}"]) + ")")
    return "(" + " || ".join(cases) + ")" if cases else NEVER


def _sorted(words: Iterable[str], only: str) -> tuple[set[str], set[str], dict[tuple[str, str], set[str]]]:
    """Kinds, names, and names by kind and namespace ('' for any); `only` is the kind there can be, '' for all."""
    kinds: set[str] = set()
    names: set[str] = set()
    placed: dict[tuple[str, str], set[str]] = {}
    for word in words:
        first, *rest = word.split("/")
        if only and (rest or first in KINDS) and first != only:
            continue
        if rest:
            placed.setdefault((first, rest[0] if len(rest) > 1 else ""), set()).add(rest[-1])
        else:
            (kinds if first in KINDS else names).add(first)
    return kinds, names, placed


def _list(words: Iterable[str]) -> str:
    return "[" + ", ".join(f"'{word}'" for word in sorted(words)) + "]"
