"""`karrots promote`: a story's branch merged into the one its parent follows, and the parent seen Ready there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from karrots.adapters import git_merge
from karrots.errors import NotFound, Refused, UsageError
from karrots.ops import moving
from karrots.ops.apply import named
from karrots.ops.moving import BRINGS_BACK, FROM, REVERTS, STORY, VERB, Moved, Plan
from karrots.ops.preview import Change, MergeConflict, preview
from karrots.ops.undone import brought_back, rolled_back
from karrots.steps.moving import ReadyBefore, holds, standing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from karrots.adapters.git import Commit, Repository
    from karrots.fleet.record import Record
    from karrots.fleet.workspace import Workspace
    from karrots.ops.settings import Settings
    from karrots.steps.moving import Standing


@dataclass(frozen=True)
class PromoteOptions(moving.Options):
    """`into` is the receiving cluster, else the parent; `pr`: only the text of a pull request is wanted.

    `mends`: the receiving cluster may be broken, and this is what mends it.
    """

    into: str | None = None
    pr: bool = False
    mends: bool = False


@dataclass(frozen=True)
class Promotion(Moved):
    """What was, or would be, merged into the branch that `cluster` follows."""

    VERB: ClassVar[str] = "promote"


def promote(settings: Settings, name: str | None, options: PromoteOptions) -> Promotion:
    workspace, record = named(settings, name, fresh=True)
    into = receiving(workspace, record, options)
    moving.refuse_busy(into)
    plan = planned(workspace, record, into)
    if options.dry_run or options.pr:
        return moving.looked(Promotion, moving.asked(plan, workspace) if options.dry_run else plan)
    moving.refuse_unmovable(workspace, plan)
    back = f"karrots rollback {into.name}"
    before = [ReadyBefore(mends=options.mends)]
    return moving.carry_out(Promotion, settings, workspace, plan, options, before=before, back=back)


def receiving(workspace: Workspace, record: Record, options: PromoteOptions) -> Record:
    """Raises NotFound for a parent that is gone, UsageError or Refused for a cluster that can receive nothing."""
    otherwise = "karrots promote {} --into NAME   (karrots ls)"
    into = workspace.known.get(options.into) if options.into else parent_of(workspace, record, otherwise)
    if into.id == record.id:
        raise UsageError(f"'{record.name}' cannot be promoted into itself", hint=f"karrots promote {record.name}")
    refuse_one_branch(record, into)
    if into.protected and options.into is None and not (options.pr or options.dry_run):
        raise Refused(
            f"cluster '{into.name}' is protected",
            why="it has to be named, so that nobody promotes into it by mistake",
            hint=f"karrots promote {record.name} --into {into.name}\n"
            f"or, for others to look at: karrots promote {record.name} --pr",
        )
    return into


def refuse_one_branch(record: Record, other: Record) -> None:
    if other.branch == record.branch:
        raise Refused(
            f"'{record.name}' and '{other.name}' follow the same branch",
            why=f"there is nothing to merge: both follow '{other.branch}'",
            hint=f"karrots sync {other.name}",
        )


def parent_of(workspace: Workspace, record: Record, otherwise: str) -> Record:
    """Raises UsageError for a cluster without a parent, NotFound for one whose parent is gone.

    `otherwise` is the command for such a cluster.
    """
    if record.parent is None:
        raise UsageError(f"'{record.name}' was branched from no cluster", hint=otherwise.format(record.name))
    found = workspace.parent_of(record)
    if found is None:
        raise NotFound(
            f"the parent '{record.parent.name}' of '{record.name}' is gone",
            why="it was destroyed" + (", and another cluster has its name" if _named_anew(workspace, record) else ""),
            hint=otherwise.format(record.name),
        )
    return found


def _named_anew(workspace: Workspace, record: Record) -> bool:
    return record.parent is not None and workspace.known.find(record.parent.name) is not None


def planned(workspace: Workspace, record: Record, into: Record) -> Plan:
    """Raises Refused for a story without commits, MergeConflict with git's hunks."""
    repo = workspace.repo
    source, target = standing(workspace, record.branch), standing(workspace, into.branch)
    refuse_strangers(workspace, source, target)
    back = rolled_back(repo, record.id, source.newest, target.newest)
    merges = not holds(repo, target.newest, source.newest)
    if not merges and not back:
        refuse_empty(record, source, into)
        return Plan(into, target, None)
    names = {source.newest: source.branch, target.newest: target.branch}
    ours = brought_back(repo, target.newest, back, names)
    tree = merged_tree(repo, ours, source.newest, names, record, into) if merges else repo.tree_id(ours) or ""
    commits: list[Commit] = repo.commits_between(target.newest, source.newest)
    refuse_taken_out(repo, commits, into)
    behind = len(repo.commits_between(source.newest, target.newest))
    undone = [commit.id for commit in back]
    seen = preview(
        Change(workspace, into, target.newest, tree), record.name, commits,
        copy=record, behind=behind, brings_back=undone,
    )  # fmt: skip
    return Plan(
        into, target, seen, (target.newest, source.newest) if merges else (target.newest,),
        f"Promote {record.name} into {into.name}", {FROM: record.name, STORY: record.id, BRINGS_BACK: " ".join(undone)},
    )  # fmt: skip


def refuse_strangers(workspace: Workspace, one: Standing, other: Standing) -> None:
    if workspace.repo.merge_base(one.newest, other.newest) is None:
        raise Refused(
            f"'{one.branch}' and '{other.branch}' have no commit in common",
            why="they began apart, so nobody can say what a merge of them means",
            hint=f"git log --oneline --graph {one.branch} {other.branch}",
        )


def refuse_empty(record: Record, source: Standing, into: Record) -> None:
    """Raises Refused where nothing was ever committed on the story; what is merged already is no error."""
    fork = record.parent.commit if record.parent is not None else ""
    if source.newest == fork:
        raise Refused(
            f"'{record.name}' has nothing to promote",
            why=f"no commit was made on '{source.branch}' since it left '{into.name}' at {fork[:10]}",
            hint=f"git switch {source.branch}   (change something there, and commit)",
        )


def refuse_taken_out(repo: Repository, commits: Sequence[Commit], into: Record) -> None:
    """Raises Refused for a story that took back what a rebase had brought: a merge takes it out of the parent too."""
    for each in commits:
        taken = each.trailers.get(REVERTS, "").split() if each.trailers.get(VERB) == "rollback" else []
        if any(found is not None and found.trailers.get(VERB) == "rebase" for found in map(repo.commit, taken)):
            raise Refused(
                f"the story took back what came from '{into.name}', and would take it out there too",
                why=f"{each.id[:10]} {each.subject}",
                hint=f"git revert {each.id[:10]}   (on the story; what is wrong with it is mended there)",
            )


def merged_tree(
    repo: Repository, ours: str, theirs: str, names: Mapping[str, str], story: Record, parent: Record
) -> str:
    """Raises MergeConflict, which says how the story is mended."""
    done = git_merge.merged(repo, ours, theirs, names)
    if done.conflicts:
        raise MergeConflict(
            f"'{story.branch}' and '{parent.branch}' changed the same, and nothing was changed",
            done.conflicts,
            f"git switch {story.branch} && git merge {parent.branch}   (mend it, commit)\n"
            f"then: karrots sync {story.name}",
        )
    return done.tree
