"""What `promote`, `rollback` and `rebase` share: a commit that was shown, made by plumbing, and the cluster at it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, TypeVar

from karrots.errors import Refused
from karrots.fleet import operations
from karrots.fleet.ledger import InUse
from karrots.ops.apply import context_for
from karrots.ops.bringup import execute, refuse_leaving
from karrots.ops.preview import Preview, told
from karrots.report.events import Noted, OperationFinished, OperationStarted
from karrots.report.text import count_text
from karrots.steps.moving import ConfirmMove, MoveBranch, Standing, Verify, refuse_disturbed
from karrots.steps.publish import PublishContent
from karrots.steps.syncing import AskFlux, Connect

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from karrots.fleet.record import Record
    from karrots.fleet.workspace import Workspace
    from karrots.ops.settings import Settings
    from karrots.pipeline import Step
    from karrots.steps.context import Context

VERB, CLUSTER, OPERATION = "Karrots-Verb", "Karrots-Cluster", "Karrots-Operation"
FROM, STORY, REVERTS, RESTORES, BRINGS_BACK = (
    "Karrots-From", "Karrots-Story", "Karrots-Reverts", "Karrots-Restores", "Karrots-Brings-Back"
)  # fmt: skip


@dataclass(frozen=True)
class Moved:
    """`preview` is None when there was nothing to move, and the cluster was only looked at.

    `commit` is where the branch is now, '' when nothing was changed; `next` are the commands that follow.
    """

    VERB: ClassVar[str] = ""

    cluster: str
    branch: str
    preview: Preview | None
    commit: str
    flux_ready: int
    flux_objects: int
    next: tuple[str, ...]
    seconds: float


MovedT = TypeVar("MovedT", bound=Moved)


@dataclass(frozen=True)
class Options:
    """`yes` is in `Settings.ask`."""

    timeout: float | None = None
    dry_run: bool = False


@dataclass(frozen=True)
class Plan:
    """A move that can be made: the tree, and what goes into its commit. `commit` is one that is there already."""

    record: Record
    branch: Standing
    preview: Preview | None
    parents: tuple[str, ...] = ()
    subject: str = ""
    trailers: Mapping[str, str] | None = None
    commit: str = ""


def refuse_busy(record: Record) -> None:
    """Raises InUse while an operation works on the cluster, Refused while it goes."""
    refuse_leaving(record)
    if record.operation is not None and not operations.gives_way(record.operation, ""):
        raise InUse(record.name, record.operation, command=f"karrots apply {record.name}")


def refuse_unmovable(workspace: Workspace, plan: Plan) -> None:
    """All that can be known of a move that will not be possible, before anybody is asked for a yes."""
    if plan.preview is not None:
        refuse_unpublished(workspace, plan.branch)
        refuse_in_the_way(plan.branch, plan.preview, plan.record.directory)


def refuse_unpublished(workspace: Workspace, branch: Standing) -> None:
    """Raises Refused where the push would take along what nobody was shown."""
    if branch.ahead:
        count = count_text(len(workspace.repo.commits_between(branch.there, branch.here)), "commit")
        raise Refused(
            f"'{branch.branch}' has {count} that '{workspace.remote}' does not have",
            why="they would be pushed along, and are not what is shown here",
            hint=f"git push {workspace.remote} {branch.branch}",
        )


def refuse_in_the_way(branch: Standing, seen: Preview, top: str) -> None:
    """Raises Refused where the branch is checked out and its files cannot move with it."""
    if branch.folder is None:
        return
    refuse_disturbed(branch.folder, branch.branch)
    added = [f"{top}/{f.path}" for f in seen.files if f.status == "A"]
    added += [f.path for f in seen.elsewhere if f.status == "A"]
    there = [path for path in added if (branch.folder / path).exists()]
    if there:
        raise Refused(
            f"'{there[0]}' is in the way in {branch.folder}",
            why=f"git does not follow it, and '{branch.branch}', which is checked out there, is to bring one",
            hint=f"mv {branch.folder / there[0]} {branch.folder / there[0]}.kept",
        )


def looked(kind: type[MovedT], plan: Plan) -> MovedT:
    """The answer of a dry run."""
    return kind(plan.record.name, plan.branch.branch, plan.preview, "", 0, 0, next_of(plan), 0.0)


def next_of(plan: Plan) -> tuple[str, ...]:
    infrastructure = plan.preview is not None and plan.preview.infrastructure
    return (f"karrots apply {plan.record.name}",) if infrastructure else ()


def message(plan: Plan, run: str, verb: str) -> str:
    trailers = {VERB: verb, CLUSTER: plan.record.name, OPERATION: run, **(plan.trailers or {})}
    lines = [f"{key}: {value}" for key, value in sorted(trailers.items()) if value]
    return "\n".join([plan.subject, "", *lines]) + "\n"


def carry_out(
    kind: type[MovedT], settings: Settings, workspace: Workspace, plan: Plan, options: Options, *,
    before: Sequence[Step[Context]] = (), between: Sequence[Step[Context]] = (), back: str,
) -> MovedT:  # fmt: skip
    """`before` looks at the cluster as it is, `between` comes after the yes and before Flux sees the commit."""
    if plan.preview is not None:
        for line in told(plan.preview):
            settings.reporter.emit(Noted(line))
    verb = kind.VERB
    ctx = context_for(settings, workspace, plan.record, verb, options.timeout)
    _aim(ctx, plan)
    about = f"{plan.branch.branch}@{ctx.commit[:7]}"
    settings.reporter.emit(OperationStarted(verb, plan.record.name, about, ctx.run.id))
    moving: list[Step[Context]] = []
    if plan.preview is not None:
        moving = [*before, ConfirmMove(f"{plan.subject}: move '{plan.branch.branch}' on?"), *between]
    move = MoveBranch(plan.branch.branch, plan.branch.newest, ctx.commit)
    steps: list[Step[Context]] = [Connect(), *moving, move, AskFlux(), Verify(back), PublishContent()]
    execute(steps, ctx)
    return _told_at_the_end(kind, settings, ctx, plan)


def _aim(ctx: Context, plan: Plan) -> None:
    """At the commit that was shown: it names nothing, and nothing names it, until the branch does."""
    repo, seen = ctx.workspace.repo, plan.preview
    commit = plan.commit or plan.branch.newest
    if seen is not None and not plan.commit:
        commit = repo.commit_tree(seen.tree, plan.parents, message(plan, ctx.run.id, ctx.run.verb))
    ctx.spec = ctx.workspace.spec_at(commit, plan.record.directory, plan.record.overrides)
    ctx.commit = ctx.content = ctx.content_commit = commit


def _told_at_the_end(kind: type[MovedT], settings: Settings, ctx: Context, plan: Plan) -> MovedT:
    record, flux, following = plan.record, ctx.flux, next_of(plan)
    summary = f"{record.name} is Ready at {plan.branch.branch}@{ctx.commit[:7]}"
    settings.reporter.emit(
        OperationFinished(kind.VERB, record.name, ctx.run.seconds, ctx.run.expected, summary, following)
    )
    return kind(
        record.name, plan.branch.branch, plan.preview, ctx.commit, flux.ready if flux else 0,
        len(flux.objects) if flux else 0, following, round(ctx.run.seconds, 3),
    )  # fmt: skip


def asked(plan: Plan, workspace: Workspace) -> Plan:
    """And how the cluster does just now."""
    from karrots.ops.listing import flux_count

    if plan.preview is None:
        return plan
    count = flux_count(plan.record, workspace.section(plan.record.provider))
    return replace(plan, preview=replace(plan.preview, flux=count))
