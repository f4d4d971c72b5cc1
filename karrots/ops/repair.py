"""`karrots doctor --repair`: what an interrupted past left, mended one by one, each after a yes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from karrots import files, places
from karrots.adapters import git_locks
from karrots.adapters.terraform_store import StateStore
from karrots.engine import cluster, folder, locks
from karrots.errors import KarrotsError, Leftovers, Refused, UsageError
from karrots.fleet import operations, rehearsals
from karrots.fleet.receipt import receipt
from karrots.fleet.workspace import Workspace
from karrots.ops import leftovers
from karrots.ops.leftovers import KINDS, Finding, Scene
from karrots.providers import local
from karrots.providers.base import Footprint
from karrots.report.events import Noted
from karrots.steps import state_check

if TYPE_CHECKING:
    from collections.abc import Callable

    from karrots.fleet.record import Record
    from karrots.ops.settings import Settings

VERB = "doctor"


@dataclass(frozen=True)
class Repairs:
    """`left` is what was still there at the end, with all that nobody may mend but by hand."""

    found: tuple[Finding, ...]
    mended: tuple[Finding, ...]
    left: tuple[Finding, ...]


def look(settings: Settings) -> Repairs:
    """Only lists."""
    found = _all(scene(settings))
    return Repairs(found, (), found)


def repair(settings: Settings) -> Repairs:
    """Asks for each; what is mended is looked for again."""
    place = scene(settings)
    found: list[Finding] = []
    mended: list[Finding] = []
    for kind in KINDS:
        seen = list(kind(place))
        found += seen
        done = [finding for finding in seen if finding.mending and _mended(settings, place, finding)]
        still = {finding.subject for finding in kind(place)} if done else set()
        mended += [finding for finding in done if finding.subject not in still]
    return Repairs(tuple(found), tuple(mended), _all(place))


def scene(settings: Settings) -> Scene:
    """Where the ledger's remote does not answer, nothing is said to have no record."""
    try:
        workspace = Workspace.open(settings.start, settings.warn)
    except UsageError:
        return Scene(None)
    try:
        workspace.ledger.refresh()
    except KarrotsError as error:
        return Scene(workspace, f"the ledger here may be old: {error.message}")
    return Scene(workspace)


def _all(place: Scene) -> tuple[Finding, ...]:
    return tuple(finding for kind in KINDS for finding in kind(place))


def _mended(settings: Settings, place: Scene, finding: Finding) -> bool:
    if not settings.ask(f"{finding.kind}: {finding.what}\n  {finding.why}\n  {finding.mending}. Mend it?"):
        return False
    try:
        MENDERS[finding.kind](settings, place, finding)
    except (KarrotsError, OSError) as error:
        settings.warn(f"{finding.what} is not mended: {error}")
        return False
    settings.reporter.emit(Noted(f"mended: {finding.what}"))
    return True


def _lease(settings: Settings, place: Scene, finding: Finding) -> None:
    held = _taken(settings, place, finding)
    phase = "failed" if held.phase in ("claimed", "creating") else held.phase
    freed = replace(held, operation=None, phase=phase)
    _fleet(place).ledger.save(freed, verb=VERB, operation=held.operation.id if held.operation else "")


def _taken(settings: Settings, place: Scene, finding: Finding) -> Record:
    """The record, with a lease of our own; a living holder keeps his."""
    record = place.records()[finding.subject]
    lease = operations.started_here(VERB, record.owner)
    return _fleet(place).ledger.begin(record.name, lease, cluster=record.id, say=settings.warn)


def _fleet(place: Scene) -> Workspace:
    assert place.workspace is not None, "records are found in a fleet only"  # noqa: S101
    return place.workspace


def _record(settings: Settings, place: Scene, finding: Finding) -> None:
    """As the last steps of a destroy: looked for by the provider, then the receipt."""
    from karrots.fleet.lineage import live_children

    record = place.records()[finding.subject]
    children = live_children(record, list(place.records().values()))
    if children:
        raise Refused(f"'{record.name}' is the parent of live branches", why=", ".join(c.name for c in children))
    held = _taken(settings, place, finding)
    ledger = _fleet(place).ledger
    try:
        looked_for = _swept(held)
    except KarrotsError:
        ledger.save(replace(held, operation=None), verb=VERB, operation=held.operation.id if held.operation else "")
        raise
    ledger.retire(held, receipt(held, {"looked_for": looked_for, "terraform": {"resources": 0}}), verb=VERB)


def _swept(record: Record) -> dict[str, int]:
    """Raises Leftovers when something of it is there after all."""
    swept = local.sweep(record, Footprint(), None)
    if swept.left:
        names = ", ".join(item.name for item in swept.left)
        raise Leftovers(f"something of '{record.name}' is there", why=names, hint=f"karrots destroy {record.name}")
    StateStore(places.terraform_states() / record.id).remove()
    files.remove(places.kubeconfig(record.id))
    return dict(swept.looked_for)


def _rehearsal(settings: Settings, place: Scene, finding: Finding) -> None:  # noqa: ARG001
    """As it would have ended itself. Where its repository is gone, so is its ref."""
    mark = next(mark for mark in rehearsals.every() if mark.id == finding.subject)
    cluster.down(mark.id)
    if place.workspace is not None:
        place.workspace.repo.set_refs({mark.ref: None})
    rehearsals.end(mark.id)


def _cluster(settings: Settings, place: Scene, finding: Finding) -> None:  # noqa: ARG001
    cluster.down(finding.subject)


def _process(settings: Settings, place: Scene, finding: Finding) -> None:  # noqa: ARG001
    """Looked at again under the cluster's lock: one that is just being started is no stray."""
    pid = int(finding.subject.partition(" ")[0])
    cluster.end_strays(lambda stray: stray.pid == pid)


def _state(settings: Settings, place: Scene, finding: Finding) -> None:  # noqa: ARG001
    StateStore(places.terraform_states() / finding.subject).remove()


def _git_lock(settings: Settings, place: Scene, finding: Finding) -> None:
    git_locks.clear([Path(finding.subject)], _fleet(place).repo.git_dir, settings.warn)


def _state_lock(settings: Settings, place: Scene, finding: Finding) -> None:  # noqa: ARG001
    path = Path(finding.subject)
    StateStore(path.parent).release(leftovers.lock_id(path))


def _engine_lock(settings: Settings, place: Scene, finding: Finding) -> None:  # noqa: ARG001
    """Who has held it takes the file away with him."""
    with locks.held(Path(finding.subject), finding.what, wait=0.0):
        pass


def _demo(settings: Settings, place: Scene, finding: Finding) -> None:  # noqa: ARG001
    from karrots.ops import demo

    root = Path(finding.subject)
    with demo.own_state(root, places.engine_binaries(), keep=False):
        for left in folder.every():
            cluster.down(left.path.name)
    files.remove_tree(root)


def _file(settings: Settings, place: Scene, finding: Finding) -> None:  # noqa: ARG001
    files.remove(Path(finding.subject))


def _ref(settings: Settings, place: Scene, finding: Finding) -> None:  # noqa: ARG001
    _fleet(place).repo.set_refs({finding.subject: None})


def _state_bucket(settings: Settings, place: Scene, finding: Finding) -> None:  # noqa: ARG001
    name, _, what = finding.subject.partition(" ")
    dict(state_check.buckets(_fleet(place)))[name].mend(what)


MENDERS: dict[str, Callable[[Settings, Scene, Finding], None]] = {
    "lease": _lease,
    "record": _record,
    "rehearsal": _rehearsal,
    "cluster": _cluster,
    "process": _process,
    "state": _state,
    "git lock": _git_lock,
    "state lock": _state_lock,
    "engine lock": _engine_lock,
    "demo": _demo,
    "half-written file": _file,
    "footprint": _file,
    "kubeconfig": _file,
    "ref": _ref,
    "state bucket": _state_bucket,
}
