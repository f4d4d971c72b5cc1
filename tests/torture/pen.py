"""A small fleet to break: a repository with two clusters, and git objects that no git command would make."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support import repositories
from tests.support.records import record
from tests.torture.cage import Picture, at_home, caged, emptied, karrots, shortened
from tests.torture.frame import Wrong

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from random import Random

    from tests.support.command_line import Outcome
    from tests.torture.frame import Place, Run, World

SECRET = "karrots-torture-content-of-a-file-outside"
LEDGER = "refs/heads/karrots/fleet"
STORY = "refs/heads/feature/story"

# Enough of Terraform to get past the looking for one; every step that needs it fails.
NO_TERRAFORM = '#!/bin/sh\n[ "$1" = version ] && echo "Terraform v1.11.4" && exit 0\necho "no" >&2\nexit 1\n'

BLOB, LINK, MODULE, TREE, PROGRAM = b"100644", b"120000", b"160000", b"40000", b"100755"


@dataclass(frozen=True)
class Pen:
    """`root` is made anew for each case; nothing may be read or written in `outside`."""

    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / "fleet"

    @property
    def qa(self) -> Path:
        return self.root / "clusters" / "qa"

    @property
    def git_dir(self) -> Path:
        return self.root / ".git"

    @property
    def outside(self) -> Path:
        return self.folder / "outside"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def state(self) -> Path:
        return self.home / "karrots" / "state"

    def settle(self) -> None:
        at_home(self.home)
        program = self.home / "terraform"
        program.write_text(NO_TERRAFORM)
        program.chmod(0o755)
        os.environ["KARROTS_TERRAFORM"] = str(program)
        os.environ["PATH"] = f"{self.home / 'bin'}:{os.environ['PATH']}"
        if not (self.folder / "pattern").is_dir():
            self._make_pattern()

    def begin(self) -> None:
        """As if nothing had been tried before."""
        if self.root.exists():
            shutil.rmtree(self.root)
        shutil.copytree(self.folder / "pattern", self.root, symlinks=True)
        shutil.rmtree(self.home / "karrots", ignore_errors=True)
        secret = emptied(self.outside) / "secret.yaml"
        secret.write_text(f"{SECRET}: {SECRET}\n")
        (self.outside / "folder").mkdir()
        (self.outside / "folder" / "main.tf").write_text(f"# {SECRET}\n")

    def _make_pattern(self) -> None:
        from karrots import computer, places
        from karrots.adapters.git import Repository
        from karrots.fleet.ledger import Ledger
        from karrots.fleet.record import Parent
        from karrots.render.fleet import FleetOptions, render

        new = self.folder / "pattern.new"
        new.mkdir(parents=True)
        repositories.git(new, "init", "-q", "--initial-branch=main", "--template=")
        main = repositories.commit(new, render(FleetOptions(), places.templates()), "Begin")
        ledger = Ledger(Repository.discover(new))
        here = {"host": computer.name(), "host_id": ""}
        tree = ledger.repo.tree_id("HEAD", "clusters/qa")
        qa = ledger.claim("qa", lambda _: record("qa", branch="main", **here), applied_tree=tree)
        child = record("story", branch="feature/story", parent=Parent(name="qa", id=qa.id, commit=main), **here)
        ledger.claim("story", lambda _: child, applied_tree=tree)
        repositories.git(new, "branch", "feature/story")
        new.rename(self.folder / "pattern")

    # What no git command makes

    def loose(self, kind: str, data: bytes) -> str:
        """An object written as it is, however wrong."""
        whole = f"{kind} {len(data)}".encode() + b"\0" + data
        name = hashlib.sha1(whole, usedforsecurity=False).hexdigest()
        file = self.git_dir / "objects" / name[:2] / name[2:]
        file.parent.mkdir(exist_ok=True)
        if not file.exists():
            file.write_bytes(zlib.compress(whole, 1))
        return name

    def blob(self, data: bytes) -> str:
        return self.loose("blob", data)

    def tree(self, entries: Mapping[bytes, tuple[bytes, str]]) -> str:
        """Mode and id by name, in git's order."""
        ordered = sorted(entries.items(), key=lambda item: item[0] + (b"/" if item[1][0] == TREE else b""))
        return self.loose("tree", b"".join(b"%s %s\0" % (m, n) + bytes.fromhex(i) for n, (m, i) in ordered))

    def commit(self, tree: str, ref: str, subject: str = "Break it") -> str:
        who = "Ada Example <ada@example.com> 1700000000 +0000"
        made = self.loose("commit", f"tree {tree}\nauthor {who}\ncommitter {who}\n\n{subject}\n".encode())
        file = self.git_dir / ref
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(made + "\n")
        return made

    def entries(self, treeish: str) -> dict[bytes, tuple[bytes, str]]:
        told = subprocess.run(["git", "ls-tree", "-z", treeish], cwd=self.root, check=True, capture_output=True).stdout
        lines = (line.partition(b"\t") for line in told.split(b"\0") if line)
        return {name: (facts.split()[0].lstrip(b"0"), facts.split()[2].decode()) for facts, _, name in lines}

    # What is promised

    def run(self, *words: str, cwd: Path | None = None) -> Outcome:
        outcome = karrots(*words, cwd=cwd or self.qa)
        told = outcome.out + outcome.err
        if SECRET in told:
            raise Wrong(f"{words}: told what is in a file outside: {shortened(told)}")
        steering = [c for c in told if (ord(c) < 32 and c not in "\n\t\r") or 127 <= ord(c) < 160]
        if steering and words[0] != "run":
            raise Wrong(f"{words}: writes {steering[0]!r} to the terminal")
        return outcome

    @contextmanager
    def unharmed(self) -> Iterator[None]:
        """What lies outside is as it was, and no copy of it has come in."""
        before = Picture.of(self.outside)
        yield
        changes = before.changes(Picture.of(self.outside))
        if changes:
            raise Wrong(f"changed outside of its folders: {changes}")


def penned(case: Callable[[Random, Pen], None], *, seconds: float = 60.0) -> World:
    """A world of cases on a fleet that is made anew for each."""
    from random import Random as Dice

    return penned_by_number(lambda seed, pen: case(Dice(seed), pen), seconds=seconds)


def penned_by_number(case: Callable[[int, Pen], None], *, seconds: float = 60.0) -> World:
    """The same, for cases that are counted and not drawn."""

    @contextmanager
    def world(place: Place) -> Iterator[Run]:
        pen = Pen(place.folder)

        def one(seed: int) -> None:
            pen.begin()
            with pen.unharmed():
                case(seed, pen)

        with caged(one, pen.settle, seconds=seconds) as cage:
            yield cage

    return world
