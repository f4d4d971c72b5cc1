"""`karrots history`: what ran in a cluster and when, as its branch and the ledger tell it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from karrots.errors import KarrotsError, UsageError
from karrots.fleet.record import from_json
from karrots.fleet.workspace import Workspace
from karrots.ops.apply import named
from karrots.ops.moving import OPERATION, VERB

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from karrots.adapters.git import Commit, Repository
    from karrots.fleet.record import Record
    from karrots.ops.settings import Settings

COMMIT, LEDGER = "branch", "ledger"


@dataclass(frozen=True)
class Event:
    """`source` is where it is told: `branch` (a commit of the directory) or `ledger` (what karrots did).

    `commit` is the content's, `before` what it replaced, '' where that is not known; `look` is the command that shows
    it, `run` the id of karrots' run.
    """

    when: str
    who: str
    verb: str
    commit: str
    before: str
    what: str
    source: str
    run: str
    look: str


@dataclass(frozen=True)
class History:
    """Newest first."""

    cluster: str
    directory: str
    branch: str
    events: tuple[Event, ...]


def history(settings: Settings, name: str | None, limit: int) -> History:
    if limit < 1:
        raise UsageError(f"{limit} is no number of entries", hint="karrots history --limit 20")
    workspace = Workspace.open(settings.start, settings.warn)
    told = _told(workspace, name) if name is not None else []
    record = told[0][1] if told else named(settings, name, fresh=False)[1]
    told = told or _told(workspace, record.name)
    repo = workspace.repo
    commits = repo.commits_between(None, record.branch, record.directory, most=limit, first_parent=True)
    found = [*_of_ledger(told), *_of_branch(repo, record, commits)]
    found.sort(key=lambda event: (event.when, event.source == LEDGER), reverse=True)
    return History(record.name, record.directory, record.branch, tuple(found[:limit]))


def _told(workspace: Workspace, name: str) -> list[tuple[Commit, Record]]:
    """The ledger's entries about clusters of that name, newest first, with the record as each left it.

    The last entry of a cluster that is gone has none, and is told with the record before it.
    """
    entries = workspace.known.history(name)
    texts = workspace.repo.contents([f"{entry.id}:clusters/{name}/record.json" for entry in entries])
    told: list[tuple[Commit, Record]] = []
    then: Record | None = None
    for entry, text in zip(reversed(entries), reversed(texts), strict=True):
        then = _read(text, name) or then
        if then is not None:
            told.insert(0, (entry, then))
    return told


def _read(text: bytes | None, name: str) -> Record | None:
    try:
        return from_json(text, name) if text is not None else None
    except KarrotsError:
        return None


def _of_ledger(told: Sequence[tuple[Commit, Record]]) -> Iterator[Event]:
    """One for each run: what its entries say together."""
    seen: set[str] = set()
    for at, (entry, record) in enumerate(told):
        run = entry.trailers.get(OPERATION, "")
        if run and run in seen:
            continue
        seen.add(run)
        earlier = (then for other, then in told[at + 1 :] if not run or other.trailers.get(OPERATION, "") != run)
        began = next(earlier, None)
        yield _entry(entry, run, record, began)


def _entry(entry: Commit, run: str, record: Record, began: Record | None) -> Event:
    commit = record.applied.commit if record.applied else ""
    before = began.applied.commit if began and began.applied and began.id == record.id else ""
    what = entry.subject.partition(": ")[2]
    return Event(
        _stamp(entry), entry.author, entry.trailers.get(VERB, ""), commit, before, what, LEDGER, run,
        _look(record.directory, before, commit) or f"git show {entry.id[:10]}",
    )  # fmt: skip


def _of_branch(repo: Repository, record: Record, commits: Iterable[Commit]) -> Iterator[Event]:
    for commit in commits:
        before = repo.resolve(f"{commit.id}^1") or ""
        verb = commit.trailers.get(VERB, "commit")
        look = _look(record.directory, before, commit.id) or f"git show {commit.id[:10]}"
        run = commit.trailers.get(OPERATION, "")
        yield Event(_stamp(commit), commit.author, verb, commit.id, before, commit.subject, COMMIT, run, look)


def _look(directory: str, before: str, commit: str) -> str:
    if not before or not commit or before == commit:
        return ""
    return f"git diff {before[:10]} {commit[:10]} -- {shlex.quote(f':/{directory}')}"


def _stamp(commit: Commit) -> str:
    return f"{commit.when:%Y-%m-%dT%H:%M:%SZ}"
