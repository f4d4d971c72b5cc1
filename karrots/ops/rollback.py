"""`karrots rollback`: a commit that takes a change back, and the cluster seen Ready at it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from karrots.adapters import git_merge
from karrots.adapters.git import Tree
from karrots.adapters.git_names import quoted
from karrots.errors import KarrotsError, NotFound, Refused, UsageError
from karrots.fleet.record import from_json
from karrots.fleet.workspace import CLUSTER_FILE
from karrots.ops import moving
from karrots.ops.apply import named
from karrots.ops.moving import CLUSTER, RESTORES, REVERTS, VERB, Moved, Plan
from karrots.ops.preview import Change, MergeConflict, preview
from karrots.steps.moving import holds, standing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from karrots.adapters.git import Commit, Repository
    from karrots.fleet.record import Record
    from karrots.fleet.workspace import Workspace
    from karrots.ops.settings import Settings
    from karrots.steps.moving import Standing

LAST_GOOD = "last-good"
MARKER = re.compile(rb"karrots\.dev/migration[\"']?\s*:\s*([^\r\n]+)")
SHOWN = 3


@dataclass(frozen=True)
class RollbackOptions(moving.Options):
    """`to` is a commit or `last-good`; without it the newest change of the cluster's directory is taken back."""

    to: str | None = None


@dataclass(frozen=True)
class Rollback(Moved):
    """What was, or would be, taken back on the branch that `cluster` follows."""

    VERB: ClassVar[str] = "rollback"


def rollback(settings: Settings, name: str | None, options: RollbackOptions) -> Rollback:
    workspace, record = named(settings, name, fresh=True)
    moving.refuse_busy(record)
    branch = standing(workspace, record.branch)
    plan = (
        taking_back(workspace, record, branch) if options.to is None else back_to(workspace, record, branch, options.to)
    )
    refuse_migration(workspace.repo, plan)
    if options.dry_run:
        return moving.looked(Rollback, moving.asked(plan, workspace))
    moving.refuse_unmovable(workspace, plan)
    back = f"karrots rollback {record.name} --to {LAST_GOOD}"
    return moving.carry_out(Rollback, settings, workspace, plan, options, back=back)


def taking_back(workspace: Workspace, record: Record, branch: Standing) -> Plan:
    """The newest change; our own earlier rollback of it is not taken back again, but seen through."""
    repo = workspace.repo
    changes = repo.commits_between(None, branch.newest, record.directory, most=1, first_parent=True)
    if not changes or repo.resolve(f"{changes[0].id}^1") is None:
        raise Refused(
            f"there is nothing to take back in '{record.directory}'",
            why=f"'{branch.branch}' has no commit before it",
            hint=f"karrots history {record.name}",
        )
    (newest,) = changes
    if newest.trailers.get(VERB) == "rollback" and newest.trailers.get(CLUSTER) == record.name:
        return Plan(record, branch, None)
    done = git_merge.without(repo, branch.newest, newest.id, {branch.newest: branch.branch})
    if done.conflicts:
        raise MergeConflict(
            f"what came after {newest.id[:10]} changed the same, and nothing was changed",
            done.conflicts,
            f"karrots rollback {record.name} --to {newest.id[:10]}^1   (all of it)",
        )
    return _plan(workspace, record, branch, done.tree, [newest], f"Roll back {quoted_subject(newest)}")


def quoted_subject(commit: Commit) -> str:
    return f'"{commit.subject}"'


def back_to(workspace: Workspace, record: Record, branch: Standing, to: str) -> Plan:
    """The directory as it was at a commit, in one commit."""
    repo = workspace.repo
    commit = last_good(workspace, record, branch) if to == LAST_GOOD else _commit(repo, record, branch, to)
    then = repo.tree_id(commit, record.directory)
    if then is None or repo.read(commit, f"{record.directory}/{CLUSTER_FILE}") is None:
        raise UsageError(
            f"'{record.directory}' is not part of commit {commit[:10]}",
            why="a cluster is rolled back to content that it could run",
            hint=f"karrots history {record.name}",
        )
    if then == repo.tree_id(branch.newest, record.directory):
        return Plan(record, branch, None)
    tree = repo.edit_tree(repo.tree_id(branch.newest), {record.directory: Tree(then)})
    taken = repo.commits_between(commit, branch.newest, record.directory, first_parent=True)
    subject = f"Roll {record.name} back to {commit[:10]}"
    return _plan(workspace, record, branch, tree, taken, subject, restores=commit)


def _commit(repo: Repository, record: Record, branch: Standing, to: str) -> str:
    """Raises NotFound for what git does not know, Refused for what the branch never was at."""
    commit = repo.resolve(to)
    if commit is None:
        raise NotFound(f"git knows no commit {quoted(to)}", hint=f"karrots history {record.name}")
    if not holds(repo, branch.newest, commit):
        raise Refused(
            f"{quoted(to)} is no part of '{branch.branch}'",
            why=f"'{record.name}' never ran it, so it would be no way back",
            hint=f"karrots history {record.name}",
        )
    return commit


def last_good(workspace: Workspace, record: Record, branch: Standing) -> str:
    """The newest commit of the branch at which the ledger says that the cluster was Ready. Raises NotFound."""
    repo = workspace.repo
    entries = workspace.known.history(record.name)
    texts = repo.contents([f"{entry.id}:clusters/{record.name}/record.json" for entry in entries])
    seen = dict.fromkeys(_ready_at(record, [text for text in texts if text is not None]))
    found = next((commit for commit in seen if repo.resolve(commit) and holds(repo, branch.newest, commit)), None)
    if found is None:
        raise NotFound(
            f"the ledger knows no commit of '{branch.branch}' at which '{record.name}' was Ready",
            hint=f"karrots rollback {record.name} --to COMMIT   (karrots history {record.name})",
        )
    return found


def _ready_at(record: Record, texts: Sequence[bytes]) -> Iterator[str]:
    for text in texts:
        try:
            then = from_json(text, record.name)
        except KarrotsError:
            continue
        if then.id == record.id and then.phase == "ready" and then.applied is not None:
            yield then.applied.commit


def _plan(
    workspace: Workspace, record: Record, branch: Standing, tree: str, taken: Sequence[Commit], subject: str,
    *, restores: str = "",
) -> Plan:  # fmt: skip
    seen = preview(Change(workspace, record, branch.newest, tree), "", taken)
    trailers = {REVERTS: " ".join(commit.id for commit in taken), RESTORES: restores}
    return Plan(record, branch, seen, (branch.newest,), subject, trailers)


def refuse_migration(repo: Repository, plan: Plan) -> None:
    """Raises Refused where content that migrated data would go: what reads the data does not know its new form."""
    seen = plan.preview
    if seen is None:
        return
    top = plan.record.directory
    paths = [f"{top}/{f.path}" for f in seen.files if f.status != "A"]
    paths += [f.path for f in seen.elsewhere if f.status != "A"]
    before, after = _marked(repo, seen.old, paths), _marked(repo, seen.tree, paths)
    lost = [(path, word) for path, words in before.items() for word in words if word not in after.get(path, ())]
    if lost:
        shown = "\n".join(f"{path}: {word}" for path, word in lost[:SHOWN])
        raise Refused(
            f"'{plan.record.name}' cannot be rolled back over a data migration",
            why=f"{shown}\nthe data has its new form, and what is rolled back to knows the old one",
            hint="bring the data back; then take the line with karrots.dev/migration out on "
            f"{plan.branch.branch}, commit, and roll back\n"
            f"or mend it forwards: commit, then karrots sync {plan.record.name}",
        )


def _marked(repo: Repository, rev: str, paths: Sequence[str]) -> dict[str, list[str]]:
    """What the markers in these files say, by path."""
    plain = [path for path in paths if "\n" not in path]
    texts = repo.contents([f"{rev}:{path}" for path in plain]) if plain else []
    return {
        path: [found.decode("utf-8", "replace").strip().strip("\"'") for found in MARKER.findall(text)]
        for path, text in zip(plain, texts, strict=True)
        if text is not None
    }
