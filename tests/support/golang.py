"""The Go of this computer, which a test finds although its home is a temporary folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from karrots.engine import recipe, toolchain

# Taken before any test changes it.
ENVIRONMENT = dict(os.environ)
OURS = ("HOME", "XDG_", "KARROTS_", "GO", "PATH")


def of_this_computer() -> toolchain.Go:
    """On PATH, or fetched into the user's cache when the engine was built."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(OURS)]:
            patch.delenv(name)
        for name in [name for name in ENVIRONMENT if name.startswith(OURS)]:
            patch.setenv(name, ENVIRONMENT[name])
        found = toolchain.find(recipe.go_floor(recipe.engine().modules))
    assert found is not None, "there is no Go: karrots engine build"
    return found


@pytest.fixture
def go(monkeypatch: pytest.MonkeyPatch) -> toolchain.Go:
    """On PATH for the test, with the user's caches: what the engine's build compiled is not compiled again."""
    found = of_this_computer()
    monkeypatch.setenv("PATH", f"{Path(found.program).parent}:{os.environ['PATH']}")
    monkeypatch.setenv("GOCACHE", str(found.build_cache))
    monkeypatch.setenv("GOMODCACHE", str(found.module_cache))
    return found
