"""Waiting until nothing else runs: figures taken beside other work are not of karrots alone."""

from __future__ import annotations

import time
from dataclasses import dataclass

import psutil

# Percent of all cores. A cluster that a row keeps running takes some 10 on two cores.
BUSY = 20.0
LOOK_SECONDS = 0.4


@dataclass
class Quiet:
    """`patience`: seconds left for waiting, all rounds together."""

    patience: float
    look_seconds: float = LOOK_SECONDS

    def __call__(self) -> bool:
        """Whether the computer is quiet now, or became so within our patience."""
        while True:
            began = time.monotonic()
            if psutil.cpu_percent(self.look_seconds) < BUSY:
                return True
            self.patience -= time.monotonic() - began
            if self.patience <= 0:
                return False
