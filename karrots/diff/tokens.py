"""Identity in texts: what a cluster is called, reads as what it is.

A text of a cluster may hold its identity in two ways. Where a variable was substituted, a mark stands around the value;
elsewhere the value itself is looked for, on the borders of words and the longest first.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# Of the private use area, which no manifest has a reason to hold.
_OPEN, _MIDDLE, _CLOSE = "\ue0f0", "\ue0f1", "\ue0f2"
_MARK = re.compile(f"{_OPEN}([^{_CLOSE}]*?){_MIDDLE}([^{_CLOSE}]*){_CLOSE}")
_MARKS = re.compile(f"[{_OPEN}{_MIDDLE}{_CLOSE}]")


def marked(expression: str, value: str) -> str:
    """`value` as what `expression` gave it: `cluster_name`, or with an operator `cluster_name^^`."""
    return f"{_OPEN}{expression}{_MIDDLE}{value}{_CLOSE}"


def unmarked(text: str) -> str:
    """A text of a file, where a mark would be read as ours."""
    return _MARKS.sub("\ufffd", text) if _OPEN in text or _MIDDLE in text or _CLOSE in text else text


def plain(text: str) -> str:
    """As it stands in the cluster."""
    return _MARK.sub(r"\2", text) if _OPEN in text else text


class Tokens:
    """What one side is called. Values that both sides share are no identity between the two."""

    def __init__(self, own: Mapping[str, str], other: Mapping[str, str]) -> None:
        differing = {value: name for name, value in reversed(list(own.items())) if value and other.get(name) != value}
        self.names = differing
        words = "|".join(re.escape(value) for value in sorted(differing, key=len, reverse=True))
        self.pattern = re.compile(f"(?<![A-Za-z0-9])(?:{words})(?![A-Za-z0-9])") if words else None

    def of(self, text: str) -> str:
        """With `${name}` for identity."""
        if _OPEN not in text:
            return self._literal(text)
        pieces = _MARK.split(text)
        for number in range(0, len(pieces), 3):
            pieces[number] = self._literal(pieces[number])
        for number in range(1, len(pieces), 3):
            pieces[number] = f"${{{pieces[number]}}}"
            pieces[number + 1] = ""
        return "".join(pieces)

    def _literal(self, text: str) -> str:
        if self.pattern is None or not text:
            return text
        return self.pattern.sub(lambda match: f"${{{self.names[match[0]]}}}", text)
