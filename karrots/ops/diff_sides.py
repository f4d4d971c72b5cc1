"""What the words of `karrots diff` name: a cluster, one of its commits, a cluster directory or a git ref."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from karrots.adapters.git_names import quoted
from karrots.diff.document import Side
from karrots.errors import NotFound, UsageError
from karrots.fleet import identity
from karrots.fleet.workspace import CLUSTER_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from karrots.fleet.record import Record
    from karrots.fleet.workspace import Workspace
    from karrots.spec.cluster import ClusterSpec


@dataclass(frozen=True)
class Subject:
    """A side and what is known of it. `commit` is '' for an applied tree; `runs`: the cluster itself was named."""

    side: Side
    commit: str
    record: Record | None = None
    runs: bool = False

    @property
    def label(self) -> str:
        return self.side.label


def subject(workspace: Workspace, word: str) -> Subject:
    """A cluster's name first, then NAME@COMMIT, a cluster directory, a git ref. Raises NotFound."""
    record = workspace.known.find(word)
    if record is not None:
        return of_cluster(workspace, record)
    found = of_commit(workspace, word) or of_directory(workspace, word) or of_ref(workspace, word)
    if found is not None:
        return found
    raise not_found(workspace, word)


def of_cluster(workspace: Workspace, record: Record) -> Subject:
    """What the cluster follows: its branch's head; where the branch is gone, what was last applied."""
    rev, directory = record.branch, record.directory
    tree = workspace.repo.tree_id(f"refs/heads/{rev}", directory)
    if tree is None:
        rev, directory = "karrots/fleet", f"clusters/{record.name}/applied"
        tree = workspace.repo.tree_id(f"refs/heads/{rev}", directory)
    if tree is None:
        raise NotFound(
            f"neither the branch '{record.branch}' nor an applied tree of '{record.name}' is here", hint="git fetch"
        )
    commit = (workspace.repo.branch_commit(record.branch) or "") if rev == record.branch else ""
    return Subject(_side(record, record.name, rev, directory, tree), commit, record, runs=True)


def _side(record: Record, label: str, rev: str, directory: str, tree: str) -> Side:
    return Side(label, rev, directory, tree, record.name, identity.variables(record, {}), dict(record.overrides))


def of_commit(workspace: Workspace, word: str) -> Subject | None:
    """NAME@COMMIT: the cluster's directory as it was there. None where no cluster has that name."""
    name, at, rev = word.rpartition("@")
    record = workspace.known.find(name) if at and name and rev else None
    if record is None:
        return None
    commit = workspace.repo.resolve(rev)
    if commit is None:
        raise NotFound(f"git knows no commit {quoted(rev)}", hint=f"git log {record.branch}")
    tree = workspace.repo.tree_id(commit, record.directory)
    if tree is None:
        raise NotFound(f"there is no '{record.directory}' at {quoted(rev)}", hint=f"git log -- {record.directory}")
    return Subject(_side(record, word, commit, record.directory, tree), commit, record)


def of_directory(workspace: Workspace, word: str) -> Subject | None:
    """clusters/qa, or just qa, at the present HEAD."""
    for directory in (word.strip("/"), f"clusters/{word}"):
        tree = workspace.repo.tree_id("HEAD", directory) if _plain(directory) else None
        if tree is not None and workspace.repo.read("HEAD", f"{directory}/{CLUSTER_FILE}") is not None:
            return Subject(Side(directory, "HEAD", directory, tree), workspace.repo.resolve("HEAD") or "")
    return None


def of_ref(workspace: Workspace, word: str) -> Subject | None:
    """A git ref means the cluster directory we stand in, at that ref; outside of one, all of clusters/."""
    commit = workspace.repo.resolve(word)
    if commit is None:
        return None
    directory = workspace.find_directory() or "clusters"
    tree = workspace.repo.tree_id(commit, directory)
    if tree is None:
        raise NotFound(f"there is no '{directory}' at '{word}'", hint="cd to another cluster directory")
    return Subject(Side(f"{word}:{directory}", word, directory, tree), commit)


def _plain(directory: str) -> bool:
    return not {"", ".", ".."}.intersection(directory.split("/")) and not directory.startswith(("-", ":"))


def not_found(workspace: Workspace, word: str) -> NotFound:
    names = [record.name for record in workspace.known.records()]
    folders = list(workspace.repo.names("HEAD:clusters"))
    known = dict.fromkeys([*names, *folders, *(f"clusters/{folder}" for folder in folders)])
    near = get_close_matches(word, known, 1)
    why = f"did you mean '{near[0]}'?" if near else ""
    return NotFound(f"{quoted(word)} is no cluster, no cluster directory and no git ref", why=why, hint="karrots ls")


def specification(found: Subject, files: Mapping[str, bytes]) -> ClusterSpec:
    """Of one side's files. Raises UsageError where these are of more than one cluster directory, or of none."""
    from karrots.spec.cluster import load_cluster

    text = files.get(CLUSTER_FILE)
    if text is None:
        raise UsageError(
            f"'{found.label}' is no cluster directory: it has no {CLUSTER_FILE}",
            hint="cd clusters/…   (a git ref then means that directory)",
        )
    return load_cluster(text, f"{found.side.directory}/{CLUSTER_FILE}", found.side.overrides)


def fork(workspace: Workspace, a: Subject, b: Subject) -> str:
    """The commit that both come from: the record's own fork point before what git says; '' where there is none."""
    for child, parent in ((a.record, b.record), (b.record, a.record)):
        left = child.parent if child else None
        if left and parent and left.id == parent.id and workspace.repo.resolve(left.commit):
            return left.commit
    return (workspace.repo.merge_base(a.commit, b.commit) or "") if a.commit and b.commit else ""
