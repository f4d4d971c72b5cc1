"""The words that open and close a fence. An API server evaluates expressions with them, so their form is narrow."""

from __future__ import annotations

import re

OPEN, CLOSED = "open", "closed"
STATES = (OPEN, CLOSED)
MOST = 200  # an API server learned 300 in 5 s, and refused 1,000
FORM = r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(/[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?){0,2}"
SAYS = "a kind, a name, Kind/name or Kind/namespace/name"
_FORM = re.compile(FORM)


def is_word(text: str) -> bool:
    return _FORM.fullmatch(text) is not None
