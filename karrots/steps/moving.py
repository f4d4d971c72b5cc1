"""A branch goes on to a commit that was shown, and the cluster that follows it is seen Ready there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from karrots.adapters import flux, git_merge
from karrots.errors import Failed, Locked, NotFound, PreflightFailed, Refused, TimedOut
from karrots.pipeline import Done, Needed
from karrots.steps.syncing import WaitReady, until

if TYPE_CHECKING:
    from pathlib import Path

    from karrots.adapters.git import Repository
    from karrots.fleet.workspace import Workspace
    from karrots.steps.context import Context


class MovedMeanwhile(Locked):
    """Somebody was first; the branch is where they put it."""

    def __init__(self, repo: Repository, branch: str, seen: str, now: str | None, command: str) -> None:
        commit = repo.commit(now) if now else None
        by = f" of {commit.author}: {commit.subject}" if commit else ""
        super().__init__(
            f"'{branch}' moved while you looked at it, and nothing was changed",
            why=f"it was at {seen[:10]}, and is at {(now or 'no commit')[:10]}{by}",
            hint=f"{command}   (looks again)",
        )


@dataclass(frozen=True)
class Standing:
    """Where a branch is: `there` at the remote, '' where that has none; `folder` is the work tree that has it."""

    branch: str
    here: str
    there: str = ""
    folder: Path | None = None
    behind: bool = False

    @property
    def newest(self) -> str:
        return self.there if self.behind else self.here

    @property
    def ahead(self) -> bool:
        """Commits here that the remote does not have."""
        return bool(self.there) and not self.behind and self.here != self.there


def standing(workspace: Workspace, branch: str) -> Standing:
    """Asks the remote. Raises NotFound for a branch that is not here, Refused for one that went separate ways."""
    repo, remote, ref = workspace.repo, workspace.remote, f"refs/heads/{branch}"
    tip = repo.tips(ref).get(ref)
    if tip is None:
        hint = f"git fetch {remote or 'origin'} {branch}:{branch}"
        raise NotFound(f"the branch '{branch}' is gone", why=f"it is not in '{repo.root}'", hint=hint)
    there = known_there(repo, remote, branch) if remote is not None else ""
    if not there or there == tip.commit or repo.is_ancestor(there, tip.commit):
        return Standing(branch, tip.commit, there, tip.folder)
    if not repo.is_ancestor(tip.commit, there):
        raise Refused(
            f"'{branch}' here and at '{remote}' went separate ways",
            why=f"it is at {tip.commit[:10]} here, and at {there[:10]} there",
            hint=f"git log --oneline --graph {branch} {there[:10]}",
        )
    return Standing(branch, tip.commit, there, tip.folder, behind=True)


def known_there(repo: Repository, remote: str, branch: str) -> str:
    """The remote's commit of the branch, brought here as `git fetch` would; '' where there is none."""
    there = repo.remote_branch_commit(remote, branch)
    if there is not None and repo.resolve(there) is None:
        repo.fetch(remote, f"+refs/heads/{branch}:refs/remotes/{remote}/{branch}")
    return there or ""


def holds(repo: Repository, head: str | None, commit: str) -> bool:
    return head is not None and (head == commit or repo.is_ancestor(commit, head))


class ReadyBefore:
    """What is broken already says nothing of what a change does to it; `mends` lets the change be the mend.

    Ready once is enough: Flux says Unknown for a moment of what it looks at again.
    """

    name = "before"
    title = "Ready before"

    def __init__(self, *, mends: bool = False) -> None:
        self._mends = mends
        self._seen = ""

    def check(self, ctx: Context) -> Done | Needed:
        if self._mends:
            return Done("may be broken, and this is to mend it")
        return Done(self._seen) if self._seen or self._ready(ctx) else Needed(f"'{ctx.record.name}' to be Ready")

    def run(self, ctx: Context) -> str:
        until(lambda: self._ready(ctx), ctx, f"'{ctx.record.name}' is Ready before anything is changed")
        return self._seen

    def _ready(self, ctx: Context) -> bool:
        """Raises PreflightFailed for a failure, with its first cause."""
        state = flux.state(ctx.api())
        cause = flux.first_cause(state.failed)
        if cause is not None:
            raise PreflightFailed(
                f"'{ctx.record.name}' is not Ready, so nobody could tell what this does to it",
                why=f"{cause.label}: {cause.reason}: {cause.message.strip()}",
                hint=f"karrots status\nor, when this is what mends it: {ctx.run.resume} --mends",
            )
        if all_ready(state):
            self._seen = f"{state.ready} of {len(state.objects)} Ready"
        return bool(self._seen)


def all_ready(state: flux.FluxState) -> bool:
    return bool(state.objects) and all(each.ready for each in state.objects if not each.suspended)


class ConfirmMove:
    """A yes to what was shown."""

    name = "confirm"
    title = "confirm"

    def __init__(self, question: str) -> None:
        self._question = question
        self._answer = ""

    def check(self, ctx: Context) -> Done | Needed:
        return Done(self._answer) if self._answer else Needed("a yes")

    def run(self, ctx: Context) -> str:
        if not ctx.confirm(self._question):
            raise Refused("nothing was changed", why="nobody said yes", hint=ctx.run.resume)
        self._answer = "said yes"
        return self._answer


@dataclass(frozen=True)
class MoveBranch:
    """From what was shown, and from nothing else: at the remote first, where everybody sees it, and then here."""

    branch: str
    old: str
    new: str
    name: str = "move"
    title: str = "git branch"

    @property
    def _ref(self) -> str:
        return f"refs/heads/{self.branch}"

    def check(self, ctx: Context) -> Done | Needed:
        repo, remote = ctx.workspace.repo, ctx.workspace.remote
        there = known_there(repo, remote, self.branch) if remote else ""
        if there and not holds(repo, there, self.new):
            return Needed(f"{self.branch} at {self.new[:10]} on {remote}")
        if not holds(repo, repo.branch_commit(self.branch), self.new):
            return Needed(f"{self.branch} at {self.new[:10]}")
        return Done(f"{self.branch} has {self.new[:10]}")

    def run(self, ctx: Context) -> str:
        repo, remote = ctx.workspace.repo, ctx.workspace.remote
        there = known_there(repo, remote, self.branch) if remote else ""
        pushes = remote is not None and bool(there) and not holds(repo, there, self.new)
        if pushes and remote is not None and not repo.push_swap(remote, self._ref, self.new, self.old):
            raise MovedMeanwhile(repo, self.branch, self.old, known_there(repo, remote, self.branch), ctx.run.resume)
        self._here(ctx)
        return f"{self.branch} at {self.new[:10]}" + (f", pushed to {remote}" if pushes else "")

    def _here(self, ctx: Context) -> None:
        """A branch that is checked out moves together with its files, or not at all."""
        repo = ctx.workspace.repo
        tip = repo.tips(self._ref).get(self._ref)
        if tip is not None and holds(repo, tip.commit, self.new):
            return
        if tip is None or not repo.is_ancestor(tip.commit, self.new):
            raise MovedMeanwhile(repo, self.branch, self.old, tip.commit if tip else None, ctx.run.resume)
        if tip.folder is not None:
            refuse_disturbed(tip.folder, self.branch)
            git_merge.fast_forward(tip.folder, self.new)
        elif not repo.update_ref(self._ref, self.new, tip.commit):
            raise MovedMeanwhile(repo, self.branch, self.old, repo.branch_commit(self.branch), ctx.run.resume)


def refuse_disturbed(folder: Path, branch: str) -> None:
    """Raises Refused where the branch is checked out, and its files would not move with it."""
    if not folder.is_dir():
        raise Refused(
            f"git says that '{branch}' is checked out in {folder}",
            why="there is no such folder any more",
            hint="git worktree prune",
        )
    changed = git_merge.disturbed(folder)
    if changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise Refused(
            f"'{branch}' is checked out in {folder}, with changes that are not committed",
            why=f"its files have to move with it: {', '.join(changed[:3])}{more}",
            hint=f"git -C {folder} stash\nor: git -C {folder} switch --detach   (and nothing there is touched)",
        )


class Verify(WaitReady):
    """Ready at the commit, or the first cause and the way back."""

    def __init__(self, back: str) -> None:
        super().__init__()
        self._back = back

    def run(self, ctx: Context) -> str:
        try:
            return super().run(ctx)
        except (Failed, TimedOut) as error:
            error.hint = "\n".join(filter(None, (f"{self._back}   (the way back)", error.hint or ctx.run.resume)))
            raise
