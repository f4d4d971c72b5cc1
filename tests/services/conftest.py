"""One world for each module, with controllers that are at work in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import World, opened
from tests.services import running
from tests.services import zone as zones
from tests.services.programs import built

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.services.running import Controllers
    from tests.services.zone import Zone


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, engine_bin: Path) -> Iterator[World]:
    with opened(tmp_path_factory.mktemp("world"), engine_bin) as made:
        yield made


@pytest.fixture(scope="module")
def controllers(world: World, request: pytest.FixtureRequest) -> Iterator[Controllers]:
    """Of the module's RECIPE; where they are not built yet, that takes minutes."""
    with running.at_work(world, built(request.module.RECIPE)) as made:
        yield made


@pytest.fixture(scope="module")
def zone() -> Iterator[Zone]:
    with zones.opened("example.com") as made:
        yield made
