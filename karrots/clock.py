"""The one door to the time of day. Durations are measured by `time.monotonic`, which no clock setting moves."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from karrots import effects

FORM = "%Y-%m-%dT%H:%M:%SZ"


def seconds() -> float:
    """Since the epoch."""
    return effects.skewed(time.time())


def now() -> datetime:
    """UTC."""
    return datetime.fromtimestamp(seconds(), UTC)


def stamp(moment: datetime | None = None) -> str:
    """`2026-11-21T07:00:00Z`, now when none is given: how records, journals and receipts hold a time."""
    return (moment or now()).astimezone(UTC).strftime(FORM)


def moment(text: str) -> datetime:
    """Raises ValueError for what `stamp` does not write."""
    return datetime.strptime(text, FORM).replace(tzinfo=UTC)
