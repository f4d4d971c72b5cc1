"""A small fleet and a command line in this process: what a refusal says, and that it changed nothing."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from karrots import app, places
from karrots.adapters.git import Repository
from karrots.fleet.ledger import Ledger
from karrots.providers.local import this_host
from karrots.render.fleet import FleetOptions, render
from tests.support import repositories
from tests.support.command_line import Outcome
from tests.support.records import record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from karrots.fleet.record import Record

SECTIONS = ("refs", "work tree", "state")


@dataclass(frozen=True)
class Fleet:
    """A fleet repository with one cluster directory, clusters/qa, on the branch main."""

    root: Path

    @property
    def qa(self) -> Path:
        return self.root / "clusters" / "qa"

    @property
    def repo(self) -> Repository:
        return Repository.discover(self.root)

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.repo)

    def git(self, *words: str) -> str:
        return repositories.git(self.root, *words)

    def commit(self, files: dict[str, str], message: str = "Change the content") -> str:
        return repositories.commit(self.root, files, message)

    def edit(self, path: str, before: str, after: str) -> str:
        """Replace a text in one file and commit it."""
        text = (self.root / path).read_text()
        assert before in text
        return self.commit({path: text.replace(before, after)})

    def known(self, name: str, **changes: Any) -> Record:
        """A cluster in the ledger, as if it had been made here."""
        made = record(name, **({"host": this_host()} | changes))
        tree = self.repo.tree_id("HEAD", made.directory)
        return self.ledger.claim(name, lambda _: made, applied_tree=tree)

    def picture(self) -> dict[str, str]:
        """Everything a command could change: refs, work tree and index, and what karrots keeps outside."""
        files = sorted(p for p in self.root.rglob("*") if p.is_file() and ".git" not in p.relative_to(self.root).parts)
        tree = hashlib.sha256(b"\0".join(f"{p}".encode() + b"\0" + p.read_bytes() for p in files)).hexdigest()
        told = self.git("for-each-ref", "--format=%(refname) %(objectname)")
        refs = "\n".join(line for line in told.splitlines() if "/remotes/" not in line)  # what a fetch brings is news
        return dict(zip(SECTIONS, (refs, tree + self.git("status", "--porcelain"), _kept()), strict=True))


def _kept() -> str:
    """What is below karrots' own folders; logs of runs apart, which a failed run is meant to leave."""
    home = Path(os.environ["KARROTS_HOME"])
    files = (p.relative_to(home) for p in home.rglob("*") if p.is_file()) if home.is_dir() else ()
    return "\n".join(sorted(str(p) for p in files if p.parts[:2] != ("state", "runs")))


@pytest.fixture(scope="session")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository that `fleet` copies: making one takes git several processes."""
    root = tmp_path_factory.mktemp("pattern") / "fleet"
    root.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        for who in ("AUTHOR", "COMMITTER"):
            patch.setenv(f"GIT_{who}_NAME", "Ada Example")
            patch.setenv(f"GIT_{who}_EMAIL", "ada@example.com")
        repositories.git(root, "init", "--quiet", "--initial-branch=main")
        repositories.commit(root, render(FleetOptions(), places.templates()), "Begin")
    return root


@pytest.fixture
def fleet(pattern: Path, tmp_path: Path) -> Fleet:
    root = tmp_path / "fleet"
    shutil.copytree(pattern, root, symlinks=True)
    return Fleet(root)


class CommandLine(Protocol):
    def __call__(self, *words: str, cwd: Path, expect: int | None = 0) -> Outcome: ...


@pytest.fixture
def karrots(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandLine]:
    """The command line in this process; `expect` None accepts any exit status."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}

    def run(*words: str, cwd: Path, expect: int | None = 0) -> Outcome:
        monkeypatch.chdir(cwd)
        monkeypatch.setattr("sys.argv", ["karrots", *words])
        capsys.readouterr()
        status = app.run(list(words))
        told = capsys.readouterr()
        outcome = Outcome(int(status), told.out, told.err)
        assert "Traceback" not in told.err or "-vv" in words, told.err
        assert expect is None or outcome.status == expect, f"{words}: exit {status}\n{told.out}\n{told.err}"
        return outcome

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


class Refusal(Protocol):
    def __call__(self, *words: str, code: int, cwd: Path | None = None) -> Outcome: ...


@pytest.fixture
def refused(karrots: CommandLine, fleet: Fleet) -> Refusal:
    """The command is refused with that code, says what to type next, and has changed nothing.

    It is given twice: for people, and as a document for programs. Answers what people read.
    """

    def run(*words: str, code: int, cwd: Path | None = None) -> Outcome:
        before = fleet.picture()
        outcome = karrots(*words, cwd=cwd or fleet.qa, expect=code)
        assert outcome.out == ""
        assert outcome.err.strip()
        assert "\n  try  " in outcome.err, f"no next command in:\n{outcome.err}"
        at = 1 if words[0] == "run" else len(words)  # what follows the name is another program's
        told = karrots(*words[:at], "-o", "json", *words[at:], cwd=cwd or fleet.qa, expect=code).document
        assert told["kind"] == "Error"
        assert told["code"] == code
        assert told["message"]
        assert told["hint"]
        after = fleet.picture()
        for section in SECTIONS:
            assert after[section] == before[section], f"{words} changed the {section}"
        return outcome

    return run


def lines_of_json(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]
