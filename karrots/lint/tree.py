"""The files of one cluster directory as Flux's kustomize sees them."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from karrots.lint.finding import Finding
from karrots.spec import yaml_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Of the path below the directory; Linux takes 4096 for all of one (limits.h).
LONGEST_PATH = 2048
KUSTOMIZATION_FILES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
# As kustomize tells remote bases (api/internal/git/repospec.go).
_REMOTE = ("git::", "gh:", "ssh://", "https://", "http://", "git@", "github.com:", "github.com/", "file://")


class Tree:
    """`directory` is where the files stand in the repository, e.g. clusters/qa; all paths here are below it.

    `files` may read them when they are asked for.
    """

    def __init__(self, files: Mapping[str, bytes], directory: str) -> None:
        self.files = files if all(map(_is_short, files)) else {path: files[path] for path in filter(_is_short, files)}
        self.directory = directory.strip("/")
        self.folders = _folders(self.files)
        self.broken: dict[str, Finding] = {path: _too_long(path) for path in files if not _is_short(path)}
        self._read: dict[str, tuple[yaml_file.Document, ...]] = {}

    def documents(self, path: str) -> tuple[yaml_file.Document, ...]:
        """The YAML documents of a file; none of a broken one, which is kept in `broken`."""
        if path not in self._read:
            self._read[path] = self._parse(path)
        return self._read[path]

    def _parse(self, path: str) -> tuple[yaml_file.Document, ...]:
        try:
            return tuple(yaml_file.documents(self.files[path], path))
        except yaml_file.YamlProblem as problem:
            self.broken[path] = Finding(path, problem.line or 1, "broken-yaml", "error", "", problem.problem)
            return ()

    def kustomization_file(self, folder: str) -> str | None:
        candidates = (posixpath.join(folder, name) for name in KUSTOMIZATION_FILES)
        return next((path for path in candidates if path in self.files), None)

    def from_repository(self, path: str) -> str | None:
        """A path below the repository's root as one below the directory; None outside of it."""
        return inside(posixpath.relpath(posixpath.join("/", path), f"/{self.directory}"))

    def manifests(self, folder: str) -> list[str]:
        """What Flux takes from a folder without a kustomization file.

        Every YAML file below it, and each folder with a kustomization file as a whole.
        """
        found = set()
        prefix = f"{folder}/" if folder else ""
        for path in self.files:
            if path.startswith(prefix):
                whole = self._first_kustomization(path, prefix)
                if whole:
                    found.add(whole)
                elif path.endswith((".yaml", ".yml")):
                    found.add(path)
        return sorted(found)

    def _first_kustomization(self, path: str, prefix: str) -> str | None:
        between = [folder for folder in _parents(path) if folder.startswith(prefix) and len(folder) > len(prefix)]
        return next((folder for folder in sorted(between, key=len) if self.kustomization_file(folder)), None)


def _is_short(path: str) -> bool:
    return len(path) <= LONGEST_PATH


def _too_long(path: str) -> Finding:
    message = f"a path of {len(path)} characters, which no file system takes"
    return Finding(f"{path[:60]}…", 1, "long-path", "error", "", message)


def _folders(paths: Iterable[str]) -> set[str]:
    """Each is climbed from only until what is known already, as trees may be deep."""
    found = {""}
    for path in paths:
        folder = posixpath.dirname(path)
        while folder not in found:
            found.add(folder)
            folder = posixpath.dirname(folder)
    return found


def _parents(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def inside(path: str) -> str | None:
    """A normal path below the directory, '' for the directory itself; None when it leaves it."""
    normal = posixpath.normpath(path)
    if normal == ".." or normal.startswith(("../", "/")):
        return None
    return "" if normal == "." else normal


def is_remote(reference: str) -> bool:
    return reference.lower().startswith(_REMOTE) or "?ref=" in reference
