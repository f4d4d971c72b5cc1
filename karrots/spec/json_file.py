"""The one reader of JSON that is not our own program's answer: bounded, and what it answers can be written again.

`json.loads` takes documents that `json.dumps` then fails on: nearly too deep ones, and halves of a character. Depth is
looked at before parsing, so that the reader's own stack plays no part.
"""

from __future__ import annotations

import json
import re
from typing import Any

MAX_DEPTH = 64

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)
_HALF = re.compile(r"\\u[dD][89a-fA-F]")


def load(data: bytes | str) -> Any:
    """Raises ValueError alone, whatever is wrong with it."""
    text = data.decode("utf-8") if isinstance(data, bytes) else data
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")
    value = json.loads(text)
    if _HALF.search(text):
        # Raises UnicodeEncodeError, which is a ValueError.
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _depth(text: str) -> int:
    deepest = depth = 0
    for token in _TOKEN.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
        deepest = max(deepest, depth)
    return deepest
