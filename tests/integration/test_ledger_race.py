"""Many people at once: separate processes, separate clones, one bare remote."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from karrots.adapters.git import Repository
from karrots.fleet.addresses import overlapping
from karrots.fleet.ledger import REF, Ledger
from tests.support.repositories import bare_remote, clone, git, repository

ROOT = Path(__file__).parents[2]
PEOPLE = 20


def race(folders: list[Path], remote: str, names: list[str], gate: Path) -> list[dict[str, str]]:
    """What came of each claim; all start when the gate opens."""
    claimers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.support.claimer", str(folder), remote, name, f"person-{place}", str(gate)],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for place, (folder, name) in enumerate(zip(folders, names, strict=True))
    ]  # fmt: skip
    for each in claimers:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    gate.touch()
    ended = [each.communicate() for each in claimers]
    assert [each.returncode for each in claimers] == [0] * len(claimers), "\n".join(stderr for _, stderr in ended)
    return [json.loads(stdout) for stdout, _ in ended]


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    return bare_remote(tmp_path / "fleet.git", repository(tmp_path / "first").root)


@pytest.fixture
def clones(bare: Path, tmp_path: Path) -> list[Path]:
    return [clone(bare, tmp_path / f"clone-{place}").root for place in range(PEOPLE)]


def fsck(folder: Path) -> None:
    assert git(folder, "fsck", "--strict", "--no-dangling") == ""


def test_of_twenty_who_claim_one_name_one_wins_and_nineteen_are_told_who(
    bare: Path, clones: list[Path], tmp_path: Path
) -> None:
    told = race(clones, "origin", ["qa-story"] * PEOPLE, tmp_path / "gate")
    (winner,) = [each for each in told if "won" in each]
    losers = [each for each in told if "won" not in each]
    assert len(losers) == PEOPLE - 1
    assert {each["lost_to"] for each in losers} == {winner["owner"]}
    assert all(f"{winner['owner']} has it for the branch 'feature/qa-story' since" in each["said"] for each in losers)

    for folder in clones:
        ledger = Ledger(Repository.discover(folder), "origin")
        ledger.refresh()
        assert [(each.id, each.owner) for each in ledger.records()] == [(winner["won"], winner["owner"])]
    assert len(git(bare, "rev-list", REF).splitlines()) == 1
    fsck(bare)


def test_twenty_who_claim_twenty_names_all_get_them_and_ranges_of_their_own(
    bare: Path, clones: list[Path], tmp_path: Path
) -> None:
    names = [f"qa-story-{place}" for place in range(PEOPLE)]
    told = race(clones, "origin", names, tmp_path / "gate")
    assert all("won" in each for each in told)
    check_all_there(Ledger(Repository.discover(clones[0]), "origin"), names)
    assert len(git(bare, "rev-list", REF).splitlines()) == PEOPLE
    fsck(bare)


def test_twenty_in_one_clone_without_a_remote(tmp_path: Path) -> None:
    repo = repository(tmp_path / "fleet")
    names = [f"qa-story-{place}" for place in range(PEOPLE)]
    told = race([repo.root] * PEOPLE, "", names, tmp_path / "gate")
    assert all("won" in each for each in told)
    check_all_there(Ledger(repo), names)
    told = race([repo.root] * PEOPLE, "", ["one"] * PEOPLE, tmp_path / "second-gate")
    assert len([each for each in told if "won" in each]) == 1
    fsck(repo.root)


def test_ten_in_one_clone_with_a_remote(bare: Path, tmp_path: Path) -> None:
    repo = clone(bare, tmp_path / "shared")
    names = [f"qa-story-{place}" for place in range(10)]
    told = race([repo.root] * 10, "origin", names, tmp_path / "gate")
    assert all("won" in each for each in told)
    check_all_there(Ledger(repo, "origin"), names)
    fsck(repo.root)


def check_all_there(ledger: Ledger, names: list[str]) -> None:
    ledger.refresh()
    records = ledger.records()
    assert [each.name for each in records] == sorted(names)
    networks = [each.network for each in records]
    assert not any(overlapping(a, b) for place, a in enumerate(networks) for b in networks[:place])
