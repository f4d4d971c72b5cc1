"""Which cluster came from which."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from karrots.fleet.record import Record

Graph: TypeAlias = "Mapping[str, tuple[str, ...]]"


@dataclass(frozen=True)
class Node:
    """`gone` names the parent when it does not exist any more."""

    record: Record
    children: list[Node] = field(default_factory=list)
    gone: str | None = None


def forest(records: Iterable[Record]) -> list[Node]:
    """The clusters without a living parent, each with all that came from it; siblings by name."""
    ordered = sorted(records, key=lambda record: record.name)
    living = {record.id: record for record in ordered}
    nodes = {record.id: Node(record, gone=_gone(record, living)) for record in ordered}
    roots: list[Node] = []
    for record in ordered:
        parent = record.parent
        hangs = parent is not None and parent.id in nodes and not _circular(record, living)
        siblings = nodes[parent.id].children if parent is not None and hangs else roots
        siblings.append(nodes[record.id])
    return roots


def live_children(record: Record, records: Iterable[Record]) -> list[Record]:
    """The clusters that were branched from this one, by name."""
    children = (each for each in records if each.parent is not None and each.parent.id == record.id)
    return sorted(children, key=lambda child: child.name)


def walk(nodes: Iterable[Node], depth: int = 0) -> Iterator[tuple[int, Node]]:
    """Depth first, with the depth of each."""
    waiting = [(depth, node) for node in nodes][::-1]
    while waiting:
        level, node = waiting.pop()
        yield level, node
        waiting += [(level + 1, child) for child in reversed(node.children)]


def _gone(record: Record, living: Mapping[str, Record]) -> str | None:
    parent = record.parent
    return parent.name if parent is not None and parent.id not in living else None


def _circular(record: Record, living: Mapping[str, Record]) -> bool:
    """Whether a record is its own ancestor: only a hand-edited ledger says so, and it must not hide clusters."""
    seen = set()
    above = record.parent
    while above is not None and above.id not in seen:
        if above.id == record.id:
            return True
        seen.add(above.id)
        above = living[above.id].parent if above.id in living else None
    return False


def missing(graph: Graph, pairs: Iterable[tuple[str, str]]) -> list[int]:
    """Of each pair of commits, how many the second has and the first has not; what is not in the graph, all have.

    One walk for all pairs: what a commit holds is one number, with a bit for each commit.
    """
    from graphlib import TopologicalSorter

    held: dict[str, int] = {}
    for at, commit in enumerate(TopologicalSorter(graph).static_order()):
        held[commit] = 1 << at if commit in graph else 0
        for parent in graph.get(commit, ()):
            held[commit] |= held[parent]
    return [(held.get(whole, 0) & ~held.get(part, 0)).bit_count() for part, whole in pairs]
