from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, order=True)
class Finding:
    """`path` is below the cluster directory, `line` counts from 1, `object` is Kind/name or empty."""

    path: str
    line: int
    rule: str
    severity: Severity
    object: str
    message: str
    fix_hint: str = ""
