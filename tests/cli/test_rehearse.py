"""`karrots rehearse`: what it refuses before anything is started, and whose a killed one's remains are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from karrots import computer, places
from karrots.errors import ExitCode
from karrots.fleet import rehearsals
from karrots.fleet.record import new_id

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import CommandLine, Fleet, Refusal

SETTINGS = "clusters/qa/cluster.yaml"


@pytest.mark.parametrize("option", ["--ref", "--merge", "--against"])
@pytest.mark.parametrize(
    "word", ["nobody", "$(id)", "-x", "../x", "a\nb", "\x1b[2Jx", "n" * 300, "großartig", "main:x"]
)
def test_a_commit_that_is_none(option: str, word: str, refused: Refusal) -> None:
    told = refused("rehearse", f"{option}={word}", code=ExitCode.NOT_FOUND)
    assert "no commit" in told.err or "no cluster and no git ref" in told.err
    assert "\x1b[2J" not in told.err


def test_a_slip_is_told(fleet: Fleet, refused: Refusal) -> None:
    fleet.git("branch", "feature/story")
    told = refused("rehearse", "--merge", "feature/stroy", code=ExitCode.NOT_FOUND)
    assert "did you mean 'feature/story'?" in told.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--ref", "HEAD", "--merge", "main"), "are two commits"),
        (("--root", "terraform"), "about the Terraform root alone"),
        (("--schema", "x.json"), "about the Terraform root alone"),
        (("--terraform", "--ref", "HEAD"), "are about content"),
        (("--terraform", "--against", "qa"), "are about content"),
        (("--junit", "not/there/x.xml"), "cannot be written"),
        (("--markdown", "."), "cannot be written"),
    ],
)
def test_words_that_do_not_go_together(words: tuple[str, ...], said: str, refused: Refusal) -> None:
    assert said in refused("rehearse", *words, code=ExitCode.USAGE).err


@pytest.mark.parametrize("seconds", ["nan", "0", "-1", "1e9", "soon"])
def test_a_time_limit_that_is_none(seconds: str, refused: Refusal) -> None:
    refused("rehearse", "--timeout", seconds, code=ExitCode.USAGE)


def test_a_folder_that_is_not_there(refused: Refusal) -> None:
    refused("rehearse", "elsewhere", code=ExitCode.USAGE)


def test_a_merge_that_conflicts_shows_where(fleet: Fleet, refused: Refusal) -> None:
    fleet.git("switch", "--quiet", "--create", "story")
    fleet.edit(SETTINGS, "provider: local", "provider: local  # theirs")
    fleet.git("switch", "--quiet", "main")
    fleet.edit(SETTINGS, "provider: local", "provider: local  # ours")
    told = refused("rehearse", "--merge", "story", code=ExitCode.REFUSED)
    assert "'story' does not merge into 'main': 1 conflict" in told.err
    assert SETTINGS in told.err
    assert "# theirs" in told.err
    assert "git merge story" in told.err


def test_histories_without_a_common_commit(fleet: Fleet, refused: Refusal) -> None:
    tree = fleet.git("rev-parse", "HEAD^{tree}")
    fleet.git("branch", "other", fleet.git("commit-tree", tree, "-m", "Begin"))
    assert "no commit in common" in refused("rehearse", "--merge", "other", code=ExitCode.REFUSED).err


def test_a_commit_without_the_directory(fleet: Fleet, refused: Refusal) -> None:
    fleet.git("branch", "empty", fleet.git("commit-tree", fleet.git("mktree", "--missing"), "-m", "Begin"))
    told = refused("rehearse", "--ref", "empty", code=ExitCode.USAGE)
    assert "is not part of commit" in told.err


@pytest.fixture
def killed(fleet: Fleet) -> rehearsals.Mark:
    """The mark of a rehearsal whose process is gone, and its ref."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        born = computer.born(child.pid)
        child.communicate()
    mark = rehearsals.begin(new_id(), fleet.repo.git_dir)
    file = places.rehearsals() / f"{mark.id}.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "pid": child.pid, "born": born}))
    fleet.git("update-ref", mark.ref, "HEAD")
    return mark


def listed(karrots: CommandLine, cwd: Path) -> list[tuple[str, str]]:
    told = karrots("doctor", "--repair", "--dry-run", "-o", "json", cwd=cwd, expect=None).document
    return [(each["kind"], each["subject"]) for each in told["found"]]


def test_what_a_kill_left_is_found_and_goes(fleet: Fleet, killed: rehearsals.Mark, karrots: CommandLine) -> None:
    assert listed(karrots, fleet.qa) == [("rehearsal", killed.id)]
    told = karrots("doctor", "--repair", "--yes", "-o", "json", cwd=fleet.qa).document
    assert [each["kind"] for each in told["mended"]] == ["rehearsal"]
    assert fleet.git("for-each-ref", killed.ref) == ""
    assert list(rehearsals.every()) == []


def test_one_of_another_fleet_is_its_own(killed: rehearsals.Mark, peopled: Fleet, karrots: CommandLine) -> None:
    assert "rehearsal" not in dict(listed(karrots, peopled.qa))
    assert rehearsals.ids() == {killed.id}


def test_one_that_runs_is_left_alone(fleet: Fleet, karrots: CommandLine) -> None:
    mark = rehearsals.begin(new_id(), fleet.repo.git_dir)
    fleet.git("update-ref", mark.ref, "HEAD")
    assert mark.pid == os.getpid()
    assert listed(karrots, fleet.qa) == []


def test_a_ref_that_no_mark_speaks_of(fleet: Fleet, karrots: CommandLine) -> None:
    ref = rehearsals.ref_of(new_id())
    fleet.git("update-ref", "refs/namespaces/somebody/refs/heads/main", "HEAD")
    fleet.git("update-ref", ref, "HEAD")
    assert listed(karrots, fleet.qa) == [("ref", ref)]


@pytest.mark.parametrize("text", ["", "{}", "[]", "{", '{"repository": 1, "pid": "x", "born": null}'])
def test_a_mark_that_cannot_be_read_is_passed_over(text: str, fleet: Fleet, karrots: CommandLine) -> None:
    places.private_folder(places.rehearsals())
    (places.rehearsals() / f"{new_id()}.json").write_text(text)
    assert listed(karrots, fleet.qa) == []
