from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from karrots.adapters import azure as azure_door
from karrots.adapters.azure import Azure
from tests.support.aks_account.account import SUBSCRIPTION
from tests.support.aks_account.world import AzureWorld, open_world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.aks_account.account import Account


@pytest.fixture
def world(guarded: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[AzureWorld]:
    """A subscription with what a team has in it and no cluster; who asks is logged in to it."""
    with open_world(monkeypatch) as made:
        yield made


@pytest.fixture
def account(world: AzureWorld) -> Account:
    return world.account


@pytest.fixture
def azure(world: AzureWorld) -> Azure:
    return Azure(SUBSCRIPTION)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the door would have waited between its attempts; it does not. Others sleep as they like."""
    slept: list[float] = []
    monkeypatch.setattr(azure_door, "time", SimpleNamespace(sleep=slept.append, monotonic=time.monotonic))
    return slept
