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

from karrots import app, computer, places
from karrots.adapters.git import Repository
from karrots.fleet.ledger import Ledger
from karrots.fleet.record import Parent
from karrots.render.fleet import FleetOptions, render
from tests.support import repositories
from tests.support.command_line import Outcome
from tests.support.records import record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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

    def tell_story(self, *manifests: str, settings: str = "") -> None:
        """Content of the story branch, and more of its cluster.yaml; the work tree stays there."""
        self.git("switch", "--quiet", "feature/story")
        text = (self.qa / "cluster.yaml").read_text("utf-8")
        self.commit(
            {
                "clusters/qa/flux/apps/told.yaml": "---\n".join(manifests),
                "clusters/qa/flux/apps/kustomization.yaml": "resources: [told.yaml]\n",
                "clusters/qa/cluster.yaml": text + settings,
            }
        )

    def known(self, name: str, **changes: Any) -> Record:
        """A cluster in the ledger, as if it had been made here."""
        made = record(name, **({"host": computer.name()} | changes))
        tree = self.repo.tree_id("HEAD", made.directory)
        return self.ledger.claim(name, lambda _: made, applied_tree=tree)

    def picture(self) -> dict[str, str]:
        """Everything a command could change: refs, work tree and index, and what karrots keeps outside.

        Read from the files, because asking git takes a process each time. What a fetch brings is news, no change.
        """
        git = self.root / ".git"
        refs = {p: p.read_bytes() for p in (*git.glob("refs/**/*"), git / "HEAD", git / "packed-refs") if p.is_file()}
        kept = {p: data for p, data in refs.items() if "remotes" not in p.parts}
        tree = {p: p.read_bytes() for p in _work_tree(self.root)}
        return dict(zip(SECTIONS, (_digest(kept), _digest(tree | {git: _index(git)}), _kept()), strict=True))


def _work_tree(root: Path) -> Iterator[Path]:
    for folder, below, files in os.walk(root):
        if Path(folder) == root:
            below.remove(".git")
        yield from (Path(folder) / name for name in files)


def _index(git: Path) -> bytes:
    return (git / "index").read_bytes() if (git / "index").exists() else b""


def _digest(files: Mapping[Path, bytes]) -> str:
    text = b"\0".join(os.fsencode(path) + b"\0" + data for path, data in sorted(files.items()))
    return hashlib.sha256(text).hexdigest()


def _kept() -> str:
    """What is in the state folder; logs of runs apart, which a failed run is meant to leave."""
    home = Path(os.environ["KARROTS_HOME"]) / "state"
    files = (p.relative_to(home) for p in home.rglob("*") if p.is_file()) if home.is_dir() else ()
    return "\n".join(sorted(str(p) for p in files if p.parts[0] != "runs"))


@pytest.fixture(scope="session")
def patterns(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The repositories that `fleet` and `peopled` copy: making one takes git many processes."""
    empty, full = (tmp_path_factory.mktemp("pattern") / "fleet" for _ in range(2))
    empty.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        for who in ("AUTHOR", "COMMITTER"):
            patch.setenv(f"GIT_{who}_NAME", "Ada Example")
            patch.setenv(f"GIT_{who}_EMAIL", "ada@example.com")
        repositories.git(empty, "init", "--quiet", "--initial-branch=main", "--template=")  # few files to copy
        repositories.commit(empty, render(FleetOptions(), places.templates()), "Begin")
        repositories.git(empty, "repack", "-adq")
        shutil.copytree(empty, full, symlinks=True)
        _people(Fleet(full))
        repositories.git(full, "repack", "-adq")
    return empty, full


def _people(fleet: Fleet) -> None:
    main = fleet.repo.head().commit or ""
    qa = fleet.known("qa", branch="main", overrides={"nodes.default.count": "3"})
    fleet.git("switch", "--quiet", "--create", "feature/story")
    fleet.edit("clusters/qa/flux/apps/kustomization.yaml", "resources:", "# changed\nresources:")
    fleet.known("story", branch="feature/story", parent=Parent(name="qa", id=qa.id, commit=main))
    fleet.git("switch", "--quiet", "main")


@pytest.fixture
def fleet(patterns: tuple[Path, Path], tmp_path: Path) -> Fleet:
    root = tmp_path / "fleet"
    shutil.copytree(patterns[0], root, symlinks=True)
    return Fleet(root)


@pytest.fixture
def peopled(patterns: tuple[Path, Path], tmp_path: Path) -> Fleet:
    """Qa on main, and its copy on a story branch with one changed file."""
    root = tmp_path / "peopled"
    shutil.copytree(patterns[1], root, symlinks=True)
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
        assert "Traceback" not in told.err or any("v" in word or "verbose" in word for word in words), told.err
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

    The first one of a test is given twice, for people and as a document for programs. Answers what people read.
    """
    asked: list[str] = []

    def check_document(*words: str, code: int, cwd: Path) -> None:
        at = 1 if words[0] == "run" else len(words)  # what follows the name is another program's
        told = karrots(*words[:at], "-o", "json", *words[at:], cwd=cwd, expect=code).document
        assert told["kind"] == "Error"
        assert told["code"] == code
        assert told["message"]
        assert told["hint"]

    def run(*words: str, code: int, cwd: Path | None = None) -> Outcome:
        before = fleet.picture()
        outcome = karrots(*words, cwd=cwd or fleet.qa, expect=code)
        assert outcome.out == ""
        assert outcome.err.strip()
        assert "\n  try  " in outcome.err, f"no next command in:\n{outcome.err}"
        if not asked:
            check_document(*words, code=code, cwd=cwd or fleet.qa)
            asked.extend(words)
        after = fleet.picture()
        for section in SECTIONS:
            assert after[section] == before[section], f"{words} changed the {section}"
        return outcome

    return run


def lines_of_json(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]
