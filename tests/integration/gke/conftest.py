from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from karrots.adapters.google import Google
from karrots.providers import gke, waiting
from tests.support.gke_account import server
from tests.support.gke_account.account import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.gke_account.account import Account


@pytest.fixture
def account(guarded: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """An empty project; who asks is logged in to it."""
    with server.served() as (account, address):
        account.managed_zone("fleet", "example.com")
        server.log_in(address, tmp_path, monkeypatch)
        monkeypatch.setattr(waiting, "LOOK_SECONDS", 0)
        monkeypatch.setattr(gke, "STILL_LOOKS", 4)
        yield account


@pytest.fixture
def google(account: Account) -> Google:
    return Google(PROJECT)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the door would have waited between its attempts; it does not."""
    slept: list[float] = []
    monkeypatch.setattr("karrots.adapters.google.time.sleep", slept.append)
    return slept
