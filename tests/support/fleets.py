"""Fleet repositories to try things on."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from karrots import places
from tests.support.repositories import git

if TYPE_CHECKING:
    from pathlib import Path


def shop(root: Path, *, remote: bool = False) -> Path:
    """The demo fleet as a repository of its own; with `remote` shared through a bare one. Answers clusters/qa."""
    fleet = root / "fleet"
    shutil.copytree(places.data() / "clusters", fleet / "clusters", ignore=shutil.ignore_patterns(".terraform"))
    shutil.copy(places.data() / "karrots.yaml", fleet / "karrots.yaml")
    git(fleet, "init", "-q", "-b", "main")
    git(fleet, "add", ".")
    git(fleet, "commit", "-qm", "The shop, on two clusters")
    if remote:
        git(root, "init", "-q", "--bare", "-b", "main", str(root / "shared.git"))
        git(fleet, "remote", "add", "origin", str(root / "shared.git"))
        git(fleet, "push", "-q", "origin", "main")
    return fleet / "clusters" / "qa"


def without_release(directory: Path) -> None:
    """Take the one HelmRelease out of the shop: about 20 objects remain, and nothing waits for Helm."""
    apps = directory / "flux/apps/kustomization.yaml"
    text = "".join(line for line in apps.read_text().splitlines(keepends=True) if "orders" not in line)
    apps.write_text(text)
    shutil.rmtree(directory / "flux/apps/orders")
    git(directory, "add", "-A", ".")
    git(directory, "commit", "-qm", "Orders leave the shop")


def commit(directory: Path, path: str, before: str, after: str, message: str = "Change") -> str:
    """Replace a text in one file and commit it; answers the commit."""
    file = directory / path
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))
    git(directory, "commit", "-qam", message)
    return git(directory, "rev-parse", "HEAD")
