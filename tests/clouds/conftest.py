from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from tests.support import providers
from tests.support.eks_account.fleet import Life, eks_fleet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOR_EVER = 3600.0


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory, engine_bin: Path) -> Iterator[Life]:
    settings = providers.configured("hashicorp/aws", tmp_path_factory.mktemp("settings"))
    with eks_fleet(tmp_path_factory.mktemp("eks"), engine_bin, settings) as made:
        yield made


@pytest.fixture
def begun(life: Life, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set once EKS has taken the order for a control plane, which then stays CREATING."""
    told, start = threading.Event(), life.planes.start

    def start_and_tell(name: str) -> None:
        start(name)
        told.set()

    monkeypatch.setattr(life.planes, "start", start_and_tell)
    monkeypatch.setattr(life.aws.eks, "hold", FOR_EVER)
    return told


@pytest.fixture
def logged_in(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test itself, in the account."""
    for name, value in life.aws.environment.items():
        monkeypatch.setenv(name, value)
