"""What an interrupted past left on this computer and in this fleet. Each kind is one function that only looks.

Whose something is comes first: a computer may hold several fleets, and each owns its clusters. A cluster of the engine
names the repository it was made from; it is ours to speak of when that is this one, or is gone.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from karrots import clock, computer, places
from karrots.adapters import git_locks
from karrots.adapters.process import shell_line
from karrots.adapters.terraform_store import StateStore
from karrots.engine import cluster, folder
from karrots.errors import KarrotsError
from karrots.fleet import operations, rehearsals
from karrots.fleet.ledger import KEPT
from karrots.providers import local
from karrots.steps import state_check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from karrots.adapters.state_bucket import StateBucket
    from karrots.fleet.record import Record
    from karrots.fleet.workspace import Workspace

AGE = 60.0  # seconds; what is written or started just now may look unfinished
UNFINISHED = ("claimed", "creating", "failed", "destroying")
BESIDE = re.compile(r"\..+\.(\d+)(\.new|\.[0-9a-f]{8})?")
DEMO = "karrots-demo-"
DEMO_MARK = "demo.json"
ID = re.compile(r"[0-9a-z]{26}")
GONE_REPOSITORY = "its repository {} is gone"
MOVED_REPOSITORY = "its repository {} is gone, or has been moved"
NOT_IN_FLEET = "it was made from this repository, and no record of this fleet has its id"
DESTROYED = "the ledger has the receipt of its cluster"


@dataclass(frozen=True)
class Finding:
    """`why` proves that it is left over; where `mending` is '' it says why that cannot be proven.

    `subject` is its id, path or ref; `command` is what to type by hand.
    """

    kind: str
    what: str
    why: str
    mending: str
    command: str
    subject: str


@dataclass(frozen=True)
class Scene:
    """`workspace` is None outside a fleet; `behind` says why the ledger here may not be the present one."""

    workspace: Workspace | None
    behind: str = ""

    def records(self) -> dict[str, Record]:
        """By id, as they are now: a cluster is claimed before anything of it is made, so this is read last."""
        return {each.id: each for each in self.workspace.ledger.records()} if self.workspace else {}

    def is_destroyed(self, cluster_id: str) -> bool:
        return self.workspace is not None and self.workspace.ledger.receipt(cluster_id) is not None

    @property
    def git_dir(self) -> Path | None:
        return self.workspace.repo.git_dir if self.workspace else None


def leases(scene: Scene) -> Iterator[Finding]:
    for record in scene.records().values():
        lease = record.operation
        if lease is not None and operations.abandoned(lease) and not _is_nothing(record):
            way_on = f"karrots {'destroy' if record.phase == 'destroying' else 'apply'} {record.name}"
            yield Finding(
                "lease",
                f"'{record.name}' ({record.phase}) is held: {operations.described(lease)}",
                "that process of this computer is gone",
                f"the cluster is given back; to go on: {way_on}",
                way_on,
                record.id,
            )


def records(scene: Scene) -> Iterator[Finding]:
    """Records of this computer, of which nothing was ever made or nothing is left."""
    for record in scene.records().values():
        free = record.operation is None or operations.abandoned(record.operation)
        if free and _is_nothing(record):
            yield Finding(
                "record",
                f"the record of '{record.name}' ({record.phase})",
                "it lives on this computer, and has no cluster, Terraform state or footprint here",
                "the record goes, and a receipt is kept",
                f"karrots destroy {record.name}",
                record.id,
            )


def _is_nothing(record: Record) -> bool:
    if record.provider != local.NAME or record.phase not in UNFINISHED or not local.is_here(record):
        return False
    kept = (places.engine_clusters() / record.id, places.footprint(record.id))
    return not any(path.exists() for path in kept) and not _resources(places.terraform_states() / record.id)


def _resources(state: Path) -> int:
    """Of a Terraform state; one that cannot be read may hold something."""
    try:
        return StateStore(state).resources() if state.exists() else 0
    except KarrotsError:
        return 1


def of_rehearsals(scene: Scene) -> Iterator[Finding]:
    """Ended rehearsals take their marks along; a mark whose process is gone speaks of one that was killed."""
    for mark in rehearsals.every():
        if mark.is_over and not _is_of_others(scene, mark.repository):
            yield Finding(
                "rehearsal",
                f"the rehearsal {mark.id}",
                "it was killed: its process is gone",
                "its cluster ends, and its ref goes",
                f"python3 -m karrots.engine down --id {mark.id}",
                mark.id,
            )


def clusters(scene: Scene) -> Iterator[Finding]:
    """Without those of rehearsals, which no ledger hears of."""
    found = [(place.path.name, _repository(place)) for place in folder.every() if not _is_busy(place.path.name)]
    known = {*scene.records(), *rehearsals.ids()}
    for cluster_id, repository in found:
        if cluster_id in known or _is_of_others(scene, repository):
            continue
        proof, doubt = _whose(scene, cluster_id, repository)
        yield Finding(
            "cluster",
            f"the engine's cluster {cluster_id}",
            proof or doubt,
            "its processes end, and its folder goes" if proof else "",
            f"python3 -m karrots.engine down --id {cluster_id}",
            cluster_id,
        )


def _repository(place: folder.Folder) -> str | None:
    try:
        state = place.load()
    except KarrotsError:
        return None
    return state.repository if state else None


def _is_of_others(scene: Scene, repository: str | None) -> bool:
    return repository is not None and Path(repository).exists() and not _is_ours(scene, repository)


def _is_ours(scene: Scene, repository: str) -> bool:
    return scene.git_dir is not None and Path(repository).resolve() == scene.git_dir.resolve()


def _whose(scene: Scene, cluster_id: str, repository: str | None) -> tuple[str, str]:
    """Why what bears that id is left over, or why that is in doubt; one of both is ''."""
    if scene.is_destroyed(cluster_id):
        return DESTROYED, ""
    if repository is None:
        return "", "nothing says which fleet it belongs to"
    if not Path(repository).exists():
        # Elsewhere it may have been moved, or its disk is not there today: no proof, and data behind it.
        temporary = Path(repository).is_relative_to(tempfile.gettempdir())
        return (GONE_REPOSITORY.format(repository), "") if temporary else ("", MOVED_REPOSITORY.format(repository))
    return ("", scene.behind) if scene.behind else (NOT_IN_FLEET, "")


def states(scene: Scene) -> Iterator[Finding]:
    home = places.terraform_states()
    paths = [path for path in _entries(home) if path.is_dir() and ID.fullmatch(path.name)]
    facts = [(path, _state_of(path)) for path in paths if _state_is_free(path)]
    known = scene.records()
    for path, state in facts:
        repository = _repository(folder.of(path.name)) or _repository_in(state)
        if path.name in known or _is_of_others(scene, repository):
            continue
        proof, doubt = _whose(scene, path.name, repository)
        foreign = _foreign(state)
        yield Finding(
            "state",
            f"the Terraform state {path}",
            doubt or (f"it still holds {foreign}" if foreign else proof),
            "" if doubt or foreign else "the folder goes with all its versions",
            shell_line(["rm", "-r", str(path)]),
            path.name,
        )


def _state_is_free(path: Path) -> bool:
    try:
        return StateStore(path).lock() is None
    except KarrotsError:
        return True


def _state_of(path: Path) -> Mapping[str, Any]:
    try:
        return StateStore(path).current() or {}
    except KarrotsError:
        return {"resources": [{"type": "what cannot be read", "mode": "managed", "instances": [{}]}]}


def _repository_in(state: Mapping[str, Any]) -> str | None:
    """What the local root was told."""
    for resource in _managed(state):
        if resource.get("name") == "control_plane":
            with suppress(KeyError, IndexError, TypeError):
                return str(resource["instances"][0]["attributes"]["triggers_replace"]["value"]["repository"])
    return None


def _foreign(state: Mapping[str, Any]) -> str:
    """Things that are not of this computer, or could not be looked at: they may still exist."""
    return ", ".join(sorted({str(each.get("type")) for each in _managed(state)} - {"terraform_data"}))


def _managed(state: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for resource in state.get("resources") or ():
        if isinstance(resource, dict) and resource.get("mode") == "managed" and resource.get("instances"):
            yield resource


def processes(scene: Scene) -> Iterator[Finding]:
    for stray in cluster.strays():
        owner = folder.Folder(Path(stray.where))
        if _is_busy(owner.path.name) or _is_of_others(scene, _repository(owner)):
            continue
        # A state that cannot be read knows none of its processes, and they may well be in use.
        unreadable = owner.state.exists() and _repository(owner) is None
        yield Finding(
            "process",
            f"process {stray.pid} ({stray.name})",
            f"the state of {stray.where} cannot be read" if unreadable else f"nothing in {stray.where} knows it",
            "" if unreadable else "the process is killed",
            f"kill {stray.pid}",
            f"{stray.pid} {computer.born(stray.pid)}",
        )


def of_git(scene: Scene) -> Iterator[Finding]:
    if scene.git_dir is None:
        return
    for path in git_locks.every(scene.git_dir):
        lock = git_locks.examine(path, scene.git_dir)
        if lock is not None:
            mending = "" if lock.doubt else "the file goes"
            yield Finding("git lock", str(path), lock.reason, mending, lock.command, str(path))


def of_terraform(scene: Scene) -> Iterator[Finding]:
    for record in scene.records().values():
        path = places.terraform_states() / record.id / "lock.json"
        if path.exists() and _state_is_free(path.parent):
            known = lock_id(path)
            yield Finding(
                "state lock",
                f"the lock of the Terraform state of '{record.name}'",
                "its holder on this computer is gone, and so is its Terraform" if known else "it cannot be read",
                "the lock is given back; a state that was left unsent stays where it is" if known else "",
                shell_line(["rm", str(path)]),
                str(path),
            )


def lock_id(path: Path) -> str:
    """'' when it cannot be read."""
    try:
        return str(json.loads(path.read_bytes())["id"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def of_engine(scene: Scene) -> Iterator[Finding]:  # noqa: ARG001  (every kind is looked for in one way)
    """The kernel gives these back when their holder dies; what stays is a file that does no harm."""
    built = places.engine_binaries() / "build.lock"
    for path in [*_entries(folder.lock("x").parent), *([built] if built.exists() else [])]:
        if is_free(path):
            command = shell_line(["rm", str(path)])
            yield Finding("engine lock", str(path), "no process holds it", "the file goes", command, str(path))


def is_free(path: Path) -> bool:
    """Whether nobody holds that file locked."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True


def _is_busy(cluster_id: str) -> bool:
    """Somebody starts, stops or removes the cluster just now."""
    lock = folder.lock(cluster_id)
    return lock.exists() and not is_free(lock)


def demos(scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    for path in _entries(Path(tempfile.gettempdir())):
        if path.name.startswith(DEMO) and path.is_dir() and path.stat().st_uid == os.geteuid():
            yield from _demo(path)


def _demo(path: Path) -> Iterator[Finding]:
    """One that was to be kept, or still runs, is no leftover."""
    try:
        mark = json.loads((path / DEMO_MARK).read_bytes())
        kept, gone = bool(mark["keep"]), computer.is_gone(int(mark["pid"]), str(mark["born"]))
    except (OSError, ValueError, KeyError, TypeError):
        kept, gone = False, False
        why = "it does not say which process it belongs to"
    else:
        why = "its demo was not to be kept, and its process is gone"
    if not kept and (gone or why.startswith("it does")) and _age(path) > AGE:
        mending = "what runs in it ends, and the folder goes" if gone else ""
        yield Finding("demo", str(path), why, mending, shell_line(["rm", "-r", str(path)]), str(path))


def half_written(scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    """Files that were written beside the one they should have replaced."""
    home = places.state()
    patterns = (".*", "footprints/.*", "kubeconfigs/.*", "engine/clusters/*/.*", "terraform/*/.*", "terraform/*/*/.*")
    for path in sorted(found for pattern in patterns for found in home.glob(pattern)):
        named = BESIDE.fullmatch(path.name)
        if named and path.is_file() and _age(path) > AGE:
            gone = not computer.born(int(named[1]))
            why = f"process {named[1]}, which wrote it, " + ("is gone" if gone else "may be one that runs now")
            command = shell_line(["rm", str(path)])
            yield Finding("half-written file", str(path), why, "the file goes" if gone else "", command, str(path))


def _age(path: Path) -> float:
    with suppress(OSError):
        return clock.seconds() - path.stat().st_mtime
    return 0.0


def footprints(scene: Scene) -> Iterator[Finding]:
    return _by_id(scene, "footprint", places.footprint("x").parent)


def kubeconfigs(scene: Scene) -> Iterator[Finding]:
    return _by_id(scene, "kubeconfig", places.kubeconfig("x").parent)


def _by_id(scene: Scene, kind: str, home: Path) -> Iterator[Finding]:
    """A file says no more than the id: whose it is, the receipt or the cluster's other remains say."""
    paths = [path for path in _entries(home) if path.suffix == ".json" and ID.fullmatch(path.stem)]
    facts = [(path, _repository(folder.of(path.stem))) for path in paths]
    known = scene.records()
    for path, repository in facts:
        if path.stem in known or _is_of_others(scene, repository):
            continue
        proof, doubt = _whose(scene, path.stem, repository)
        command = shell_line(["rm", str(path)])
        yield Finding(kind, str(path), proof or doubt, "the file goes" if proof else "", command, str(path))


def refs(scene: Scene) -> Iterator[Finding]:
    if scene.workspace is None:
        return
    found = scene.workspace.repo.refs(f"{KEPT}/", f"{rehearsals.NAMESPACES}/")
    ids = {ref: ref.removeprefix(f"{KEPT}/") if ref.startswith(KEPT) else rehearsals.id_of(ref) for ref in found}
    known = {*scene.records(), *rehearsals.ids()}
    for ref, of in ids.items():
        if of and of not in known:
            why = scene.behind or "neither a record of this fleet nor a rehearsal has its id"
            mending = "" if scene.behind else "the ref goes; what it held back may be collected by git"
            yield Finding("ref", ref, why, mending, shell_line(["git", "update-ref", "-d", ref]), ref)


def state_buckets(scene: Scene) -> Iterator[Finding]:
    """Not left over, but lacking: what keeps the states of clusters in clouds."""
    named: list[tuple[str, StateBucket]] = []
    with suppress(KarrotsError):  # of a karrots.yaml that cannot be read
        named = list(state_check.buckets(scene.workspace)) if scene.workspace else []
    for name, bucket in named:
        why = f"karrots.yaml keeps the Terraform states of {name} there"
        try:
            facts = bucket.facts(thorough=False)
        except KarrotsError as error:
            what = f"{bucket.place}: {error.message}"
            yield Finding("state bucket", what, f"{why}; {error.why}", "", error.hint, f"{name} login")
            continue
        for fact in facts:
            if not fact.ok:
                what, subject = f"{bucket.place}, {fact.what}: {fact.found}", f"{name} {fact.what}"
                yield Finding("state bucket", what, why, fact.mending, fact.command, subject)


def _entries(home: Path) -> list[Path]:
    try:
        return sorted(home.iterdir())
    except OSError:
        return []


# In this order they are mended: what only bears an id goes before the cluster's folder, which says whose it is.
KINDS: tuple[Callable[[Scene], Iterable[Finding]], ...] = (
    of_git, of_rehearsals, leases, footprints, kubeconfigs, states, clusters, processes, of_terraform, of_engine, refs,
    records, demos, half_written, state_buckets,
)  # fmt: skip
