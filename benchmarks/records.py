"""A ledger full of clusters that were never made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from karrots.adapters.git import Repository
from karrots.fleet.ledger import Ledger
from karrots.fleet.record import Applied, Record, State, new_id, to_json

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.world import World

WHEN = "2026-11-21T07:00:00Z"


def fill(made: World, directory: Path, count: int) -> None:
    """`count` records with ranges and branches of their own, published as one commit of the ledger."""
    repo = Repository.discover(directory)
    commit = repo.head().commit or ""
    found = [record(number, commit) for number in range(count)]
    edits = {f"clusters/{one.name}/record.json": to_json(one).encode() for one in found}
    Ledger(repo).publish(lambda _: edits, "Begin")
    made.git(
        "update-ref", "--stdin", cwd=repo.root, stdin="".join(f"create refs/heads/{r.branch} {commit}\n" for r in found)
    )


def record(number: int, commit: str) -> Record:
    name = f"story-{number}"
    own_id = new_id()
    return Record(
        id=own_id,
        name=name,
        directory="clusters/qa",
        branch=f"feature/{name}",
        provider="local",
        created=WHEN,
        domain=f"{name}.example.com",
        network=f"10.{64 + number // 16}.{number % 16 * 16}.0/20",
        owner="ada@example.com",
        kubernetes="1.36",
        phase="ready",
        applied=Applied(commit=commit, tool="terraform", tool_version="1.11.4", when=WHEN),
        state=State(backend="http", key=own_id),
    )
