"""Rows on git: what a branch costs in a large fleet, and a comparison."""

from __future__ import annotations

import itertools
import shutil
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks import fleets, records
from benchmarks.row import Contest, Reading, Target, Wrong, row
from benchmarks.world import world
from karrots.fleet import addresses
from karrots.fleet.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.row import Bench
    from benchmarks.world import World
    from karrots.fleet.ledger import View
    from karrots.fleet.record import Record

DIRECTORIES = 10_000
LIVE = 100
FILES = {
    "cluster.yaml": "apiVersion: karrots.dev/v1\nkind: Cluster\nprovider: local\nkubernetes: '1.36'\n# {}\n",
    "flux/kustomization.yaml": "resources: [settings.yaml]\n",
    "flux/settings.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\ndata:\n  number: '{}'\n",
}


def large_fleet(made: World) -> Path:
    """Ten thousand cluster directories in git and on disk, and a ledger with some live clusters."""
    fleet = made.root / "fleet"
    fleet.mkdir()
    made.git("init", "--quiet", "--initial-branch=main", cwd=fleet)
    made.git("fast-import", "--quiet", cwd=fleet, stdin=_import_stream())
    made.git("reset", "--quiet", "--hard", cwd=fleet)
    records.fill(made, fleet, LIVE)
    return fleet


def _import_stream() -> str:
    who = "Ada Example <ada@example.com> 1763708400 +0000"
    head = f"commit refs/heads/main\ncommitter {who}\ndata 8\nA fleet\n\n"
    files = {"karrots.yaml": "apiVersion: karrots.dev/v1\nkind: Fleet\ndomain: example.com\n"}
    for number in range(DIRECTORIES):
        files |= {f"clusters/c{number:05}/{path}": text.format(number) for path, text in FILES.items()}
    blobs = (f"M 100644 inline {path}\ndata {len(text)}\n{text}\n" for path, text in files.items())
    return head + "".join(blobs)


@row("git-part", f"git part of branch, {DIRECTORIES:,} directories", Target(most=0.100))
def git_part(bench: Bench) -> Iterator[Contest]:
    with world(bench.engine) as made:
        fleet = large_fleet(made)
        stories = Stories(made, fleet)
        yield Contest(stories.by_karrots, {"git worktree add, commit, remove": stories.by_worktree})


class Stories:
    """One more story each time, begun from another directory."""

    def __init__(self, made: World, fleet: Path) -> None:
        self.world, self.fleet = made, fleet
        self._numbers = itertools.count(LIVE)

    def by_karrots(self) -> Reading:
        """In this process, as the steps `claim` and `push` do it. Nothing in the work tree may change."""
        number = next(self._numbers)
        directory = f"clusters/c{number:05}"
        before = self._untouched()
        began = time.perf_counter()
        workspace = Workspace.open(self.fleet / directory)
        commit = workspace.repo.head().commit or ""
        workspace.ledger.refresh()
        wanted = replace(records.record(number, commit), directory=directory, network="")
        looked = time.perf_counter()
        claimed = workspace.ledger.claim(
            wanted.name,
            lambda view: _leased(wanted, workspace, view),
            applied_tree=workspace.repo.tree_id(commit, directory),
        )
        workspace.repo.create_branch(wanted.branch, commit)
        ended = time.perf_counter()
        self._check(claimed, commit, before)
        return Reading(ended - looked, {"with finding the fleet and its settings": ended - began})

    def _untouched(self) -> tuple[int, str]:
        index = (self.fleet / ".git/index").stat()
        return index.st_mtime_ns, self.world.git("--no-optional-locks", "status", "--porcelain", cwd=self.fleet)

    def _check(self, claimed: Record, commit: str, before: tuple[int, str]) -> None:
        tree = f"karrots/fleet:clusters/{claimed.name}"
        applied = self.world.git("rev-parse", f"{tree}/applied", f"HEAD:{claimed.directory}", cwd=self.fleet).split()
        head = self.world.git("rev-parse", claimed.branch, cwd=self.fleet)
        if head != commit or len(set(applied)) != 1 or not claimed.network:
            raise Wrong("the branch or the record is not what it should be")
        if self._untouched() != before:
            raise Wrong("the work tree was touched")

    def by_worktree(self) -> Reading:
        """A second checkout, the directory copied under the story's name, a commit on the story's branch."""
        number = next(self._numbers)
        name, tree = f"story-{number}", self.world.root / "story"
        began = time.perf_counter()
        self.world.git("worktree", "add", "--quiet", "-b", f"feature/{name}", str(tree), "main", cwd=self.fleet)
        shutil.copytree(tree / f"clusters/c{number:05}", tree / f"clusters/{name}")
        self.world.git("add", f"clusters/{name}", cwd=tree)
        self.world.git("commit", "--quiet", "--message", f"Branch {name}", cwd=tree)
        self.world.git("worktree", "remove", str(tree), cwd=self.fleet)
        seconds = time.perf_counter() - began
        if not self.world.git("ls-tree", f"feature/{name}", f"clusters/{name}", cwd=self.fleet):
            raise Wrong("the branch lacks the copied directory")
        return Reading(seconds)


def _leased(wanted: Record, workspace: Workspace, view: View) -> Record:
    pool = workspace.settings.addresses
    return replace(wanted, network=addresses.lease(pool.pool, pool.prefix, [r.network for r in view.records]))


@row("diff", "diff of two directories")
def diff(bench: Bench) -> Iterator[Contest]:
    with world(bench.engine) as made:
        fleet = fleets.shop(made).parents[1]
        trees = ("HEAD:clusters/qa", "HEAD:clusters/prod")
        patch = made.run("git", "diff", *trees, cwd=fleet).out
        changed = [line for line in patch.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]

        def ours() -> Reading:
            ended = made.karrots("diff", "clusters/qa", "clusters/prod", cwd=fleet)
            if not changed or not set(changed) <= set(ended.out.splitlines()):
                raise Wrong("lines that differ are not shown")
            return Reading(ended.seconds)

        yield Contest(ours, {"git diff": lambda: Reading(made.run("git", "diff", *trees, cwd=fleet).seconds)})


ROWS = (git_part, diff)
