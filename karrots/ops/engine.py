"""`karrots engine …`: the local Kubernetes by itself, whatever fleet its clusters belong to."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from karrots import places
from karrots.engine import binaries, cluster
from karrots.engine.folder import Request
from karrots.errors import Failed, KarrotsError, NotFound
from karrots.fleet import rehearsals
from karrots.report.events import StepFinished, StepProgress, StepStarted
from karrots.report.text import seconds_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from karrots.engine.cluster import Status
    from karrots.ops.settings import Settings
    from karrots.report.events import Reporter

# Measured on two cores with an empty build cache, downloads included (docs/engine.md).
FIRST_BUILD_SECONDS = 480.0
STEP = "engine"


@dataclass(frozen=True)
class Built:
    folder: str
    versions: dict[str, str]
    seconds: float


@dataclass(frozen=True)
class Process:
    name: str
    pid: int
    running: bool
    port: int
    rss_bytes: int


@dataclass(frozen=True)
class EngineCluster:
    """`simulated` names what is not real; `problem` is set when its state cannot be read."""

    id: str
    name: str
    server: str
    nodes: int
    repository: str
    running: int
    processes: tuple[Process, ...]
    simulated: tuple[str, ...]
    rss_bytes: int
    problem: str


@dataclass(frozen=True)
class EngineClusters:
    clusters: tuple[EngineCluster, ...]


@dataclass(frozen=True)
class LogLines:
    cluster: str
    files: dict[str, str]
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Freed:
    processes: int
    clusters: tuple[str, ...]
    builds: tuple[str, ...]


def build(settings: Settings) -> Built:
    began = time.monotonic()
    found = ready(settings.reporter)
    return Built(str(found.folder), found.versions, round(time.monotonic() - began, 3))


def ready(reporter: Reporter) -> binaries.Binaries:
    """The engine's programs; builds them, with progress, where they are not there yet."""
    found = binaries.locate()
    if found is not None:
        return binaries.ensure()
    began = time.monotonic()
    reporter.emit(StepStarted(STEP, "build the engine", FIRST_BUILD_SECONDS))
    told = _Progress(reporter)
    found = binaries.ensure(told)
    reporter.emit(StepFinished(STEP, "build the engine", time.monotonic() - began, f"{told.total} packages"))
    return found


class _Progress:
    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self.total = 0

    def __call__(self, done: int, total: int, what: str, seconds_left: float | None) -> None:
        self.total = max(self.total, total)
        self._reporter.emit(StepProgress(STEP, bar(done, total, what, seconds_left)))


def bar(done: int, total: int, what: str, seconds_left: float | None, width: int = 20) -> str:
    """[#####---------------] 25 %  910/3642  about 5 min 20 s left."""
    if not total:
        return what
    filled = done * width // total
    left = f"  about {seconds_text(seconds_left)} left" if seconds_left is not None else ""
    return f"[{'#' * filled}{'-' * (width - filled)}] {done * 100 // total:3d} %  {done}/{total}{left}"


def status(name: str | None) -> EngineClusters:
    found = cluster.clusters() if name is None else [one(name)]
    return EngineClusters(tuple(map(described, found)))


def one(name: str) -> Status:
    """By name or id; the newest of a name. Raises NotFound."""
    found = [c for c in cluster.clusters() if name in (c.name, c.id)]
    if not found:
        known = ", ".join(sorted(c.name for c in cluster.clusters())) or "none"
        raise NotFound(f"the engine has no cluster '{name}'", why=f"it has: {known}", hint="karrots engine list")
    return max(found, key=lambda c: c.id)


def described(found: Status) -> EngineCluster:
    processes = tuple(Process(c.name, c.pid, c.alive, c.port, c.rss) for c in found.components)
    return EngineCluster(
        id=found.id,
        name=found.name,
        server=found.server,
        nodes=found.nodes,
        repository=found.repository,
        running=sum(1 for p in processes if p.running),
        processes=processes,
        simulated=found.simulated,
        rss_bytes=found.rss,
        problem=found.problem,
    )


def logs(name: str, component: str | None, lines: int) -> LogLines:
    found = one(name)
    files = cluster.logs(found.id)
    chosen = {c: f for c, f in files.items() if component is None or component in c}
    if not chosen:
        raise NotFound(f"cluster '{name}' has no log of '{component}'", why=f"it has: {', '.join(files)}")
    tail: list[str] = []
    for part, file in chosen.items():
        prefix = f"{part}: " if component is None or len(chosen) > 1 else ""
        tail += [prefix + line for line in last_lines(file, lines)]
    return LogLines(found.name, {c: str(f) for c, f in chosen.items()}, tuple(tail))


def last_lines(file: Path, count: int) -> list[str]:
    from collections import deque

    with file.open(encoding="utf-8", errors="replace") as source:
        return [line.rstrip("\n") for line in deque(source, maxlen=count)]


def up(settings: Settings, names: Sequence[str]) -> EngineClusters:
    """All of this computer when none is named. One that cannot come up does not stop the others, and is told last."""
    ready(settings.reporter)
    chosen = [one(name) for name in names] if names else cluster.clusters()
    up_again, failures = [], []
    for found in chosen:
        try:
            up_again.append(described(come_up(found)))
        except KarrotsError as error:
            settings.warn(f"'{found.name}' did not come up: {error.message}")
            failures.append(error)
    if failures and len(chosen) > 1:
        failures[0].message = f"{len(failures)} of {len(chosen)} clusters did not come up; {failures[0].message}"
    if failures:
        raise failures[0]
    return EngineClusters(tuple(up_again))


def come_up(found: Status) -> Status:
    if found.problem:
        raise Failed(
            f"the state of cluster '{found.id}' cannot be read", why=found.problem, hint="karrots engine clean"
        )
    repository = Path(found.repository)
    if not repository.exists():
        raise NotFound(
            f"the repository of cluster '{found.name}' is gone",
            why=f"it was {repository}",
            hint="where it is now: karrots apply NAME\nwhen it is gone for good: karrots doctor --repair",
        )
    return cluster.up(Request(found.id, found.name, repository, found.nodes), lambda _: None)


def stop(names: Sequence[str]) -> EngineClusters:
    chosen = [one(name) for name in names]
    for found in chosen:
        cluster.stop(found.id)
    return EngineClusters(tuple(described(one(found.id)) for found in chosen))


def _has_state(cluster_id: str) -> bool:
    return (places.terraform_states() / cluster_id).is_dir()


def clean(settings: Settings, *, binaries_too: bool) -> Freed:
    """Removes stray processes, clusters that no Terraform state knows, and builds nobody uses."""
    rehearsed = rehearsals.ids(alive=True)
    orphans = [c for c in cluster.clusters() if c.id not in rehearsed and not _has_state(c.id)]
    chosen = [c for c in orphans if settings.ask(f"Remove '{c.name}' ({c.id})? No Terraform state knows it.")]
    stopped = len(cluster.end_strays())
    for orphan in chosen:
        stopped += cluster.down(orphan.id).processes
    kept = {folder.name for folder in cluster.binaries_in_use()} | (set() if binaries_too else {binaries.digest()})
    return Freed(stopped, tuple(c.name for c in chosen), tuple(binaries.prune(kept)))
