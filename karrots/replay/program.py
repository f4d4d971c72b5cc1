"""The program that plays a recorded provider: a Go module of its own, built on first use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from karrots import places
from karrots.engine import binaries, recipe
from karrots.engine.recipe import Program, Recipe

if TYPE_CHECKING:
    from karrots.engine.recipe import Say

NAME = "terraform-provider-replay"
WHAT = Recipe(
    Path(__file__).parent / "provider",
    (Program(NAME, "karrots.local/replay"),),
    title="the replay provider",
    small=True,
)


def is_built() -> bool:
    return binaries.complete(_folder(), WHAT)


def ensure(say: Say | None = None) -> Path:
    """Raises as the build of the engine does."""
    return binaries.built(WHAT, _folder(), say or (lambda *_: None)).path(NAME)


def _folder() -> Path:
    return places.replay_provider() / recipe.digest(WHAT)
