"""Real git repositories for tests."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from karrots.adapters.git import Repository

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CONTENT = {
    "karrots.yaml": "domain: example.com\n",
    "clusters/qa/cluster.yaml": "provider: local\n",
    "clusters/qa/flux/kustomization.yaml": "resources: []\n",
}


def git(folder: Path, *words: str, stdin: str | None = None) -> str:
    done = subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True, input=stdin)
    return done.stdout.strip()


def write(root: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def commit(root: Path, files: Mapping[str, str], message: str = "Change the content") -> str:
    write(root, files)
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(root, "rev-parse", "HEAD")


def repository(root: Path, files: Mapping[str, str] | None = None) -> Repository:
    root.mkdir(parents=True, exist_ok=True)
    git(root, "init", "--quiet", "--initial-branch=main")
    commit(root, CONTENT if files is None else files, "Begin")
    return Repository.discover(root)


def bare_remote(root: Path, of: Path) -> Path:
    """A bare copy that is the `origin` of the repository from now on."""
    git(of, "clone", "--quiet", "--bare", str(of), str(root))
    git(of, "remote", "add", "origin", str(root))
    return root


def clone(remote: Path, into: Path) -> Repository:
    git(remote, "clone", "--quiet", str(remote), str(into))
    return Repository.discover(into)
