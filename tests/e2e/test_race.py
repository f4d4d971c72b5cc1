"""Twenty people branch one name at once, each from a clone of their own: one wins, the others are told who."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.command_line import PROGRAM
from tests.support.repositories import git

if TYPE_CHECKING:
    from tests.e2e.conftest import World

pytestmark = pytest.mark.engine

PEOPLE = 20
NAME = "qa-contested"


def test_exactly_one_wins(world: World) -> None:
    shared = world.root / "shared.git"
    git(world.root, "clone", "-q", "--bare", str(world.directory.parent.parent), str(shared))
    clones = [world.root / f"clone-{i:02}" for i in range(PEOPLE)]
    for clone in clones:
        git(world.root, "clone", "-q", str(shared), str(clone))
    started = [
        subprocess.Popen(
            [*PROGRAM, "branch", f"story/{i}", NAME, "--wait", "infra", "-o", "json"],
            cwd=clone / "clusters/qa",
            env=world.env
            | {"GIT_AUTHOR_EMAIL": f"person{i}@example.com", "GIT_COMMITTER_EMAIL": f"person{i}@example.com"},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for i, clone in enumerate(clones)
    ]
    answers = [json.loads(p.communicate(timeout=180)[0]) for p in started]
    statuses = [p.returncode for p in started]
    assert sorted(statuses) == [0] + [6] * (PEOPLE - 1), answers
    winner = statuses.index(0)
    assert answers[winner]["name"] == NAME
    losers = [answer for i, answer in enumerate(answers) if i != winner]
    assert all(NAME in loser["message"] and f"person{winner}@example.com" in loser["why"] for loser in losers), losers
    branches = git(shared, "for-each-ref", "--format=%(refname:short)", "refs/heads/story").splitlines()
    assert branches == [f"story/{winner}"], "nobody who lost left a branch behind"
    clone = clones[winner] / "clusters/qa"
    world.karrots("destroy", NAME, "--yes", cwd=clone)
    assert world.processes() == []
