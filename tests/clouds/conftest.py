from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import providers
from tests.support.eks_account.fleet import Life, eks_fleet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory, engine_bin: Path) -> Iterator[Life]:
    settings = providers.configured("hashicorp/aws", tmp_path_factory.mktemp("settings"))
    with eks_fleet(tmp_path_factory.mktemp("eks"), engine_bin, settings) as made:
        yield made


@pytest.fixture
def logged_in(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test itself, in the account."""
    for name, value in life.aws.environment.items():
        monkeypatch.setenv(name, value)
