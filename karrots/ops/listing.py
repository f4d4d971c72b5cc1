"""`karrots ls`, `status`, `show` and `tree`: the fleet as the ledger and the clusters tell it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from karrots.errors import KarrotsError
from karrots.fleet import lineage
from karrots.fleet.record import to_json
from karrots.fleet.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from karrots.fleet.record import Record
    from karrots.ops.settings import Settings
    from karrots.providers.base import Part
    from karrots.spec.fleet import Cloud


DEEPEST = 64  # generations in one tree; documents of more levels are read and written by few programs


@dataclass(frozen=True)
class Row:
    """One cluster. `flux` is None when it was not asked; `head` is '' when its branch is not in this clone.

    `behind`: commits of the parent's branch that this one does not have; None where there is no parent, or one of the
    branches is not in this clone.
    """

    name: str
    directory: str
    branch: str
    parent: str | None
    provider: str
    phase: str
    applied: str
    head: str
    created: str
    expires: str | None
    owner: str
    host: str
    operation: str | None
    flux: FluxCount | None = None
    behind: int | None = None


@dataclass(frozen=True)
class FluxCount:
    """`reachable` False: the API server gave no answer, `trouble` says why or names the first failure."""

    reachable: bool
    ready: int = 0
    failed: int = 0
    total: int = 0
    at: str = ""
    trouble: str = ""


@dataclass(frozen=True)
class Fleet:
    clusters: tuple[Row, ...]


@dataclass(frozen=True)
class ClusterDetail:
    """All that is known of one cluster."""

    record: dict[str, Any]
    row: Row
    parts: tuple[Part, ...]
    flux: tuple[dict[str, Any], ...]
    commits_ahead: int
    server: str


@dataclass(frozen=True)
class Lineage:
    roots: tuple[LineageNode, ...]


@dataclass(frozen=True)
class LineageNode:
    """`gone_parent` names a parent that no longer lives."""

    name: str
    branch: str
    phase: str
    gone_parent: str | None
    children: tuple[LineageNode, ...]


def known_records(start: Path, *, fetch: bool) -> tuple[Workspace, list[Record]]:
    workspace = Workspace.open(start)
    if fetch:
        workspace.ledger.refresh()
    return workspace, sorted(workspace.known.records(), key=lambda r: r.name)


def ls(settings: Settings, *, fetch: bool = False) -> Fleet:
    """From this clone alone: no cluster is asked."""
    workspace, records = known_records(settings.start, fetch=fetch)
    heads = branch_heads(workspace)
    late = behind(workspace, records, heads)
    return Fleet(tuple(row(record, heads, late.get(record.id)) for record in records))


def status(settings: Settings, *, fetch: bool = False) -> Fleet:
    """As `ls`, and every cluster that can be reached is asked how its Flux does."""
    from concurrent.futures import ThreadPoolExecutor
    from dataclasses import replace

    from karrots.adapters import kube

    workspace, records = known_records(settings.start, fetch=fetch)
    heads = branch_heads(workspace)
    kube.warm()
    sections = [workspace.section(record.provider) for record in records]
    with ThreadPoolExecutor(max_workers=8) as pool:
        counts = list(pool.map(flux_count, records, sections))
    late = behind(workspace, records, heads)
    return Fleet(
        tuple(replace(row(r, heads, late.get(r.id)), flux=count) for r, count in zip(records, counts, strict=True))
    )


def branch_heads(workspace: Workspace) -> dict[str, str]:
    return {ref.removeprefix("refs/heads/"): commit for ref, commit in workspace.repo.refs("refs/heads/").items()}


def behind(workspace: Workspace, records: Iterable[Record], heads: Mapping[str, str]) -> dict[str, int]:
    """By id of the cluster. One question to git for all of them, and none where no parent has moved on."""
    known = list(records)
    living = {record.id: record for record in known}
    pairs = {}
    for record in known:
        parent = living.get(record.parent.id) if record.parent else None
        if parent is not None and record.branch in heads and parent.branch in heads:
            pairs[record.id] = heads[record.branch], heads[parent.branch]
    forks = {record.id: record.parent.commit for record in known if record.parent}
    moved = {name: pair for name, pair in pairs.items() if pair[1] not in (pair[0], forks[name])}
    if not moved:
        return dict.fromkeys(pairs, 0)
    from karrots.adapters import git_walk

    graph = git_walk.graph(workspace.repo.root, sorted({head for pair in moved.values() for head in pair}))
    return {**dict.fromkeys(pairs, 0), **dict(zip(moved, lineage.missing(graph, moved.values()), strict=True))}


def row(record: Record, heads: Mapping[str, str], late: int | None = None) -> Row:
    return Row(
        name=record.name,
        directory=record.directory,
        branch=record.branch,
        parent=record.parent.name if record.parent else None,
        provider=record.provider,
        phase=record.phase,
        applied=record.applied.commit if record.applied else "",
        head=heads.get(record.branch, ""),
        created=record.created,
        expires=record.expires,
        owner=record.owner,
        host=record.host,
        operation=record.operation.verb if record.operation else None,
        behind=late,
    )


def flux_count(record: Record, section: Cloud | None) -> FluxCount:
    from karrots.adapters import flux

    try:
        state = flux_state(record, section)
    except KarrotsError as error:
        return FluxCount(reachable=False, trouble=error.message)
    cause = flux.first_cause(state.failed)
    top = next((o for o in state.objects if o.kind == "Kustomization" and o.name == flux.ROOT), None)
    return FluxCount(
        reachable=True,
        ready=state.ready,
        failed=len(state.failed),
        total=len(state.objects),
        at=top.revision if top else "",
        trouble=f"{cause.label}: {cause.message}" if cause else "",
    )


def flux_state(record: Record, section: Cloud | None):  # type: ignore[no-untyped-def]
    from karrots.adapters import flux
    from karrots.adapters.kube import Kube
    from karrots.errors import NotFound
    from karrots.providers import provider

    access = provider(record.provider).access(record, {}, section)
    if access is None:
        raise NotFound(f"cluster '{record.name}' is not running")
    kube = Kube(access, timeout=5)
    try:
        return flux.state(kube)
    finally:
        kube.close()


def show(settings: Settings, name: str | None) -> ClusterDetail:
    from karrots.ops.apply import named
    from karrots.report.document import plain

    workspace, record = named(settings, name, fresh=False)
    heads = branch_heads(workspace)
    late = behind(workspace, workspace.known.records(), heads)
    objects: list[dict[str, Any]] = []
    section = workspace.section(record.provider)
    count = flux_count(record, section)
    if count.reachable:
        objects = [plain(o) for o in flux_state(record, section).objects]
    return ClusterDetail(
        record=json.loads(to_json(record)),
        row=_with_flux(row(record, heads, late.get(record.id)), count),
        parts=parts_of(record, section),
        flux=tuple(objects),
        commits_ahead=ahead(workspace, record),
        server=_server(record, section),
    )


def parts_of(record: Record, section: Cloud | None) -> tuple[Part, ...]:
    """What the provider sees; a provider this version does not have is no reason to show nothing."""
    from karrots.providers import provider
    from karrots.providers.base import Part

    try:
        return tuple(provider(record.provider).parts(record, section))
    except KarrotsError as error:
        return (Part(record.provider, "unknown", detail=error.message),)


def _with_flux(plain_row: Row, count: FluxCount) -> Row:
    from dataclasses import replace

    return replace(plain_row, flux=count)


def _server(record: Record, section: Cloud | None) -> str:
    from karrots.providers import provider

    try:
        access = provider(record.provider).access(record, {}, section)
    except KarrotsError:
        return ""
    return access.server if access else ""


def ahead(workspace: Workspace, record: Record) -> int:
    """Commits of the branch that are not applied yet; 0 where the branch is not in this clone."""
    head = workspace.repo.branch_commit(record.branch)
    if head is None or record.applied is None:
        return 0
    return len(workspace.repo.commits_between(record.applied.commit, head))


def tree(settings: Settings, *, fetch: bool = False) -> Lineage:
    _, records = known_records(settings.start, fetch=fetch)
    return Lineage(trees(records))


def trees(records: Iterable[Record]) -> tuple[LineageNode, ...]:
    roots: list[LineageNode] = []
    waiting = lineage.forest(records)
    while waiting:
        roots.append(_node(waiting.pop(0), DEEPEST, waiting))
    return tuple(roots)


def _node(node: lineage.Node, levels: int, later: list[lineage.Node]) -> LineageNode:
    """With `levels` generations below it; what comes after them goes to `later`, to begin a tree of its own."""
    record = node.record
    if not levels:
        later += node.children
    children = node.children if levels else []
    below = tuple(_node(child, levels - 1, later) for child in children)
    return LineageNode(record.name, record.branch, record.phase, node.gone, below)
