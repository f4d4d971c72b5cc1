"""Two clusters compared: the content as git sees it, and identity and overrides apart from it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ABSENT = ""


@dataclass(frozen=True)
class Setting:
    """One line of identity or of overrides; '' where a side has none."""

    key: str
    a: str
    b: str


@dataclass(frozen=True)
class File:
    """`status` is git's letter: A added, D deleted, M modified, T type changed."""

    status: str
    path: str


def compare(a: Mapping[str, str], b: Mapping[str, str]) -> tuple[Setting, ...]:
    """The keys whose values differ, sorted."""
    keys = sorted(set(a) | set(b))
    return tuple(Setting(k, a.get(k, ABSENT), b.get(k, ABSENT)) for k in keys if a.get(k, ABSENT) != b.get(k, ABSENT))
