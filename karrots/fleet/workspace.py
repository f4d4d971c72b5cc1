"""Where a command stands: the fleet repository, its ledger, its settings and the cluster directory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from karrots import files
from karrots.adapters.git import Repository
from karrots.errors import NotFound, UsageError
from karrots.fleet.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from karrots.fleet.record import Record
    from karrots.spec.cluster import ClusterSpec
    from karrots.spec.fleet import Cloud, FleetSpec

FLEET_FILE = "karrots.yaml"
CLUSTER_FILE = "cluster.yaml"
INIT_HINT = "karrots init"
LOCAL = "local"


@dataclass(frozen=True)
class Workspace:
    """`start` is the folder the command was given; nothing is read before it is asked for."""

    repo: Repository
    start: Path

    @classmethod
    def open(cls, start: Path, say: Callable[[str], None] | None = None) -> Workspace:
        """`say` is told of a lock that a dead git left before it is removed. Raises UsageError outside a repository."""
        return cls(Repository.discover(start, say), start.absolute())

    @cached_property
    def settings(self) -> FleetSpec:
        """karrots.yaml as it stands in the working tree, else at HEAD (a bare checkout of another folder)."""
        from karrots.spec.fleet import load_fleet

        file = self.repo.root / FLEET_FILE
        content = files.content(file) if os.path.lexists(file) else self.repo.read("HEAD", FLEET_FILE)
        if content is None:
            raise NotFound(
                f"there is no {FLEET_FILE} in '{self.repo.root}'",
                why="a fleet repository has one at its root",
                hint=INIT_HINT,
            )
        return load_fleet(content, FLEET_FILE)

    def section(self, provider: str) -> Cloud | None:
        """The provider's part of karrots.yaml; None for local, which has nothing to set, and without the file.

        Raises UsageError for a file that cannot be understood.
        """
        try:
            return None if provider == LOCAL else self.settings.providers.cloud(provider)
        except NotFound:
            return None

    def backend(self, provider: str) -> str:
        """Where Terraform keeps the states of a provider's clusters; for `local`, karrots.yaml is not read for it."""
        return "http" if provider == "local" else self.settings.providers.backend(provider)

    @cached_property
    def remote(self) -> str | None:
        """The remote the ledger is shared through, None when the repository has no such remote."""
        name = self.settings.git.remote
        return name if self.repo.has_remote(name) else None

    @cached_property
    def ledger(self) -> Ledger:
        """For publishing: knows the remote."""
        return Ledger(self.repo, self.remote)

    @cached_property
    def known(self) -> Ledger:
        """For reading what this clone already knows: no settings are read, no network is used."""
        return Ledger(self.repo, None)

    def parent_of(self, record: Record) -> Record | None:
        """The cluster it was branched from, while that lives."""
        named = record.parent
        found = self.known.find(named.name) if named else None
        return found if found is not None and named is not None and found.id == named.id else None

    def directory(self) -> str:
        """The cluster directory `start` is in, e.g. 'clusters/qa'. Raises NotFound."""
        found = self.find_directory()
        if found is None:
            raise NotFound(
                f"'{self.start}' is not in a cluster directory",
                why=f"neither it nor a folder above it, up to '{self.repo.root}', has a {CLUSTER_FILE}",
                hint=self._directory_hint(),
            )
        return found

    def find_directory(self) -> str | None:
        root = self.repo.root.resolve()
        here = self.start.resolve()
        while here != root and root in here.parents:
            if (here / CLUSTER_FILE).is_file():
                return PurePosixPath(here.relative_to(root)).as_posix()
            here = here.parent
        return None

    def _directory_hint(self) -> str:
        found = sorted(self.repo.root.glob(f"clusters/*/{CLUSTER_FILE}"))
        if not found:
            return INIT_HINT
        return f"cd {os.path.relpath(found[0].parent, self.start)}"

    def spec_at(self, rev: str, directory: str, overrides: Mapping[str, str]) -> ClusterSpec:
        """cluster.yaml of the directory at a commit, with overrides on top."""
        from karrots.spec.cluster import load_cluster

        content = self.repo.read(rev, f"{directory}/{CLUSTER_FILE}")
        if content is None:
            raise UsageError(
                f"'{directory}/{CLUSTER_FILE}' is not part of commit {rev[:10]}",
                why="karrots brings up what is committed",
                hint=f"git add {directory} && git commit",
            )
        return load_cluster(content, f"{directory}/{CLUSTER_FILE}", overrides)
