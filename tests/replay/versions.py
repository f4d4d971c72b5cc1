"""Which recordings the templates of a cloud are played against."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from karrots.replay import schemas

if TYPE_CHECKING:
    from karrots.replay.schemas import Recorded

VARIABLE = "KARROTS_EXTRA_SCHEMAS"
# Taken before a test's own environment replaces it.
EXTRA = os.environ.get(VARIABLE, "")
PROVIDERS = {"eks": "aws", "gke": "google", "aks": "azurerm"}
# A major that the templates do not ask for; recorded for roots of the users'.
NOT_FOR_TEMPLATES = {("azurerm", "4")}


def recorded(cloud: str) -> list[Recorded]:
    """The oldest first; of one version ours counts, and not the one in KARROTS_EXTRA_SCHEMAS."""
    found = {(each.name, each.version): each for each in [*extra(), *schemas.shipped()]}
    return [
        each
        for each in sorted(found.values(), key=lambda it: schemas.order(it.version or ""))
        if each.name == PROVIDERS[cloud] and (each.name, str(each.version).partition(".")[0]) not in NOT_FOR_TEMPLATES
    ]


def extra() -> list[Recorded]:
    files = sorted(Path(EXTRA).glob("*.json")) if EXTRA else []
    return [each for file in files for each in schemas.of_file(file)]


def missing(cloud: str) -> str:
    """What to do where there is nothing to play."""
    return f"no recording of {PROVIDERS[cloud]} is of a version that the templates ask for: make schemas MIRROR=FOLDER"


def note() -> str:
    if EXTRA:
        return f"{VARIABLE}: {len(extra())} more schemas from {EXTRA}"
    return f"{VARIABLE} is not set: only the schemas in tests/data/schemas are played"
