"""Records of made-up clusters for tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from karrots.fleet.record import Record, new_id


def record(name: str, **changes: Any) -> Record:
    plain = Record(
        id=new_id(),
        name=name,
        directory="clusters/qa",
        branch=f"feature/{name}",
        provider="local",
        created="2026-11-21T07:00:00Z",
        domain=f"{name}.example.com",
        owner="ada@example.com",
        kubernetes="1.36",
    )
    return replace(plain, **changes)
