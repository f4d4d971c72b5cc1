"""Waiting for what a cloud goes on with by itself."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

LOOK_SECONDS = 10.0
MAKING_SECONDS = 25 * 60.0


def pause() -> None:
    """Between two looks."""
    time.sleep(LOOK_SECONDS)


def settled(look: Callable[[], str], working: Collection[str]) -> str:
    """What `look` says once that is none of `working`; or at last, of what never comes to an end."""
    end = time.monotonic() + MAKING_SECONDS
    while (status := look()) in working and time.monotonic() <= end:
        pause()
    return status
