"""Moving about in a work tree of our own making, the demo's. Users' work trees are never touched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from karrots.adapters.git_command import Git

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Checkout:
    folder: Path

    @property
    def _git(self) -> Git:
        return Git.located(self.folder)

    def identify(self, name: str, email: str) -> None:
        """Whose commits these are, for this repository alone."""
        self._git.run("config", "user.name", name)
        self._git.run("config", "user.email", email)
        # a user who signs everything is not asked for a key here
        self._git.run("config", "commit.gpgsign", "false")

    def switch(self, branch: str) -> None:
        self._git.run("switch", "--quiet", branch)

    def merge(self, branch: str) -> str:
        """A merge commit, as a promotion is; answers its id."""
        self._git.run("merge", "--quiet", "--no-ff", "--no-edit", "--end-of-options", branch)
        return self._git.line("rev-parse", "HEAD")
