"""Controllers built from their published Go modules: once a recipe, into the user's cache, as the engine is.

Each recipe is a folder of modules/ with a go.mod, where the versions stand; what is in one go.mod shares its packages.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from karrots import places
from karrots.engine import binaries, recipe
from karrots.engine.recipe import Program, Recipe
from tests.support import environment

if TYPE_CHECKING:
    from karrots.engine.recipe import Say

MODULES = Path(__file__).parent / "modules"
HELP = ("--help",)

CONTROLLERS = MODULES / "controllers"


def recipe_of(*programs: Program) -> Recipe:
    return Recipe(CONTROLLERS, programs, title=" and ".join(each.name for each in programs), small=True)


EXTERNAL_DNS = recipe_of(Program("external-dns", "karrots.local/services/externaldns", HELP))


def built(what: Recipe, say: Say | None = None) -> Path:
    """The folder of its programs, built when they are not there."""
    with environment.real():
        folder = places.cache() / "services" / recipe.digest(what)
        return binaries.built(what, folder, say or (lambda *_: None)).folder
