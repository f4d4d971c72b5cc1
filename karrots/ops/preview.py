"""What a change of a cluster's branch would do, before anything is done: from git and from the records alone."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from karrots import places
from karrots.diff.sides import File
from karrots.errors import Refused
from karrots.fleet.workspace import CLUSTER_FILE
from karrots.render import terraform as rendering
from karrots.report.text import count_text
from karrots.steps.content import TERRAFORM, committed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from karrots.adapters.git import Commit
    from karrots.adapters.git_merge import Conflict
    from karrots.fleet.record import Record
    from karrots.fleet.workspace import Workspace
    from karrots.ops.listing import FluxCount
    from karrots.spec.cluster import ClusterSpec

SHOWN = 12
LARGEST_PATCH = 20_000  # characters
NOT_SHOWN = "what Terraform would replace or destroy is not part of this: 'karrots apply' plans it, and asks"


class MergeConflict(Refused):
    """Both sides changed the same; `conflicts` are git's."""

    def __init__(self, message: str, conflicts: Sequence[Conflict], hint: str) -> None:
        parts = [f"{each.message}\n{each.hunks}".rstrip() for each in conflicts]
        super().__init__(message, why="\n".join(parts), hint=hint)
        self.conflicts = tuple(conflicts)


@dataclass(frozen=True)
class CommitRow:
    id: str
    subject: str
    author: str
    when: str


@dataclass(frozen=True)
class Acting:
    """Something the fence held on the copy, which nothing holds on the cluster that gets it."""

    what: str
    reason: str
    path: str
    line: int


@dataclass(frozen=True)
class Preview:
    """`cluster` is the one whose `branch` moves, from `old`.

    `source` is the cluster that the commits come from, '' when they are taken back.
    `files` are those of its directory, by their path below that; `elsewhere` the others of the repository, `also` the
    clusters that follow the branch too and whose directory changes. `infrastructure` are files of the Terraform root as
    it is rendered from each side. `brings_back` are rollbacks that it undoes. `flux` is None when it was not asked.
    """

    cluster: str
    source: str
    branch: str
    old: str
    tree: str
    behind: int
    commits: tuple[CommitRow, ...]
    files: tuple[File, ...]
    elsewhere: tuple[File, ...]
    also: tuple[str, ...]
    infrastructure: tuple[File, ...]
    infrastructure_patch: str
    acts: tuple[Acting, ...]
    brings_back: tuple[str, ...] = ()
    flux: FluxCount | None = None


@dataclass(frozen=True)
class Change:
    """The branch of `record` is to go from the commit `old` to the tree `tree`."""

    workspace: Workspace
    record: Record
    old: str
    tree: str

    def files(self) -> tuple[list[File], list[File]]:
        """Those of the cluster's directory, by their path below it, and the others."""
        top = f"{self.record.directory}/"
        found = self.workspace.repo.changed_paths(f"{self.old}^{{tree}}", self.tree)
        own = [File(status, path.removeprefix(top)) for status, path in found if path.startswith(top)]
        return own, [File(status, path) for status, path in found if not path.startswith(top)]

    def also(self, elsewhere: Sequence[File], own: Sequence[File]) -> Iterator[str]:
        for each in self.workspace.known.records():
            if each.branch != self.record.branch or each.id == self.record.id:
                continue
            touched = any(file.path.startswith(f"{each.directory}/") for file in elsewhere)
            if touched or (own and each.directory == self.record.directory):
                yield each.name

    def spec(self, rev: str) -> ClusterSpec:
        return self.workspace.spec_at(rev, self.record.directory, self.record.overrides)

    def infrastructure(self, own: Sequence[File]) -> tuple[tuple[File, ...], str]:
        """What differs between the roots as they are rendered, or as they stand where they are kept by hand."""
        if not any(file.path == CLUSTER_FILE or file.path.startswith(TERRAFORM) for file in own):
            return (), ""
        before, after = self._root(self.old), self._root(self.tree)
        paths = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
        patch = "".join(_patch(path, before.get(path, ""), after.get(path, "")) for path in paths)
        shown = patch if len(patch) <= LARGEST_PATCH else f"{patch[:LARGEST_PATCH]}…\n"
        return tuple(File(_status(path, before, after), path) for path in paths), shown

    def _root(self, rev: str) -> Mapping[str, str]:
        spec, provider = self.spec(rev), self.record.provider
        if spec.terraform == "rendered" or spec.provider != provider:
            backend = self.workspace.backend(provider)
            return rendering.render(spec, places.templates() / provider, backend)
        held = committed(self.workspace.repo, rev, f"{self.record.directory}/{TERRAFORM}")
        return {path: data.decode("utf-8", "replace") for path, data in held.items()}

    def acts(self, copy: Record, own: Sequence[File]) -> Iterator[Acting]:
        """What the copy's fence holds of the new content, and what this cluster does not have as it is already."""
        changed = {file.path for file in own}
        if not any(path.startswith("flux/") for path in changed):
            return
        from karrots.steps import fencing

        directory = self.record.directory
        before = fencing.fence_of(self.workspace, self.spec(self.old), copy, self.old, directory)
        after = fencing.fence_of(self.workspace, self.spec(self.tree), copy, self.tree, directory)
        known = {(each.kind, each.namespace, each.name) for each in before.finds if each.path not in changed}
        held = after.terms.decisions.held
        for each in sorted(after.finds):
            key = (each.kind, each.namespace, each.name)
            if key not in known and held(*key):
                yield Acting("/".join(filter(None, key)), each.reason, each.path, each.line)


def preview(
    change: Change, source: str, commits: Sequence[Commit], *, copy: Record | None = None,
    behind: int = 0, brings_back: Sequence[str] = (), flux: FluxCount | None = None,
) -> Preview:  # fmt: skip
    """`copy` is the cluster that had the change behind its fence."""
    own, elsewhere = change.files()
    infrastructure, patch = change.infrastructure(own)
    return Preview(
        cluster=change.record.name,
        source=source,
        branch=change.record.branch,
        old=change.old,
        tree=change.tree,
        behind=behind,
        commits=tuple(map(row_of, commits)),
        files=tuple(own),
        elsewhere=tuple(elsewhere),
        also=tuple(sorted(change.also(elsewhere, own))),
        infrastructure=infrastructure,
        infrastructure_patch=patch,
        acts=tuple(change.acts(copy, own)) if copy is not None and copy.parent is not None else (),
        brings_back=tuple(brings_back),
        flux=flux,
    )


def row_of(commit: Commit) -> CommitRow:
    return CommitRow(commit.id, commit.subject, commit.author, f"{commit.when:%Y-%m-%dT%H:%M:%SZ}")


def _patch(path: str, before: str, after: str) -> str:
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), f"a/{path}", f"b/{path}"
    )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _status(path: str, before: Mapping[str, str], after: Mapping[str, str]) -> str:
    return "A" if path not in before else "D" if path not in after else "M"


def told(seen: Preview) -> Iterator[str]:
    """A line for each thing, what is risky first."""
    where = f"{seen.branch} at {seen.old[:10]}"
    title = f"{seen.source} → {seen.cluster}" if seen.source else f"{seen.cluster} takes back"
    yield f"{title}: {count_text(len(seen.commits), 'commit')}, {where}"
    yield from _of_infrastructure(seen)
    yield from _some("will act, and was held by the fence", [f"{a.what}: {a.reason} ({a.path})" for a in seen.acts])
    yield from _some("brings back what was rolled back by", [commit[:10] for commit in seen.brings_back])
    yield from _some("also followed by", seen.also)
    yield from _some("commits", [f"{c.id[:10]} {c.subject} ({c.author})" for c in seen.commits])
    yield from _some(f"files of {seen.cluster}", [f"{f.status} {f.path}" for f in seen.files])
    yield from _some("files elsewhere", [f"{f.status} {f.path}" for f in seen.elsewhere])
    if not seen.files:
        yield f"nothing of it is in the directory of '{seen.cluster}'"
    if seen.behind:
        yield f"{seen.source} is {count_text(seen.behind, 'commit')} behind: karrots rebase {seen.source}"
    yield from _of_flux(seen)


def _of_infrastructure(seen: Preview) -> Iterator[str]:
    if seen.infrastructure:
        yield from _some("infrastructure changes", [f"{f.status} {f.path}" for f in seen.infrastructure])
        yield NOT_SHOWN


def _of_flux(seen: Preview) -> Iterator[str]:
    if seen.flux is None:
        return
    if not seen.flux.reachable:
        yield f"'{seen.cluster}' does not answer, so whether it is Ready is not known: {seen.flux.trouble}"
    elif seen.flux.ready < seen.flux.total:
        first = f": {seen.flux.trouble}" if seen.flux.trouble else ""
        yield f"'{seen.cluster}' is not Ready ({seen.flux.ready} of {seen.flux.total}){first}"


def _some(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield f"{title}:"
        yield from (f"  {line}" for line in lines[:SHOWN])
        if len(lines) > SHOWN:
            yield f"  and {len(lines) - SHOWN} more"
