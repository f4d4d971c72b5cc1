"""A git that was killed, or whose answer was cut short, has said nothing: least of all that something is not there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from karrots import app
from karrots.adapters.git_command import Git
from karrots.adapters.git_objects import batch, entries, lines_of_tree
from karrots.errors import ToolFailed
from tests.support.repositories import repository

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from karrots.adapters.git import Repository

QUESTIONS: dict[str, Callable[[Repository], object]] = {
    "rev-parse": lambda repo: repo.resolve("HEAD"),
    "for-each-ref": lambda repo: repo.refs("refs/heads/"),
    "tips": lambda repo: repo.tips("refs/heads/main"),
    "tree": lambda repo: repo.tree_id("HEAD", "clusters"),
    "names": lambda repo: repo.names("HEAD:clusters"),
    "read": lambda repo: repo.read("HEAD", "karrots.yaml"),
    "files": lambda repo: repo.files("HEAD", "clusters"),
    "write": lambda repo: repo.write_blob(b"x"),
    "identity": lambda repo: repo.identity(),
}


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    return repository(tmp_path / "fleet")


def program(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    (folder / "git").write_text(f"#!/bin/sh\n{text}\n")
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_git_that_was_killed(
    question: str, repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "bin", "kill -9 $$", monkeypatch)
    monkeypatch.setattr(repo, "_git", Git(str(tmp_path / "bin/git"), repo.root))
    with pytest.raises(ToolFailed):
        QUESTIONS[question](repo)


@pytest.mark.parametrize("said", ["Ada Example <ada@exam", "Ada", r"Ada <a\377a@example.com> 1795252800 +0000"])
def test_an_identity_that_was_garbled(
    said: str, repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was read as nobody's, and the same command found the name taken by somebody."""
    program(tmp_path / "bin", f"printf '{said}'", monkeypatch)
    monkeypatch.setattr(repo, "_git", Git(str(tmp_path / "bin/git"), repo.root))
    with pytest.raises(ToolFailed, match="git var is not understood"):
        repo.identity()


NOWHERE = ("nowhere", "@{u}", "nowhere@{u}", "HEAD@{99}", "@{push}", "@{-1}", ":/nothing", "HEAD~99", "a..b", "@{")


def test_a_revision_that_is_none(repo: Repository) -> None:
    assert [rev for rev in NOWHERE if repo.resolve(rev) is not None] == []
    assert repo.tree_id("nowhere", "clusters") is None
    assert repo.names("nowhere:clusters") == {}
    assert repo.names("HEAD:nowhere") == {}
    assert repo.read("nowhere", "x") is None
    assert repo.files("nowhere", "x") == {}
    assert not repo.has_remote("nowhere")


ONE = b"a" * 40 + b" blob 3\nabc\n"


@pytest.mark.parametrize("answer", [ONE[:-1], ONE[:-3], ONE[:20], b"", ONE + ONE, ONE.replace(b"3", b"9"), b"x\n"])
def test_an_answer_that_was_cut_short(answer: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        batch(answer, 1)


def test_a_listing_that_was_garbled() -> None:
    with pytest.raises(ValueError, match="id of an object"):
        list(entries(b"100644 blob " + b"a" * 39 + b"\xff       3\tx\0"))


LINE = b"100644 blob " + b"a" * 40 + b"\tname\0"


@pytest.mark.parametrize(
    "listing",
    [LINE[:-1], LINE[:-6], LINE + LINE[:9], LINE.replace(b"blob", b"blub"), LINE.replace(b"aa", b"\xff\xff"), b"x\0"],
)
def test_a_tree_is_not_made_from_a_listing_that_was_garbled(listing: bytes) -> None:
    """Or a ledger would lose the clusters that are not in it."""
    with pytest.raises(ValueError, match="not that of a tree"):
        lines_of_tree(listing)


def test_a_bug_report_takes_any_text(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(_: list[str]) -> int:
        raise RuntimeError("git said \udcf9")

    monkeypatch.setattr(app, "dispatch", broken)
    assert app.run(["ls"]) == 70
    assert "a bug in karrots" in capsys.readouterr().err
