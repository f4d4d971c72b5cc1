"""Merges without a work tree, against git's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from karrots.adapters import git_merge, git_walk
from karrots.errors import Refused, ToolFailed
from karrots.fleet.lineage import missing
from tests.support import repositories
from tests.support.repositories import commit, git

if TYPE_CHECKING:
    from pathlib import Path

    from karrots.adapters.git import Repository
    from karrots.adapters.git_merge import Merged

LINES = "".join(f"{number}\n" for number in range(9))


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """`main` and `story` part after the first commit."""
    return repositories.repository(tmp_path / "fleet", {"text": LINES, "gone": "here\n", "bin": "a\n"})


def two(repo: Repository, ours: dict[str, str], theirs: dict[str, str]) -> Merged:
    git(repo.root, "switch", "-qc", "story")
    second = commit(repo.root, theirs, "Theirs")
    git(repo.root, "switch", "-q", "main")
    first = commit(repo.root, ours, "Ours")
    return git_merge.merged(repo, first, second, {first: "main", second: "story"})


def test_a_clean_merge_is_what_git_makes_of_it(repo: Repository) -> None:
    done = two(repo, {"text": LINES.replace("1\n", "one\n")}, {"text": LINES.replace("8\n", "eight\n"), "new": "x\n"})
    assert done.conflicts == ()
    git(repo.root, "merge", "-q", "--no-edit", "story")
    assert done.tree == repo.tree_id("HEAD")


def test_a_conflict_has_its_hunk_and_the_names_of_the_branches(repo: Repository) -> None:
    done = two(repo, {"text": LINES.replace("4\n", "four\n")}, {"text": LINES.replace("4\n", "IV\n")})
    (conflict,) = done.conflicts
    assert (conflict.path, conflict.kind) == ("text", "contents")
    assert conflict.hunks == "<<<<<<< main\nfour\n=======\nIV\n>>>>>>> story\n"
    assert conflict.message == "CONFLICT (content): Merge conflict in text"


def test_conflicts_that_have_no_hunk_are_told_in_words(repo: Repository) -> None:
    git(repo.root, "switch", "-qc", "story")
    second = commit(repo.root, {"gone": "changed\n", "bin": "b\0\n"}, "Theirs")
    git(repo.root, "switch", "-q", "main")
    git(repo.root, "rm", "-q", "gone")
    first = commit(repo.root, {"bin": "c\0\n"}, "Ours")
    done = git_merge.merged(repo, first, second, {first: "main", second: "story"})
    assert {(each.path, each.hunks) for each in done.conflicts} == {("gone", ""), ("bin", "")}
    assert "deleted in main and modified in story" in " ".join(each.message for each in done.conflicts)


def test_what_cannot_be_merged_is_an_error_and_no_conflict(repo: Repository) -> None:
    with pytest.raises(ToolFailed):
        git_merge.merged(repo, "main", "none", {})


def test_a_merge_is_taken_back_with_what_came_after_it_left(repo: Repository) -> None:
    """As `git revert -m 1` does it."""
    two(repo, {"text": LINES.replace("1\n", "one\n")}, {"text": LINES.replace("8\n", "eight\n"), "new": "x\n"})
    git(repo.root, "merge", "-q", "--no-edit", "story")
    merge = git(repo.root, "rev-parse", "HEAD")
    assert git_merge.without(repo, merge, merge, {}).tree == repo.tree_id("HEAD^1")
    later = commit(repo.root, {"later": "y\n"}, "Later")
    done = git_merge.without(repo, later, merge, {later: "main"})
    git(repo.root, "revert", "--no-edit", "-m", "1", merge)
    assert (done.conflicts, done.tree) == ((), repo.tree_id("HEAD"))


def test_taking_back_what_was_changed_since_is_a_conflict(repo: Repository) -> None:
    first = commit(repo.root, {"text": LINES.replace("4\n", "four\n")})
    later = commit(repo.root, {"text": LINES.replace("4\n", "IV\n")})
    (conflict,) = git_merge.without(repo, later, first, {later: "main"}).conflicts
    assert "IV" in conflict.hunks
    assert f"before {first[:10]}" in conflict.hunks


def test_a_work_tree_is_moved_on_as_a_whole_or_not_at_all(repo: Repository) -> None:
    old = git(repo.root, "rev-parse", "HEAD")
    new = repo.commit_tree(repo.edit_tree(repo.tree_id("HEAD"), {"text": b"new\n"}), (old,), "New\n")
    (repo.root / "text").write_text("mine\n")
    assert git_merge.disturbed(repo.root) == ["text"]
    with pytest.raises(Refused, match="does not move the files"):
        git_merge.fast_forward(repo.root, new)
    assert (git(repo.root, "rev-parse", "HEAD"), (repo.root / "text").read_text()) == (old, "mine\n")
    git(repo.root, "checkout", "-q", "text")
    assert git_merge.disturbed(repo.root) == []
    git_merge.fast_forward(repo.root, new)
    assert (git(repo.root, "rev-parse", "main"), (repo.root / "text").read_text()) == (new, "new\n")
    assert git(repo.root, "status", "--porcelain") == ""


def test_how_far_branches_are_behind_is_what_git_counts(repo: Repository) -> None:
    root = repo.root
    git(root, "switch", "-qc", "story")
    for number in range(3):
        commit(root, {"s": str(number)})
    git(root, "switch", "-q", "main")
    for number in range(5):
        commit(root, {"m": str(number)})
    git(root, "branch", "late", "main~2")
    git(root, "switch", "-q", "story")
    git(root, "merge", "-q", "--no-edit", "main~3")
    heads = {name: git(root, "rev-parse", name) for name in ("main", "story", "late")}
    names = [("story", "main"), ("late", "main"), ("main", "story"), ("main", "main")]
    graph = git_walk.graph(root, heads.values())
    counted = missing(graph, [(heads[part], heads[whole]) for part, whole in names])
    assert counted == [int(git(root, "rev-list", "--count", f"{part}..{whole}")) for part, whole in names]
    assert counted == [3, 2, 4, 0]


def test_what_is_older_than_the_walk_counts_as_held_by_all(repo: Repository) -> None:
    first = git(repo.root, "rev-parse", "HEAD")
    newest = [commit(repo.root, {"m": str(number)}) for number in range(5)][-1]
    graph = git_walk.graph(repo.root, [newest], most=3)
    assert missing(graph, [(first, newest)]) == [3]
