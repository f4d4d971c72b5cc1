"""Texts that mean a number: quantities of Kubernetes, durations of Go."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d{1,2})|([KMGTPE]i|[numkMGTPE]))?")
_SUFFIXES = {
    "n": Decimal(10) ** -9, "u": Decimal(10) ** -6, "m": Decimal(10) ** -3,
    **{letter: Decimal(1000) ** power for power, letter in enumerate("kMGTPE", 1)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", 1)},
}  # fmt: skip
# https://pkg.go.dev/time#ParseDuration
_DURATION = re.compile(r"([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)")
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_UNITS = {
    "ns": Decimal(1), "us": Decimal(10) ** 3, "µs": Decimal(10) ** 3, "μs": Decimal(10) ** 3, "ms": Decimal(10) ** 6,
    "s": Decimal(10) ** 9, "m": 60 * Decimal(10) ** 9, "h": 3600 * Decimal(10) ** 9,
}  # fmt: skip
LONGEST = 64


def quantity(value: Any) -> Decimal | None:
    """None for what is no quantity."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = str(value)
    match = _QUANTITY.fullmatch(text) if len(text) <= LONGEST else None
    if match is None:
        return None
    number, exponent, suffix = match.groups()
    return Decimal(number + (exponent or "")) * _SUFFIXES.get(suffix or "", Decimal(1))


def duration(value: Any) -> Decimal | None:
    """In nanoseconds; None for what is no duration."""
    if value == "0":
        return Decimal(0)
    match = _DURATION.fullmatch(value) if isinstance(value, str) and len(value) <= LONGEST else None
    if match is None:
        return None
    total = sum((Decimal(number) * _UNITS[unit] for number, unit in _PART.findall(match[2])), Decimal(0))
    return -total if match[1] == "-" else total
