"""`karrots diff A B`: what differs between two clusters, directories or git refs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from karrots.adapters.git_names import quoted
from karrots.diff.sides import File, Setting, compare
from karrots.errors import NotFound
from karrots.fleet import identity
from karrots.fleet.workspace import CLUSTER_FILE, Workspace

if TYPE_CHECKING:
    from karrots.fleet.record import Record
    from karrots.ops.settings import Settings


@dataclass(frozen=True)
class Side:
    """One side of a diff: `rev` and `directory` name the content, `cluster` is set when a cluster was named."""

    label: str
    rev: str
    directory: str
    tree: str
    cluster: str | None = None
    identity: dict[str, str] = field(default_factory=dict)
    overrides: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Difference:
    """`patch` is git's text of the two subtrees; identity and overrides are what belongs to one cluster alone."""

    a: Side
    b: Side
    files: tuple[File, ...]
    patch: str
    identity: tuple[Setting, ...]
    overrides: tuple[Setting, ...]

    @property
    def differs(self) -> bool:
        """Identity always differs between two clusters; only content and overrides count."""
        return bool(self.files or self.overrides)


def diff(settings: Settings, a: str, b: str, *, stat: bool) -> Difference:
    workspace = Workspace.open(settings.start, settings.warn)
    left, right = side(workspace, a), side(workspace, b)
    repo = workspace.repo
    return Difference(
        a=left,
        b=right,
        files=tuple(File(status, path) for status, path in repo.changed_paths(left.tree, right.tree)),
        patch=repo.diff(left.tree, right.tree, stat=stat),
        identity=compare(left.identity, right.identity) if left.cluster and right.cluster else (),
        overrides=compare(left.overrides, right.overrides),
    )


def side(workspace: Workspace, word: str) -> Side:
    """A cluster's name first, then a cluster directory, then a git ref. Raises NotFound."""
    record = workspace.known.find(word)
    if record is not None:
        return of_cluster(workspace, record)
    found = of_directory(workspace, word) or of_ref(workspace, word)
    if found is not None:
        return found
    raise not_found(workspace, word)


def of_cluster(workspace: Workspace, record: Record) -> Side:
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
    variables = identity.variables(record, {})
    return Side(record.name, rev, directory, tree, record.name, variables, dict(record.overrides))


def of_directory(workspace: Workspace, word: str) -> Side | None:
    """clusters/qa, or just qa, at the present HEAD."""
    for directory in (word.strip("/"), f"clusters/{word}"):
        tree = workspace.repo.tree_id("HEAD", directory) if _plain(directory) else None
        if tree is not None and workspace.repo.read("HEAD", f"{directory}/{CLUSTER_FILE}") is not None:
            return Side(directory, "HEAD", directory, tree)
    return None


def of_ref(workspace: Workspace, word: str) -> Side | None:
    """A git ref means the cluster directory we stand in, at that ref; outside of one, all of clusters/."""
    commit = workspace.repo.resolve(word)
    if commit is None:
        return None
    directory = workspace.find_directory() or "clusters"
    tree = workspace.repo.tree_id(commit, directory)
    if tree is None:
        raise NotFound(f"there is no '{directory}' at '{word}'", hint="cd to another cluster directory")
    return Side(f"{word}:{directory}", word, directory, tree)


def _plain(directory: str) -> bool:
    return not {"", ".", ".."}.intersection(directory.split("/")) and not directory.startswith(("-", ":"))


def not_found(workspace: Workspace, word: str) -> NotFound:
    import difflib

    names = [r.name for r in workspace.known.records()]
    near = difflib.get_close_matches(word, names, 1)
    why = f"did you mean '{near[0]}'?" if near else ""
    return NotFound(f"{quoted(word)} is no cluster, no cluster directory and no git ref", why=why, hint="karrots ls")
