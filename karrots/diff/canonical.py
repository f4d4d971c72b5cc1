"""One text for each value: equal values of one kind have the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from karrots.diff.tokens import Tokens, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from karrots.diff.shapes import Kind


def canonical(value: Any, kind: Kind, path: Sequence[str], tokens: Tokens | None) -> str:
    """As the API understands it; `tokens` None leaves identity as it stands."""
    return json.dumps(_reduced(value, kind, kind.field(path), tokens), sort_keys=True, ensure_ascii=False)


def _reduced(value: Any, kind: Kind, field: tuple[str, ...], tokens: Tokens | None) -> Any:
    if isinstance(value, dict):
        return {
            _text(key, tokens): _reduced(part, kind, (*field, key), tokens)
            for key, part in value.items()
            if not kind.is_nothing(part, (*field, key))
        }
    if isinstance(value, list):
        parts = [_reduced(part, kind, field, tokens) for part in value]
        return sorted(parts, key=json.dumps) if kind.is_set(field) else parts
    meant = kind.meaning(plain(value) if isinstance(value, str) else value, field)
    if meant is not None:
        return f"= {meant}"
    if isinstance(value, str):
        return _text(value, tokens)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _text(text: str, tokens: Tokens | None) -> str:
    return plain(text) if tokens is None else tokens.of(text)
