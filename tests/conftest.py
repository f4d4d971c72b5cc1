"""Guards for every test: the user's home, credentials and network are out of reach."""

from __future__ import annotations

import os
import signal
import socket
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from tests.support import environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOOPBACK = ("127.", "::1", "localhost")


# No test is timed: a computer with other work makes no example wrong.
hypothesis.settings.register_profile("untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("untimed")


def pytest_configure() -> None:
    """A job in the background starts with SIGINT ignored (under nohup SIGHUP), and so would what tests interrupt."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def engine_bin() -> Path:
    """The engine's binaries, built into the real cache when they are not there (the only thing tests share with it)."""
    from karrots.engine import binaries

    with environment.real():
        return binaries.ensure(lambda *_: None).folder


@pytest.fixture(scope="session")
def replay_built() -> Path:
    """The program that plays recorded providers, built into the real cache when it is not there."""
    from karrots.replay import program

    with environment.real():
        return program.ensure().parent


@pytest.fixture(autouse=True)
def guarded(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home, settings and state of the test's own; a fixed git identity; no connection but to loopback."""
    home = tmp_path_factory.mktemp("home")
    kept = environment.inherited()
    for name in [name for name in os.environ if name not in kept]:
        monkeypatch.delenv(name)
    folders = {f"XDG_{kind}_HOME": str(home / f".{kind.lower()}") for kind in ("CONFIG", "STATE", "CACHE")}
    for name, value in {**environment.settings(home), **folders}.items():
        monkeypatch.setenv(name, value)
    _forbid_network(monkeypatch)


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """A test that runs karrots in this process leaves no ear behind that would end all tests at an interrupt."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def _forbid_network(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not str(address[0]).startswith(LOOPBACK):
            pytest.fail(f"a test tried to reach {address!r}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)


@pytest.fixture
def with_engine(engine_bin: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """KARROTS_ENGINE_BIN set for the test."""
    monkeypatch.setenv("KARROTS_ENGINE_BIN", str(engine_bin))
    return engine_bin


@pytest.fixture
def with_replay(replay_built: Path, guarded: None) -> None:
    """The built program in the test's own cache."""
    from karrots import places

    places.replay_provider().mkdir(parents=True)
    (places.replay_provider() / replay_built.name).symlink_to(replay_built)
