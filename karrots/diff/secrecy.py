"""Values of Secrets are compared by a salted hash and never shown, wherever they turn up."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HIDDEN = "(secret)"
# A shorter value is too common a word to look for in other texts.
SHORTEST = 6
# Annotations that hold whole objects, or what somebody applied of one.
APPLIED = (
    "kubectl.kubernetes.io/last-applied-configuration",
    "objectset.rio.cattle.io/applied",
    "banzaicloud.com/last-applied",
)


@dataclass
class Seal:
    """One run's salt, and the values that must not be shown in it."""

    salt: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    _known: set[str] = field(default_factory=set, repr=False)
    _pattern: re.Pattern[str] | None = field(default=None, repr=False)

    def learn(self, value: Mapping[str, Any]) -> None:
        """The values of a Secret, to be hidden everywhere."""
        for text in _texts(value):
            self._known.update(each for each in _worth_hiding(text))
        self._pattern = None

    def sealed(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """A Secret with hashes in place of values: `data` and `stringData` are one map, as they are on the server."""
        kept = {key: part for key, part in value.items() if key not in {"data", "stringData"}}
        kept["data"] = {key: self.hashed(data) for key, data in _decoded(value).items()}
        metadata = kept.get("metadata")
        if isinstance(metadata, dict) and isinstance(metadata.get("annotations"), dict):
            hashed = {key: self.hashed(str(text).encode()) for key, text in metadata["annotations"].items()}
            kept["metadata"] = {**metadata, "annotations": hashed}
        return kept

    def hashed(self, data: bytes) -> str:
        return f"(secret {hmac.digest(self.salt, data, hashlib.sha256).hex()[:32]})"

    def hide(self, text: str) -> str:
        if not self._known:
            return text
        if self._pattern is None:
            self._pattern = re.compile("|".join(re.escape(each) for each in sorted(self._known, key=len, reverse=True)))
        return self._pattern.sub(HIDDEN, text)


def is_secret(group: str, kind: str) -> bool:
    return kind == "Secret" and group == ""


def _decoded(value: Mapping[str, Any]) -> dict[str, bytes]:
    found = {key: _bytes(text) for key, text in _map(value.get("data")).items()}
    return found | {key: str(text).encode("utf-8", "replace") for key, text in _map(value.get("stringData")).items()}


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _bytes(text: Any) -> bytes:
    """What is no base64 (a variable, an encrypted value) stands for itself."""
    try:
        return base64.b64decode(str(text).encode(), validate=True)
    except (binascii.Error, ValueError):
        return str(text).encode("utf-8", "replace")


def _texts(value: Mapping[str, Any]) -> Iterator[str]:
    for data in _decoded(value).values():
        yield data.decode("utf-8", "replace")
        yield base64.b64encode(data).decode()
    for key in ("data", "stringData"):
        yield from (str(text) for text in _map(value.get(key)).values())


def _worth_hiding(text: str) -> Iterator[str]:
    """The whole of it, its lines, and in lines such as NAME=value the value."""
    for line in (text, *text.splitlines()):
        for part in (line, line.partition("=")[2], line.partition(":")[2]):
            bare = part.strip().strip("\"'")
            if len(bare) >= SHORTEST:
                yield bare
