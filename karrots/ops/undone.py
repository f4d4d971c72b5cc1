"""Rollbacks of what a story had brought: git holds its commits for merged, and would never bring them again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from karrots.adapters import git_merge
from karrots.errors import Refused
from karrots.ops.moving import BRINGS_BACK, REVERTS, STORY, VERB
from karrots.ops.preview import MergeConflict
from karrots.steps.moving import holds

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from karrots.adapters.git import Commit, Repository


def rolled_back(repo: Repository, cluster: str, story: str, head: str) -> list[Commit]:
    """Those in `head` that took back something of the story, and that nothing has brought back; newest first.

    `cluster` is the id of the story's cluster. Raises Refused for one that took back others' changes too.
    """
    since = repo.commits_between(story, head)
    back = {word for commit in since for word in commit.trailers.get(BRINGS_BACK, "").split()}
    new = {commit.id for commit in since}
    found = [
        each
        for each in since
        if each.trailers.get(VERB) == "rollback"
        and each.id not in back
        and any(_of_story(repo, cluster, story, new, taken) for taken in each.trailers.get(REVERTS, "").split())
    ]
    for each in found:
        _refuse_several(each)
    return found


def _of_story(repo: Repository, cluster: str, story: str, new: Container[str], taken: str) -> bool:
    """A promotion says so itself; a merge by hand is the story's when it brought commits that the story has."""
    commit = repo.commit(taken)
    if commit is not None and STORY in commit.trailers:
        return commit.trailers[STORY] == cluster
    second = repo.resolve(f"{taken}^2")
    return taken in new and second is not None and holds(repo, story, second)


def _refuse_several(commit: Commit) -> None:
    taken = commit.trailers[REVERTS].split()
    if len(taken) > 1:
        raise Refused(
            f"the rollback {commit.id[:10]} took back {len(taken)} changes, and this story is one of them",
            why="git takes the story for merged, and to bring it back would bring the others back too",
            hint=f"git revert {commit.id[:10]}   (on the branch that was rolled back: all of it comes back)",
        )


def brought_back(repo: Repository, head: str, rollbacks: Sequence[Commit], names: Mapping[str, str]) -> str:
    """A commit on top of `head` without these rollbacks, that nothing names; `head` itself where there are none."""
    for each in rollbacks:
        done = git_merge.without(repo, head, each.id, names)
        if done.conflicts:
            raise MergeConflict(
                f"what the rollback {each.id[:10]} took back does not come back by itself",
                done.conflicts,
                f"git revert {each.id[:10]}   (on the branch that was rolled back; mend it, commit)",
            )
        head = repo.commit_tree(done.tree, (head,), f"Without the rollback {each.id[:10]}\n")
    return head
