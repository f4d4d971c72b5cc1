from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from karrots.adapters import process
from tests.azurerm.provider import Provider
from tests.support import azurerm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def azurerm_settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return azurerm.settings(tmp_path_factory.mktemp("azurerm"), azurerm.built())


@contextmanager
def opened(settings: Path, folder: Path) -> Iterator[Provider]:
    """Nothing may be asked of its Azure that a plan need not ask."""
    with azurerm.azure(folder) as here:
        found = {"TF_CLI_CONFIG_FILE": str(settings), "CHECKPOINT_DISABLE": "1", "HOME": str(folder)}
        yield Provider(here, process.environment({**found, **here.environment()}))
        assert here.unknown == []


@pytest.fixture
def provider(azurerm_settings: Path, tmp_path: Path) -> Iterator[Provider]:
    with opened(azurerm_settings, tmp_path) as made:
        yield made
