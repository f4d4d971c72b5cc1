"""Bearer tokens, which end soon: each is made in this process, and again before it ends."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from karrots import clock

if TYPE_CHECKING:
    from collections.abc import Callable

EARLY = 60.0  # seconds; a token may be on its way for a while, and clocks differ


@dataclass(frozen=True)
class Token:
    """`expires` in seconds since the epoch. The text is in no repr, so in no traceback."""

    text: str = field(repr=False)
    expires: float


class Tokens:
    """Gives the token of now; `make` makes a new one. Shared between threads."""

    def __init__(self, make: Callable[[], Token]) -> None:
        self._make = make
        self._kept: Token | None = None
        self._one = threading.Lock()

    def now(self) -> Token:
        with self._one:
            if self._kept is None or self._kept.expires - clock.seconds() < EARLY:
                self._kept = self._make()
            return self._kept

    def refused(self, token: Token) -> None:
        """The server does not take that one: the next is made anew, whatever the clock says."""
        with self._one:
            if self._kept is token:
                self._kept = None
