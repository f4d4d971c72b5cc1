"""Every class of torture there is, in the order of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.torture import (
    fuzz,
    fuzz_fleet,
    fuzz_net,
    injection,
    kills,
    races,
    raw_terraform,
    real,
    secrets,
    soak,
)

if TYPE_CHECKING:
    from tests.torture.frame import Torture

MODULES = (kills, races, fuzz, fuzz_fleet, fuzz_net, injection, secrets, real, raw_terraform, soak)
ROWS: tuple[Torture, ...] = tuple(torture for module in MODULES for torture in module.ROWS)
