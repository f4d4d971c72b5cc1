"""Values as they are printed: short, as they stand in the cluster, and without what is secret."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from karrots.diff.shapes import ABSENT
from karrots.diff.tokens import plain

if TYPE_CHECKING:
    from karrots.diff.secrecy import Seal

LONGEST = 400


def shown(a: Any, b: Any, seal: Seal) -> tuple[str, str]:
    """Of two texts of many lines only the lines between the first and the last that differ."""
    left, right = _text(a), _text(b)
    if "\n" in left and "\n" in right:
        left, right = _differing(left.split("\n"), right.split("\n"))
    elif max(len(left), len(right)) > LONGEST:
        left, right = _around(left, right)
    return _cut(seal.hide(left)), _cut(seal.hide(right))


def _text(value: Any) -> str:
    if value is ABSENT:
        return ""
    if isinstance(value, str):
        return plain(value)
    return plain(json.dumps(value, ensure_ascii=False, sort_keys=True))


def _differing(a: list[str], b: list[str]) -> tuple[str, str]:
    most = min(len(a), len(b))
    head = next((at for at in range(most) if a[at] != b[at]), most)
    tail = next((at for at in range(most - head) if a[-1 - at] != b[-1 - at]), most - head)
    return "\n".join(a[head : len(a) - tail]), "\n".join(b[head : len(b) - tail])


def _around(a: str, b: str) -> tuple[str, str]:
    """From a little before the first character that differs."""
    most = min(len(a), len(b))
    first = next((at for at in range(most) if a[at] != b[at]), most)
    begin = max(0, first - 40)
    return tuple(f"…{text[begin:]}" if begin and text else text for text in (a, b))  # type: ignore[return-value]


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
