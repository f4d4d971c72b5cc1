"""`karrots rehearse`: content comes up on a throw-away cluster, what comes of it is told, and nothing is left."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from karrots import clock, computer
from karrots.adapters import git_merge
from karrots.adapters.git import Tree as GitTree
from karrots.adapters.git_names import quoted
from karrots.errors import KarrotsError, NotFound, Refused
from karrots.fleet.addresses import lease
from karrots.fleet.record import Parent, Record, new_id
from karrots.fleet.workspace import Workspace
from karrots.lint import lint
from karrots.lint.tree import Tree
from karrots.lint.walk import walk
from karrots.ops.create import warn_of_changes
from karrots.ops.destroy import applied_content
from karrots.ops.engine import ready as engine_ready
from karrots.pipeline import Pipeline
from karrots.providers import local
from karrots.rehearsal import causes, notices, objects
from karrots.rehearsal.model import Against, Changed, Held, Image, Item, Noticed
from karrots.rehearsal.places import Places
from karrots.report.events import OperationFinished, OperationStarted
from karrots.report.text import count_text
from karrots.spec.identity import IDENTITY_VARIABLES
from karrots.spec.suggest import suggestion
from karrots.steps import fencing, rehearsing
from karrots.steps.content import committed
from karrots.steps.fencing import RaiseFence
from karrots.steps.rehearsing import BringUp, Content, Examine, KeepToItself, Play, Rehearsing
from karrots.steps.syncing import Connect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from karrots.ops.rehearse_terraform import Rehearsed
    from karrots.ops.settings import Settings
    from karrots.pipeline import Step
    from karrots.spec.cluster import ClusterSpec

VERB = "rehearse"
PATIENCE = 300.0
HEAD, BEFORE, AFTER = "HEAD", "before", "after"
STAND_IN = "A rehearsal of what is not committed anywhere\n"


@dataclass(frozen=True)
class Options:
    """`ref` is a commit, `merge` what would be merged into HEAD: at most one of the two. `against` is another side."""

    ref: str = ""
    merge: str = ""
    against: str = ""
    terraform: bool = True
    timeout: float | None = None


@dataclass(frozen=True)
class Rehearsal:
    """`what` is HEAD, or the ref or branch that was named. `terraform` is None where it was left out, and why."""

    directory: str
    what: str
    commit: str
    passed: bool
    verdict: str
    kubernetes: str
    items: tuple[Item, ...]
    noticed: tuple[Noticed, ...]
    against: Against
    changes: tuple[Changed, ...]
    images: tuple[Image, ...]
    held: tuple[Held, ...]
    applied: int
    terraform: Rehearsed | None
    terraform_left_out: str
    seconds: float

    @property
    def pruned(self) -> tuple[Changed, ...]:
        return tuple(each for each in self.changes if each.effect == "vanishes")


@dataclass(frozen=True)
class Subject:
    """What is rehearsed: `word` as it was named, '' for HEAD."""

    workspace: Workspace
    directory: str
    commit: str
    what: str
    branch: str


def rehearse(settings: Settings, options: Options) -> Rehearsal:
    """Raises what stands in the way; what is wrong with the content is in the result."""
    workspace = Workspace.open(settings.start, settings.warn)
    subject = subject_of(settings, workspace, options)
    spec = workspace.spec_at(subject.commit, subject.directory, {})
    receiving = received_by(subject, options)
    before = side_of(workspace, subject, receiving, options)
    engine_ready(settings.reporter)
    run = settings.run(VERB, subject.directory)
    settings.reporter.emit(OperationStarted(VERB, subject.directory, f"{subject.what} · {subject.commit[:10]}", run.id))
    record = throw_away(workspace, subject, receiving)
    shown = placed(workspace, record, spec)
    context = Rehearsing(
        workspace, run, record, local, spec, subject.commit, subject.commit, settings.ask,
        PATIENCE if options.timeout is None else options.timeout, shown=shown,
    )  # fmt: skip
    places = places_of(workspace, subject.commit, subject.directory, spec)
    context.walked = places.walked
    with rehearsing.begun(workspace, record.id) as mark:
        context.mark = mark
        played = _play(context, Content(subject.commit, subject.directory, spec), before, places)
    result = _result(subject, spec, played, before, receiving, options)
    told = with_terraform(settings, workspace, result, spec, shown) if options.terraform else result
    done = replace(told, seconds=round(run.seconds, 3))
    settings.reporter.emit(OperationFinished(VERB, subject.directory, run.seconds, run.expected, done.verdict))
    return done


# What is rehearsed, and against what


def subject_of(settings: Settings, workspace: Workspace, options: Options) -> Subject:
    repo, directory = workspace.repo, workspace.directory()
    head = repo.head()
    if head.commit is None:
        raise NotFound("the repository has no commit yet", why="commits are rehearsed", hint="git add . && git commit")
    branch = head.branch or head.commit[:10]
    if options.ref:
        return Subject(workspace, directory, found(workspace, options.ref), options.ref, branch)
    if options.merge:
        return Subject(
            workspace, directory, merged(workspace, head.commit, branch, options.merge), options.merge, branch
        )
    warn_of_changes(settings, workspace, directory)
    return Subject(workspace, directory, head.commit, HEAD, branch)


def found(workspace: Workspace, word: str) -> str:
    """Raises NotFound for what is no commit."""
    commit = workspace.repo.resolve(word)
    if commit is None:
        names = [ref.removeprefix("refs/heads/") for ref in workspace.repo.refs("refs/heads/")]
        raise NotFound(f"git knows no commit {quoted(word)}{suggestion(word, names)}", hint="git branch --all")
    return commit


def merged(workspace: Workspace, ours: str, branch: str, word: str) -> str:
    """A commit that no ref names, of what the merge would be. Raises Refused where it would not go through."""
    repo, theirs = workspace.repo, found(workspace, word)
    if repo.merge_base(ours, theirs) is None:
        raise Refused(
            f"'{word}' and '{branch}' have no commit in common", why="git merges no unrelated histories", hint="git log"
        )
    done = git_merge.merged(repo, ours, theirs, {ours: branch, theirs: word})
    if done.conflicts:
        raise Refused(
            f"'{word}' does not merge into '{branch}': {count_text(len(done.conflicts), 'conflict')}",
            why="\n".join(f"{each.message}\n{each.hunks}".rstrip() for each in done.conflicts),
            hint=f"git merge {word}   (and settle them there)",
        )
    return repo.commit_tree(done.tree, (ours, theirs), f"Merge {word} into {branch}, as a rehearsal\n")


def received_by(subject: Subject, options: Options) -> Record | None:
    """The cluster that a merge goes to; else the parent of the one that follows the branch, or that one."""
    known = subject.workspace.known.records()
    own = [each for each in known if (each.directory, each.branch) == (subject.directory, subject.branch)]
    if not own:
        return None
    return own[0] if options.merge else subject.workspace.parent_of(own[0]) or own[0]


def side_of(workspace: Workspace, subject: Subject, receiving: Record | None, options: Options) -> Content | None:
    """The other side; None where there is none, or it is the same."""
    if not options.against and receiving is None:
        return None
    commit, directory, overrides = named(workspace, subject, receiving, options.against)
    same = workspace.repo.tree_id(commit, directory) == workspace.repo.tree_id(subject.commit, subject.directory)
    if same and directory == subject.directory:
        return None
    return Content(commit, directory, workspace.spec_at(commit, directory, overrides))


def named(
    workspace: Workspace, subject: Subject, receiving: Record | None, word: str
) -> tuple[str, str, Mapping[str, str]]:
    """Commit, directory and overrides of a cluster, else of a git ref in the same directory. Raises NotFound."""
    record = workspace.known.find(word) if word else receiving
    if record is not None:
        return commit_of(workspace, record), record.directory, record.overrides
    commit = workspace.repo.resolve(word)
    if commit is None:
        names = [each.name for each in workspace.known.records()]
        raise NotFound(f"{quoted(word)} is no cluster and no git ref{suggestion(word, names)}", hint="karrots ls")
    return commit, subject.directory, {}


def commit_of(workspace: Workspace, record: Record) -> str:
    """The head of its branch; where that is gone, a commit of what was last applied, in its place."""
    repo = workspace.repo
    head = repo.branch_commit(record.branch)
    if head is not None:
        return head
    rev, directory = applied_content(repo, record)
    tree = repo.tree_id(rev, directory)
    if tree is None:
        raise NotFound(
            f"neither the branch '{record.branch}' nor what was applied of '{record.name}' is here", hint="git fetch"
        )
    return repo.commit_tree(repo.edit_tree(None, {record.directory: GitTree(tree)}), (), STAND_IN)


def throw_away(workspace: Workspace, subject: Subject, receiving: Record | None) -> Record:
    """The record of a cluster that no ledger hears of. It has a parent, so that it gets a fence."""
    fleet, identity = workspace.settings, workspace.repo.identity()
    parent = Parent(name=receiving.name, id=receiving.id, commit=subject.commit) if receiving else None
    return Record(
        id=new_id(),
        name=rehearsing.NAME,
        directory=subject.directory,
        branch=subject.branch,
        parent=parent or Parent(name="nobody", id="", commit=subject.commit),
        provider=local.NAME,
        domain=f"{rehearsing.NAME}.{fleet.domain}",
        network=lease(fleet.addresses.pool, fleet.addresses.prefix, ()),
        owner=identity[1] if identity else "",
        host=computer.name(),
        created=clock.stamp(clock.now()),
    )


def placed(workspace: Workspace, record: Record, spec: ClusterSpec) -> Record:
    """What content is told of where it lives: as in the cluster that it is for."""
    section = workspace.section(spec.provider)
    if section is None:
        return replace(record, provider=spec.provider)
    return replace(record, provider=spec.provider, region=section.region, account=section.account_id)


def places_of(workspace: Workspace, commit: str, directory: str, spec: ClusterSpec) -> Places:
    files = committed(workspace.repo, commit, directory)
    known = {*IDENTITY_VARIABLES, *spec.variables}
    walked = walk(Tree(files, directory))
    return Places.of(directory, walked, lint(files, directory, known))


# The play itself


@dataclass(frozen=True)
class Played:
    items: tuple[Item, ...]
    noticed: tuple[Noticed, ...]
    changes: tuple[Changed, ...]
    images: tuple[Image, ...]
    held: tuple[Held, ...]
    applied: int
    kubernetes: str
    before_ready: bool


def steps_of(after: Content, before: Content | None, places: Places) -> list[Step[Rehearsing]]:
    """The fence is in force before Flux is given anything."""
    steps: list[Step[Rehearsing]] = [BringUp(), Connect(), KeepToItself(), RaiseFence()]
    if before is not None:
        steps.append(Play(BEFORE, before, "before", "Flux on what is there now"))
    return [*steps, Play(AFTER, after, "after", "Flux on what is rehearsed"), Examine(AFTER, places)]


def _play(ctx: Rehearsing, after: Content, before: Content | None, places: Places) -> Played:
    ctx.end = time.monotonic() + ctx.timeout
    pipeline = Pipeline(steps_of(after, before, places), ctx.run)
    ctx.run.expected = pipeline.usual_total()
    with ctx:
        pipeline.execute(ctx)
        return _found(ctx, places, before)


def _found(ctx: Rehearsing, places: Places, before: Content | None) -> Played:
    seen = ctx.seen[AFTER]
    served = rehearsing.served_by(ctx.api())
    picture = causes.Picture(
        seen.watch.words, seen.unsaid, seen.watch.late, places, served, rehearsing.elsewhere(ctx.api())
    )
    items = tuple(causes.items(picture))
    fence = fencing.Fence.of(ctx)
    held = [each for each in fence.finds if fence.terms.decisions.held(each.kind, each.namespace, each.name)]
    changes = objects.changed(ctx.seen[BEFORE].objects, seen.objects, places) if before else []
    return Played(
        items=items,
        noticed=tuple(notices.of(places, items, ctx.trials, served)),
        changes=tuple(changes),
        images=tuple(objects.images(notices.users(seen.objects, places, items))),
        held=tuple(Held(each.label, each.hold, each.reason, each.path, each.line) for each in sorted(held)),
        applied=len(seen.entries),
        kubernetes=rehearsing.version(ctx.api()),
        before_ready=ctx.seen[BEFORE].well if before else True,
    )


def _result(
    subject: Subject,
    spec: ClusterSpec,
    played: Played,
    before: Content | None,
    receiving: Record | None,
    options: Options,
) -> Rehearsal:
    name = options.against or (receiving.name if receiving else "")
    against = Against(name, before.commit if before else "", same=before is None, ready=played.before_ready)
    noticed = sorted([*played.noticed, *notices.versions(spec.kubernetes, played.kubernetes, subject.directory)])
    passed, verdict = notices.verdict(played.items, noticed, played.changes)
    return Rehearsal(
        directory=subject.directory,
        what=subject.what,
        commit=subject.commit,
        passed=passed,
        verdict=verdict,
        kubernetes=played.kubernetes,
        items=played.items,
        noticed=tuple(noticed),
        against=against if name else Against(),
        changes=played.changes,
        images=played.images,
        held=played.held,
        applied=played.applied,
        terraform=None,
        terraform_left_out="" if options.terraform else "--no-terraform",
        seconds=0.0,
    )


# Terraform is part of it


def with_terraform(
    settings: Settings, workspace: Workspace, result: Rehearsal, spec: ClusterSpec, record: Record
) -> Rehearsal:
    from karrots.ops import rehearse_terraform

    why = rehearse_terraform.not_here(spec.provider)
    if why:
        return replace(result, terraform_left_out=why)
    try:
        played = rehearse_terraform.at_commit(settings, workspace, result.commit, spec, record)
    except KarrotsError as error:
        return replace(result, terraform_left_out=f"{error.message}: {error.why}" if error.why else error.message)
    passed = result.passed and not played.errors
    errors = f"Terraform: {count_text(played.errors, 'error')}; " if played.errors else ""
    return replace(result, terraform=played, passed=passed, verdict=f"{errors}{result.verdict}")
