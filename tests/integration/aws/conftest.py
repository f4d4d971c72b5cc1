from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from karrots.adapters.aws import Aws
from karrots.providers import waiting
from tests.support import aws as support

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def running() -> Iterator[support.Cloud]:
    yield from support.opened()


@pytest.fixture
def cloud(running: support.Cloud, guarded: None, monkeypatch: pytest.MonkeyPatch) -> support.Cloud:
    """An empty account; who asks is logged in to it."""
    running.reset()
    for name, value in support.environment(running.address).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(waiting, "LOOK_SECONDS", 0)
    return running


@pytest.fixture
def aws(cloud: support.Cloud) -> Aws:
    return Aws(support.REGION)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the SDK would have waited between its attempts; it does not."""
    slept: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time.sleep", slept.append)
    monkeypatch.setattr("botocore.retries.adaptive.ClientRateLimiter.on_sending_request", lambda *_, **__: None)
    return slept
