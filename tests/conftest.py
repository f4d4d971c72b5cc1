"""Guards for every test: the user's home, credentials and network are out of reach."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

REAL_HOME = Path.home()
REAL_ENVIRONMENT = dict(os.environ)
SCRUBBED = ("AWS_", "GOOGLE_", "CLOUDSDK_", "ARM_", "AZURE_", "KUBE", "TF_", "KARROTS_", "GIT_", "XDG_")
LOOPBACK = ("127.", "::1", "localhost")

# For the programs that tests start: whatever is not on loopback goes to a proxy that is not there, and git knows no
# protocol but files and plain http.
DEAD_PROXY = "http://127.0.0.1:9"
NO_WAY_OUT = {
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), DEAD_PROXY),
    **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost"),
    "GIT_ALLOW_PROTOCOL": "file:http",
}


@pytest.fixture(scope="session")
def engine_bin() -> Path:
    """The engine's binaries, built into the real cache when they are not there (the only thing tests share with it)."""
    from karrots.engine import binaries

    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name not in REAL_ENVIRONMENT]:
            patch.delenv(name)
        for name, value in REAL_ENVIRONMENT.items():
            patch.setenv(name, value)
        return binaries.ensure(lambda *_: None).folder


@pytest.fixture(autouse=True)
def guarded(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home, settings and state of the test's own; a fixed git identity; no connection but to loopback."""
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(SCRUBBED):
            monkeypatch.delenv(name)
    (home / "gitconfig").write_text("[init]\n\tdefaultBranch = main\n")
    (home / "terraformrc").write_text("")
    settings = {
        "HOME": str(home),
        "KARROTS_HOME": str(home / "karrots"),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_STATE_HOME": str(home / ".state"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "GIT_CONFIG_GLOBAL": str(home / "gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Ada Example",
        "GIT_AUTHOR_EMAIL": "ada@example.com",
        "GIT_COMMITTER_NAME": "Ada Example",
        "GIT_COMMITTER_EMAIL": "ada@example.com",
        "TF_CLI_CONFIG_FILE": str(home / "terraformrc"),
        "NO_COLOR": "1",
        "TERM": "dumb",
        "COLUMNS": "80",
        **NO_WAY_OUT,
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    _forbid_network(monkeypatch)


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
