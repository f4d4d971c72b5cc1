"""The engine's clusters: up, down and what can be asked of them. One control plane each, on loopback."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from karrots import clock, files, places
from karrots.adapters.kube import Kube
from karrots.engine import components, content, folder, ports, processes, runtime
from karrots.engine.folder import Folder, Request, State
from karrots.engine.locks import held
from karrots.errors import Failed, KarrotsError, NotFound, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    import psutil

    from karrots.adapters.kube import Access

SIMULATED = ("nodes", "pods")
MOST_NODES = 1000
GRACE = 3.0
# What writes goes first, so that what is written to is there to the end.
STOP_ORDER = (
    (components.STARTER, *(name for name in components.ALL if name not in components.BASE)),
    ("kube-apiserver",),
    ("etcd",),
)


@dataclass(frozen=True)
class Component:
    """`port` is 0 for one that has none. `rss` in bytes, shared pages included; 0 for one that does not run."""

    name: str
    pid: int
    alive: bool
    port: int
    rss: int


@dataclass(frozen=True)
class Status:
    """`problem` says why nothing else is known of a cluster whose state cannot be read."""

    id: str
    name: str
    folder: Path
    repository: str = ""
    nodes: int = 0
    server: str = ""
    created: str = ""
    components: tuple[Component, ...] = ()
    versions: tuple[tuple[str, str], ...] = ()
    simulated: tuple[str, ...] = SIMULATED
    problem: str = ""

    @property
    def alive(self) -> bool:
        return bool(self.components) and all(c.alive for c in self.components)

    @property
    def rss(self) -> int:
        return sum(c.rss for c in self.components)


@dataclass(frozen=True)
class Removed:
    """What `down` ended, freed and deleted, counted."""

    processes: int
    ports: int
    files: int


@dataclass(frozen=True)
class Stray:
    """A process that no cluster's state knows. `where`: the cluster folder it was started for."""

    pid: int
    name: str
    where: str


def up(request: Request, say: Callable[[str], None]) -> Status:
    """Make the cluster, or start what of it does not run. Returns when all is started, not when all is Ready."""
    _check(request)
    place = folder.of(request.id)
    try:
        with _locked(request.id):
            state = _wanted(place, request)
            place.prepare()
            _runtime(place, state, say).converge(say)
    except OSError as error:
        raise Failed(f"cluster '{request.name}' could not be started", why=str(error), hint="karrots doctor") from error
    return _required(request.id)


def _check(request: Request) -> None:
    if not (request.repository / "HEAD").is_file():
        raise UsageError(
            f"{request.repository} is not a git directory", why="it has no HEAD", hint="give the path of a .git folder"
        )
    _check_count(request.nodes, fewest=0 if request.bare else 1)


def _check_count(count: int, fewest: int = 1) -> None:
    if not fewest <= count <= MOST_NODES:
        raise UsageError(f"a cluster of the engine has {fewest} to {MOST_NODES} nodes, not {count}")


def _wanted(place: Folder, request: Request) -> State:
    """What is there, brought to what is asked for; a new state with ports of its own when there is none."""
    asked = {"name": request.name, "repository": str(request.repository.absolute()), "nodes": request.nodes}
    state = place.load()
    if state is not None:  # `bare` and `authenticator` were decided when it was made
        changed = replace(state, **asked)  # type: ignore[arg-type]
        if changed != state:
            place.save(changed)
        return changed
    with held(folder.lock("ports"), "the engine's list of ports"):
        drawn = ports.draw(components.PORT_NAMES, str(place.path), _taken_ports())
        places.private_folder(place.path)
        made = {**asked, "bare": request.bare, "authenticator": request.authenticator}
        state = State(id=request.id, ports=drawn, created=clock.stamp(), **made)  # type: ignore[arg-type]
        place.save(state)
    return state


def _taken_ports() -> set[int]:
    taken: set[int] = set()
    for other in folder.every():
        try:
            state = other.load()
        except Failed:
            continue
        taken.update(state.ports.values() if state else ())
    return taken


def _locked(cluster_id: str) -> AbstractContextManager[None]:
    return held(folder.lock(cluster_id), f"cluster '{cluster_id}' of the engine")


def _runtime(place: Folder, state: State, say: Callable[[str], None]) -> runtime.Runtime:
    """With the programs the cluster runs on while any of it runs, so that its parts stay of one version."""
    pinned = Path(state.binaries)
    in_use = state.binaries and pinned.is_dir() and any(map(processes.alive, state.processes.values()))
    engine = _load(pinned) if in_use else _build(say)
    return runtime.Runtime(place, replace(state, binaries=str(engine.programs)), engine)


def _build(say: Callable[[str], None]) -> runtime.Engine:
    from karrots.engine import binaries

    def progress(done: int, total: int, what: str, left: float | None) -> None:
        if done % max(1, total // 20) == 0:
            counted = f"{done} of {total} packages" if total else what
            say(f"building the engine: {counted}" + (f", about {left:.0f} s to go" if left else ""))

    return _load(binaries.ensure(progress).folder)


def _load(programs: Path) -> runtime.Engine:
    from karrots.engine import assets

    found = assets.load(programs)
    return runtime.Engine(programs, found.crds, found.stages, found.versions)


def down(cluster_id: str) -> Removed:
    """End and delete everything of the cluster at once. Fine with one that is half made or already gone."""
    place = folder.of(cluster_id)
    with _locked(cluster_id):
        state = _readable(place)
        known = [found for entry in (state.processes.values() if state else ()) if (found := processes.find(entry))]
        ended = processes.kill(known) + processes.kill(runtime.strays_of(place, state))
        return Removed(ended, len(state.ports) if state else 0, _delete(place.path))


def _readable(place: Folder) -> State | None:
    try:
        return place.load()
    except Failed:
        return None


def _delete(path: Path) -> int:
    """Counts the files. Raises Failed when something of it cannot be deleted."""
    if not path.exists():
        return 0
    count = sum(len(names) for _, _, names in os.walk(path))
    try:
        files.remove_tree(path)
    except OSError as error:
        raise Failed(f"the folder {path} cannot be deleted", why=str(error), hint="delete it by hand") from error
    return count


def stop(cluster_id: str) -> int:
    """End all processes in order and keep the data. Counts the processes that ran."""
    place = folder.of(cluster_id)
    with _locked(cluster_id):
        state = _loaded(place)
        ended = 0
        for batch in STOP_ORDER:
            entries = [state.processes[name] for name in batch if name in state.processes]
            running = [found for found in map(processes.find, entries) if found]
            processes.terminate(running, GRACE)
            ended += len(running)
        return ended + processes.kill(runtime.strays_of(place, state))


def nodes(cluster_id: str, count: int) -> None:
    """Change the number of simulated nodes of a running cluster."""
    place = folder.of(cluster_id)
    there = place.load()
    _check_count(count, fewest=0 if there and there.bare else 1)
    with _locked(cluster_id):
        state = replace(_loaded(place), nodes=count)
        place.save(state)
        kube = Kube(runtime.access(place))
        content.set_nodes(kube, count, state.ports["kwok"], state.versions["kubernetes"])
        kube.close()


def deploy(cluster_id: str, controllers: Iterable[str]) -> list[str]:
    """These controllers of Flux have their Deployments in a bare cluster, and run from now on; names what started."""
    place = folder.of(cluster_id)
    with _locked(cluster_id):
        state = _loaded(place)
        deployed = [name for name in components.FLUX if name in {*state.deployed, *controllers}]
        place.save(replace(state, deployed=deployed))
        return _runtime(place, _loaded(place), lambda _: None).converge(lambda _: None)


def tend(cluster_id: str) -> list[str]:
    """Start again what has ended; names it."""
    place = folder.of(cluster_id)
    if _required(cluster_id).alive:
        return []
    with _locked(cluster_id):
        return _runtime(place, _loaded(place), lambda _: None).converge(lambda _: None)


def inspect(cluster_id: str) -> Status | None:
    """None when there is no such cluster. Raises Failed when its state cannot be read."""
    place = folder.of(cluster_id)
    state = place.load()
    return None if state is None else _status(place, state)


def _status(place: Folder, state: State) -> Status:
    return Status(
        id=state.id,
        name=state.name,
        folder=place.path,
        repository=state.repository,
        nodes=state.nodes,
        server=f"https://{ports.HOST}:{state.ports['kube-apiserver']}",
        created=state.created,
        components=tuple(_component(name, state) for name in components.wanted(state)),
        versions=tuple(sorted(state.versions.items())),
    )


def _component(name: str, state: State) -> Component:
    entry = state.processes.get(name)
    port = next((state.ports[own] for own in components.PORTS[name]), 0)
    if entry is None or not processes.alive(entry):
        return Component(name, entry.pid if entry else 0, alive=False, port=port, rss=0)
    return Component(name, entry.pid, alive=True, port=port, rss=processes.memory(entry))


def clusters() -> list[Status]:
    """All of this computer and user, those included whose state cannot be read."""
    return [status for place in folder.every() if (status := _whatever(place))]


def _whatever(place: Folder) -> Status | None:
    try:
        return inspect(place.path.name)
    except KarrotsError as error:
        return Status(id=place.path.name, name="?", folder=place.path, problem=error.why)


def _required(cluster_id: str) -> Status:
    status = inspect(cluster_id)
    if status is None:
        raise _unknown(cluster_id)
    return status


def _loaded(place: Folder) -> State:
    state = place.load()
    if state is None:
        raise _unknown(place.path.name)
    return state


def _unknown(cluster_id: str) -> NotFound:
    return NotFound(f"the engine has no cluster '{cluster_id}'", hint="karrots engine list")


def access(cluster_id: str) -> Access:
    place = folder.of(cluster_id)
    if not place.access.exists():
        raise _unknown(cluster_id)
    return runtime.access(place)


def kubeconfig(cluster_id: str) -> Path:
    place = folder.of(cluster_id)
    if not place.kubeconfig.exists():
        raise _unknown(cluster_id)
    return place.kubeconfig


def ports_of(cluster_id: str) -> list[int]:
    return sorted(_loaded(folder.of(cluster_id)).ports.values())


def git_access(cluster_id: str, *, rehearsal: bool = False) -> tuple[str, str, str]:
    """URL, user name and password with which Flux in that cluster reads the fleet repository.

    `rehearsal`: it sees the one branch of the rehearsal of that id (karrots.fleet.rehearsals).
    """
    from karrots.engine import gitserver

    place = folder.of(cluster_id)
    port = _loaded(place).ports["git-server"]
    below = f"/rehearsals/{cluster_id}" if rehearsal else ""
    return f"http://{ports.HOST}:{port}{below}{gitserver.PATH}", gitserver.USERNAME, place.token.read_text().strip()


def logs(cluster_id: str) -> dict[str, Path]:
    """The log file of each component that has one."""
    place = folder.of(cluster_id)
    return {name: place.log(name) for name in (*components.ALL, components.STARTER) if place.log(name).exists()}


def strays() -> list[Stray]:
    """Components of the engine that run for a cluster that is gone, or that its state does not know."""
    found = []
    for candidate, where in runtime.running():
        state = _readable(Folder(where))
        if not _known(candidate, state):
            found.append(Stray(candidate.pid, _program(candidate), str(where)))
    return found


def end_strays(chosen: Callable[[Stray], bool] = lambda _: True) -> list[Stray]:
    """End those strays and name them. Under each cluster's lock: a component that is just being started is none."""
    ended = []
    for name in sorted({Path(stray.where).name for stray in strays() if chosen(stray)}):
        place = folder.of(name)
        with _locked(name):
            left = {Stray(p.pid, _program(p), str(place.path)): p for p in runtime.strays_of(place, _readable(place))}
            picked = [stray for stray in left if chosen(stray)]
            processes.kill(left[stray] for stray in picked)
            ended += picked
    return ended


def _known(candidate: psutil.Process, state: State | None) -> bool:
    entries = state.processes.values() if state else ()
    return any(entry.pid == candidate.pid and processes.alive(entry) for entry in entries)


def _program(candidate: psutil.Process) -> str:
    command = candidate.info["cmdline"]
    return components.module(command) or Path(command[0]).name


def binaries_in_use() -> set[Path]:
    """The builds that clusters of this computer were started from."""
    states = [_readable(place) for place in folder.every()]
    return {Path(state.binaries) for state in states if state and state.binaries}
