"""The ledger: branch `karrots/fleet`, all records of a fleet, published by compare-and-swap of that one ref.

    clusters/NAME/record.json
    clusters/NAME/applied/      the directory's tree as last applied, the same git object
    gone/NAME-ID.json           receipts

With a remote, its ref is the truth: a push that expects the value we read is the commit point, and the branch here
follows. Without one the same swap is done here. Neither work tree nor index is touched.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from functools import cached_property
from random import SystemRandom
from typing import TYPE_CHECKING, Any, TypeAlias

from karrots import clock
from karrots.adapters.git import Tree
from karrots.adapters.git_names import quoted
from karrots.errors import Failed, KarrotsError, Locked, NotFound, Refused
from karrots.fleet import operations, turns
from karrots.fleet.addresses import overlapping
from karrots.fleet.names import is_name
from karrots.fleet.record import from_json, to_json
from karrots.spec import json_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from karrots.adapters.git import Commit, Repository, Tip
    from karrots.fleet.record import Operation, Phase, Record

BRANCH = "karrots/fleet"
REF = f"refs/heads/{BRANCH}"
KEPT = "refs/karrots/applied"
PATIENCE = 60.0  # seconds of losing the race, with nobody getting on, before we say so
ENDURANCE = 10  # times that, while others get on
UNKNOWN = "(unknown)"
ID_LENGTH = 26  # of a ULID, in the name of a receipt

README = b"""# Fleet ledger

Written by karrots. Each folder below clusters/ is one cluster: record.json says what it is and who
works on it, applied/ is its directory as it was last applied. gone/ holds the receipts of destroyed
clusters. Read it with git; change it with karrots only.
"""

Edit: TypeAlias = "Mapping[str, bytes | Tree | None]"


@dataclass(frozen=True)
class Entry:
    """One commit of the ledger."""

    edits: Edit
    message: str
    trailers: Mapping[str, str]

    def text(self) -> str:
        """[skip ci] because most CI systems would otherwise start a pipeline for each entry."""
        lines = [f"{key}: {' '.join(value.split())}" for key, value in sorted(self.trailers.items()) if value]
        return "\n".join([self.message, "", "[skip ci]", "", *lines]).rstrip() + "\n"


class NameTaken(Locked):
    """The name of a cluster belongs to somebody; `record` is theirs."""

    def __init__(self, record: Record) -> None:
        super().__init__(
            f"the name '{record.name}' is taken",
            why=f"{record.owner or 'somebody'} has it for the branch '{record.branch}' since {record.created}",
            hint=f"choose another name, or look at it: karrots show {record.name}",
        )
        self.record = record


class InUse(Locked):
    """Somebody works on the cluster; `operation` is theirs, `command` the one that was refused."""

    def __init__(self, name: str, operation: Operation, *, take_over: str = "", command: str = "") -> None:
        other = f"; what was typed after {operations.TAKE_OVER} is not its id" if take_over != operation.id else ""
        super().__init__(
            f"'{name}' is being worked on",
            why=operations.described(operation) + (other if take_over else ""),
            hint=operations.way_on(operation, name, command),
        )
        self.operation = operation


class LostCluster(Locked):
    """An operation was taken for dead, or stopped for longer than its lease, and somebody else has the cluster now."""

    def __init__(self, name: str, holder: str, since: str, why: str) -> None:
        super().__init__(
            f"lost the cluster '{name}' to {holder}, since {since}",
            why=f"{why}; nothing was written",
            hint=f"karrots show {name}",
        )


class RangeTaken(Locked):
    """The address range a cluster was to get belongs to another."""

    def __init__(self, record: Record, other: Record) -> None:
        super().__init__(
            f"the address range {record.network} cannot be had for '{record.name}'",
            why=f"it overlaps {other.network} of '{other.name}'",
            hint=f"leave the range to karrots, or look at the other: karrots show {other.name}",
        )
        self.other = other


@dataclass(frozen=True)
class Ends:
    """The ledger here, and at the remote as last seen."""

    here: Tip | None
    there: Tip | None


class View:
    """The ledger at one commit, None when there is none yet. Reads lazily, and each thing once."""

    def __init__(self, repo: Repository, commit: str | None) -> None:
        self._repo = repo
        self.commit = commit

    @cached_property
    def records(self) -> list[Record]:
        """By name."""
        folders = sorted(self._names("clusters").items())
        # By the id of each folder: from the top, git would search the whole list of clusters once for each.
        found = self._repo.contents([f"{folder}:record.json" for _, folder in folders]) if folders else []
        named = zip((name for name, _ in folders), found, strict=True)
        return [_read(name, data) for name, data in named if data is not None]

    def find(self, name: str) -> Record | None:
        if self.commit is None or not is_name(name):
            return None
        if "records" in vars(self):
            return next((record for record in self.records if record.name == name), None)
        data = self._repo.read(self.commit, _path(name))
        return _read(name, data) if data is not None else None

    def get(self, name: str) -> Record:
        """Raises NotFound, which names those that are nearly the same."""
        record = self.find(name)
        if record is None:
            raise _no_cluster(name, self.cluster_names())
        return record

    def cluster_names(self) -> list[str]:
        return sorted(self._names("clusters"))

    def applied(self, name: str) -> str | None:
        """Id of the tree last applied."""
        return self._repo.tree_id(self.commit, f"clusters/{name}/applied") if self.commit else None

    def receipts(self) -> list[dict[str, Any]]:
        """Oldest first."""
        ordered = sorted(self._names("gone").items(), key=lambda item: _receipt_name(item[0])[1])
        found = self._repo.contents([blob for _, blob in ordered]) if ordered else []
        return [_receipt(name, data or b"") for (name, _), data in zip(ordered, found, strict=True)]

    def receipt(self, name_or_id: str) -> dict[str, Any] | None:
        """The newest one of that name, or the one of that id."""
        matching = [file for file in self._names("gone") if name_or_id in _receipt_name(file)]
        if not matching or self.commit is None:
            return None
        newest = max(matching, key=lambda file: _receipt_name(file)[1])
        return _receipt(newest, self._repo.read(self.commit, f"gone/{newest}") or b"")

    def last_change(self, name: str) -> Commit | None:
        """The newest entry about clusters of that name."""
        found = self._repo.commits_between(None, self.commit, f"clusters/{name}", most=1) if self.commit else []
        return found[0] if found else None

    def newest_id_gone(self, name: str) -> str:
        """Of the destroyed clusters of that name; '' when there is none."""
        gone = map(_receipt_name, self._names("gone"))
        return max((cluster_id for of, cluster_id in gone if of == name), default="")

    def _names(self, folder: str) -> dict[str, str]:
        return self._repo.names(f"{self.commit}:{folder}") if self.commit else {}


@dataclass(frozen=True)
class Ledger:
    """`remote` is the name of the git remote the fleet shares, None when there is none."""

    repo: Repository
    remote: str | None = None

    # Reading: what is here already, never the network

    def view(self) -> View:
        return View(self.repo, self.repo.refs(REF).get(REF))

    def records(self) -> list[Record]:
        return self.view().records

    def find(self, name: str) -> Record | None:
        return self.view().find(name)

    def get(self, name: str) -> Record:
        """Raises NotFound, which names those that are nearly the same."""
        return self.view().get(name)

    def applied(self, name: str) -> str | None:
        return self.view().applied(name)

    def receipts(self) -> list[dict[str, Any]]:
        return self.view().receipts()

    def receipt(self, name_or_id: str) -> dict[str, Any] | None:
        """The newest one of that name, or the one of that id."""
        return self.view().receipt(name_or_id)

    def history(self, name: str, *, most: int = 200) -> list[Commit]:
        """What was done to clusters of that name, newest first."""
        return self.repo.commits_between(None, REF, f"clusters/{name}", most=most) if is_name(name) else []

    # Following the remote

    @property
    def _tracking(self) -> str:
        """What the remote's ledger was when last seen; a ref of our own, whatever the user's fetch settings are."""
        return f"refs/karrots/remotes/{self.remote}/fleet"

    def refresh(self) -> None:
        """Bring the ledger here to the remote's; nothing happens where the remote has none.

        Raises Failed when both went separate ways.
        """
        if self.remote is None:
            return
        # A pattern, because fetching a ref by its name fails where the remote has none.
        spec = f"+refs/heads/karrots/*:refs/karrots/remotes/{self.remote}/*"
        self.repo.fetch(self.remote, spec, prune=True)
        self._follow()

    def _follow(self) -> Ends:
        """Move the branch here on to what is known of the remote's."""
        while True:
            ends = self._ends()
            here, there = ends.here, ends.there
            if there is None or (here is not None and self._holds(here, there)):
                return ends
            if here is not None and not self._holds(there, here):
                raise self._diverged()
            _refuse_checked_out(here)
            self.repo.update_ref(REF, there.commit, here.commit if here else None)

    def _ends(self) -> Ends:
        if self.remote is None:
            return Ends(self.repo.tips(REF).get(REF), None)
        tips = self.repo.tips(REF, self._tracking)
        return Ends(tips.get(REF), tips.get(self._tracking))

    def _holds(self, tip: Tip, other: Tip) -> bool:
        """Whether `other` is part of the history of `tip`: the ledger here may be older than the remote, and ahead."""
        return tip.commit == other.commit or self.repo.is_ancestor(other.commit, tip.commit)

    def _diverged(self) -> Failed:
        return Failed(
            f"the ledger here and the one at '{self.remote}' went separate ways",
            why="somebody committed to it by hand, or it was made anew at the remote",
            hint=f"git log --oneline --graph {BRANCH} {self._tracking}",
        )

    # Publishing

    def publish(
        self, edit: Callable[[View], Edit], message: str, trailers: Mapping[str, str] | None = None
    ) -> str | None:
        """Apply `edit` to the newest ledger and publish it; `edit` is called anew each time somebody was first.

        What `edit` raises ends it, and only once it saw the newest ledger. Gives the ledger's commit; an edit that
        changes nothing publishes nothing.
        """
        return self._publish(lambda view: Entry(edit(view), message, trailers or {}))

    def _publish(self, make: Callable[[View], Entry]) -> str | None:
        ends = self._follow()
        # The first try trusts what is known here and saves a round trip; the swap fails if that was old.
        done, commit = self._try(make, ends, final=self.remote is None)
        if done:
            return commit
        address = (self.repo.remote(self.remote) if self.remote else None) or str(self.repo.git_dir)
        with turns.turn(address, ENDURANCE * PATIENCE):
            return self._insist(make)

    def _insist(self, make: Callable[[View], Entry]) -> str | None:
        """Again and again, as long as others get on; Locked when nobody does for PATIENCE, or after ENDURANCE of it."""
        seen, waited, began = "", 0.0, time.monotonic()
        since = began
        while True:
            time.sleep(SystemRandom().uniform(0, waited))
            waited = min(1.0, 2 * waited + 0.02)
            self.refresh()
            ends = self._ends()
            done, commit = self._try(make, ends, final=True)
            if done:
                return commit
            newest = str(ends.there or ends.here)
            if newest != seen:
                seen, since = newest, time.monotonic()
            if time.monotonic() - since > PATIENCE or time.monotonic() - began > ENDURANCE * PATIENCE:
                raise Locked(
                    "the ledger could not be written", why="others were first, again and again", hint="try again"
                )

    def _try(self, make: Callable[[View], Entry], ends: Ends, *, final: bool) -> tuple[bool, str | None]:
        """Whether it is published, and the ledger's commit.

        What `make` raises, and that it changes nothing, counts only when `final`: seen from the newest ledger.
        """
        _refuse_checked_out(ends.here)
        base = ends.here.commit if ends.here else None
        try:
            entry = make(View(self.repo, base))
        except KarrotsError:
            if final:
                raise
            return False, None
        commit = self._committed(ends.here, entry)
        return (final if commit == base else self._swap(ends, commit)), commit

    def _committed(self, base: Tip | None, entry: Entry) -> str | None:
        if not entry.edits:
            return base.commit if base else None
        if base is None:
            tree = self.repo.edit_tree(None, {"README.md": README, **entry.edits})
            return self.repo.commit_tree(tree, [], entry.text())
        tree = self.repo.edit_tree(base.tree, entry.edits)
        return base.commit if tree == base.tree else self.repo.commit_tree(tree, [base.commit], entry.text())

    def _swap(self, ends: Ends, commit: str | None) -> bool:
        here = ends.here.commit if ends.here else None
        if self.remote is None:
            return self.repo.update_ref(REF, commit, here)
        # The push replaces exactly `there`, which the branch here holds (_follow): nothing is lost.
        there = ends.there.commit if ends.there else None
        if not self.repo.push_swap(self.remote, REF, commit, there):
            return False
        # That was the commit point; what follows can be made again from the remote.
        if not self.repo.update_refs({self._tracking: (commit, there), REF: (commit, here)}):
            self.refresh()
        return True

    # What operations do

    def claim(
        self, name: str, build: Callable[[View], Record], *, applied_tree: str | None = None, verb: str = "branch"
    ) -> Record:
        """Take a name, and the address range with it.

        `build` makes the record from the newest ledger, so that the range is leased in the same swap; it is called
        anew each time somebody else was first, and has to give the same id. Raises NameTaken, RangeTaken.
        """
        ours: list[Record] = []

        def make(view: View) -> Entry:
            records = view.records
            present = view.find(name)
            if present is not None and present.id not in {record.id for record in ours}:
                raise NameTaken(present)
            if present is None:
                ours.append(build(view))
                _refuse_overlap(ours[-1], records)
            # Present and ours: published by a push whose answer was lost.
            edits = _edit_of(ours[-1], applied_tree) if present is None else {}
            return _entry(ours[-1], edits, "is claimed", verb)

        self._publish(make)
        return ours[-1]

    def begin(
        self,
        name: str,
        operation: Operation,
        *,
        phase: Phase | None = None,
        cluster: str = "",
        take_over: str = "",
        command: str = "",
        say: Callable[[str], None] = lambda _: None,
    ) -> Record:
        """Take the lease on a cluster, and give it a phase; `cluster` is the id that the name must still mean.

        A lease whose process is gone is taken over; one of the id `take_over` also when it is only over. `say` hears
        from whom, before it is done. `command` is the one to repeat. Raises InUse, NotFound.
        """
        begun: list[Record] = []
        told: set[str] = set()

        def make(view: View) -> Entry:
            present = view.get(name)
            if cluster and present.id != cluster:
                raise _gone(name, present)
            mine, other = operation, present.operation
            if other is not None and other.id != operation.id:
                if not operations.gives_way(other, take_over):
                    raise InUse(name, other, take_over=take_over, command=command)
                if other.id not in told:
                    say(operations.taken_from(other))
                    told.add(other.id)
                mine = operations.after(operation, other)
            begun.append(replace(present, operation=mine, phase=phase or present.phase))
            return _entry(begun[-1], _edit_of(begun[-1]), "is taken", operation.verb)

        self._publish(make)
        return begun[-1]

    def renew(self, record: Record, operation: Operation) -> Record:
        """A longer lease for its holder; nothing else of the record changes. Raises LostCluster."""
        renewed: list[Record] = []

        def make(view: View) -> Entry:
            present = _held(view, record, operation.id)
            renewed.append(replace(present, operation=operation))
            return _entry(renewed[-1], _edit_of(renewed[-1]), "is still worked on", operation.verb)

        self._publish(make)
        return renewed[-1]

    def save(self, record: Record, applied_tree: str | None = None, *, verb: str = "", operation: str = "") -> None:
        """Replace a cluster's record, and its applied tree where one is given.

        `operation` is the id of the lease under which this is done, by default the record's; it must be given when the
        record has none any more because the lease ends with this. Raises LostCluster when that lease is not the
        cluster's any more, InUse when there is none and somebody else holds the cluster, NotFound when it is gone.
        """
        held = operation or (record.operation.id if record.operation else "")

        def make(view: View) -> Entry:
            if _is_published(view, record, applied_tree, held):
                return _entry(record, {}, f"is {record.phase}", verb, held)
            _held(view, record, held)
            return _entry(record, _edit_of(record, applied_tree), f"is {record.phase}", verb, held)

        self._publish(make)
        self.keep(record)

    def retire(self, record: Record, receipt: Mapping[str, Any], *, verb: str = "destroy") -> None:
        """Remove the cluster and keep its receipt; done already, nothing changes. Raises as `save` does."""
        file = f"gone/{record.name}-{record.id}.json"
        text = _receipt_text(receipt)

        def make(view: View) -> Entry:
            written = view.receipt(record.id)
            if written is not None and _receipt_text(written) == text:
                return _entry(record, {}, "is gone", verb)
            _held(view, record, record.operation.id if record.operation else "")
            return _entry(record, {file: text.encode(), f"clusters/{record.name}": None}, "is gone", verb)

        self._publish(make)
        self.let_go(record.id)

    def let_go(self, cluster_id: str) -> None:
        """What git kept of a cluster that is gone, git may collect now."""
        self.repo.set_refs({f"{KEPT}/{cluster_id}": None})

    def keep(self, record: Record) -> None:
        """Hold the applied commit back from git's garbage collection on this computer."""
        if record.applied is not None and self.repo.resolve(record.applied.commit):
            self.repo.set_refs({f"{KEPT}/{record.id}": record.applied.commit})


def _refuse_checked_out(here: Tip | None) -> None:
    if here is not None and here.folder is not None:
        raise Refused(
            f"the ledger '{BRANCH}' is checked out in {here.folder}",
            why="karrots would move the branch under your files",
            hint=f"git -C {here.folder} switch -",
        )


def _path(name: str) -> str:
    return f"clusters/{name}/record.json"


def _read(name: str, data: bytes) -> Record:
    record = from_json(data, _path(name))
    if record.name != name or not is_name(name):
        raise Failed(
            f"the record '{_path(name)}' cannot be read",
            why=f"it is that of '{record.name}'",
            hint=f"git log {BRANCH} -- {_path(name)}",
        )
    return record


def _edit_of(record: Record, applied_tree: str | None = None) -> Edit:
    tree = {f"clusters/{record.name}/applied": Tree(applied_tree)} if applied_tree is not None else {}
    return {_path(record.name): to_json(record).encode(), **tree}


def _held(view: View, record: Record, operation: str) -> Record:
    """The cluster's record, when it may be written under the lease of that id, or without one for ''."""
    present = view.find(record.name)
    if present is None or present.id != record.id:
        if operation:
            raise _lost_for_good(view, record)
        raise _gone(record.name, present)
    other = present.operation
    if operation and other is None:
        raise _lost_and_done(view, record.name)
    if other is not None and other.id != operation:
        if operation:
            raise LostCluster(record.name, other.holder, other.started, operations.described(other))
        raise InUse(record.name, other)
    return present


def _gone(name: str, present: Record | None) -> NotFound:
    return NotFound(
        f"the cluster '{name}' is not in the ledger any more",
        why="it was destroyed" if present is None else "another one has its name now",
        hint=f"git log {BRANCH} -- clusters/{name}",
    )


def _lost_and_done(view: View, name: str) -> LostCluster:
    """Taken over by somebody who has finished; who it was stands in the ledger's log."""
    last = view.last_change(name)
    who, when, what = (last.author, clock.stamp(last.when), last.subject) if last else (UNKNOWN, UNKNOWN, UNKNOWN)
    return LostCluster(name, who, when, f"they took it over and have finished: {what}")


def _lost_for_good(view: View, record: Record) -> LostCluster:
    receipt = view.receipt(record.id) or {}
    by, when = (str(receipt.get(key) or UNKNOWN) for key in ("by", "destroyed"))
    return LostCluster(record.name, by, when, "they took it over and destroyed it")


def _is_published(view: View, record: Record, applied_tree: str | None, operation: str) -> bool:
    """By this very operation: a push whose answer was lost."""
    if view.find(record.name) != record or (applied_tree or "") not in {"", view.applied(record.name)}:
        return False
    last = view.last_change(record.name)
    return last is not None and last.trailers.get("Karrots-Operation", "") == operation


def _refuse_overlap(record: Record, records: Iterable[Record]) -> None:
    for other in records:
        if overlapping(record.network, other.network):
            raise RangeTaken(record, other)


def _entry(record: Record, edits: Edit, what: str, verb: str, operation: str = "") -> Entry:
    lease = record.operation
    said = verb or (lease.verb if lease else "save")
    trailers = {
        "Karrots-Cluster": record.name,
        "Karrots-Operation": operation or (lease.id if lease else ""),
        "Karrots-Verb": said,
    }
    return Entry(edits, f"{said}: {record.name} {what}", trailers)


def _receipt_text(receipt: Mapping[str, Any]) -> str:
    return json.dumps(receipt, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _receipt_name(file: str) -> tuple[str, str]:
    """Name and id, of `NAME-ID.json`."""
    stem = file.removesuffix(".json")
    return stem[: -ID_LENGTH - 1], stem[-ID_LENGTH:]


def _receipt(file: str, data: bytes) -> dict[str, Any]:
    try:
        receipt = json_file.load(data)
        if not isinstance(receipt, dict):
            raise ValueError("it is not a JSON object")  # noqa: TRY301,TRY004  (one place words all of it)
    except ValueError as error:
        hint = f"git show {BRANCH}:gone/{file}"
        raise Failed(f"the receipt '{file}' cannot be read", why=str(error), hint=hint) from error
    return receipt


def _no_cluster(name: str, names: Sequence[str]) -> NotFound:
    from difflib import get_close_matches

    near = get_close_matches(name, names, n=3)
    why = "did you mean " + ", ".join(f"'{each}'" for each in near) + "?" if near else ""
    return NotFound(f"there is no cluster {quoted(name)}", why=why, hint="karrots ls")
