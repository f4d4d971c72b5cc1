"""The environment of a test: a home of its own, a fixed git identity, and no way out of the computer."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Taken before any test changes it.
REAL = dict(os.environ)
SCRUBBED = ("AWS_", "GOOGLE_", "CLOUDSDK_", "ARM_", "AZURE_", "KUBE", "TF_", "KARROTS_", "GIT_", "XDG_")

# For the programs that tests start: whatever is not on loopback goes to a proxy that is not there, and git knows no
# protocol but files and plain http.
DEAD_PROXY = "http://127.0.0.1:9"
NO_WAY_OUT = {
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), DEAD_PROXY),
    **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost"),
    "GIT_ALLOW_PROTOCOL": "file:http",
}


@contextmanager
def real() -> Iterator[None]:
    """As it was when the tests began, whatever a test set: for what all of them share in the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name not in REAL]:
            patch.delenv(name)
        for name, value in REAL.items():
            patch.setenv(name, value)
        yield


def inherited() -> dict[str, str]:
    """What is left of our own environment when nothing of the user's may come along.

    Nor may `CI`, which makes karrots write plain lines on a terminal.
    """
    return {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith(SCRUBBED)}


def settings(home: Path) -> dict[str, str]:
    """Variables for everything that is kept; makes the two empty settings files in `home`."""
    (home / "gitconfig").write_text("[init]\n\tdefaultBranch = main\n")
    (home / "terraformrc").write_text("")
    return {
        "HOME": str(home),
        "KARROTS_HOME": str(home / "karrots"),
        "TF_CLI_CONFIG_FILE": str(home / "terraformrc"),
        "GIT_CONFIG_GLOBAL": str(home / "gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Ada Example",
        "GIT_AUTHOR_EMAIL": "ada@example.com",
        "GIT_COMMITTER_NAME": "Ada Example",
        "GIT_COMMITTER_EMAIL": "ada@example.com",
        "NO_COLOR": "1",
        "TERM": "dumb",
        "COLUMNS": "80",
        **NO_WAY_OUT,
    }
