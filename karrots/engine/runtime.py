"""Brings one cluster from whatever is there to what is wanted: starts what is missing, in the order that is fastest."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from karrots import files, places
from karrots.adapters.kube import Access, Object, kubeconfig
from karrots.engine import ANSWERS, components, content, ports, processes
from karrots.engine.components import BASE, CONTROLLERS, FLUX, NAMESPACE, STARTER, Layout
from karrots.engine.folder import write_private
from karrots.errors import Failed, UsageError
from karrots.spec import json_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from karrots.adapters.kube import Kube
    from karrots.engine.folder import Folder, State

LOG_TAIL = 2000
TERM_TIME = 3.0
START_TIME = 2.0


@dataclass(frozen=True)
class Engine:
    """The programs of one build and what comes with them: Flux's kinds, kwok's stages, versions."""

    programs: Path
    kinds: Sequence[Object]
    stages: Path
    versions: dict[str, str]

    @property
    def stamp(self) -> str:
        return json.dumps(self.versions, sort_keys=True)


class Runtime:
    """One cluster while its lock is held. Each change of `state` is on disk before the next thing is done."""

    def __init__(self, folder: Folder, state: State, engine: Engine) -> None:
        self.folder = folder
        self.state = state
        self.engine = engine
        self.started: list[str] = []
        self._layout = Layout(folder, state.ports, engine.stages, state.repository, state.authenticator)

    def converge(self, say: Callable[[str], None]) -> list[str]:
        """Names what was started. Raises Failed when a component does not stay up or a port of it is taken."""
        wanted = components.wanted(self.state)
        self._make_room([name for name in wanted if not self._runs(name)])
        self._forget_half_made()
        self._start("etcd")
        self._certify()
        self._start("kube-apiserver")
        kube = content.wait_for_api(access(self.folder), self._keep_base)
        say(f"{ANSWERS} at {kube.access.server}")
        self._start("git-server")
        self._fill(kube)
        self._start(*(name for name in wanted if name in FLUX))
        say("without Flux" if self.state.bare else "Flux is started")
        self._start(*CONTROLLERS)
        self._start_nodes(kube)
        self._start(*(name for name in wanted if name == STARTER))
        kube.close()
        return self.started

    def _forget_half_made(self) -> None:
        """An etcd killed in its very first moments never elects a leader again; nobody has used its data yet."""
        if not self.state.content and not self._runs("etcd"):
            processes.kill([found for known in self.state.processes.values() if (found := processes.find(known))])
            files.remove_tree(self.folder.etcd, whatever=True)

    def _certify(self) -> None:
        """While etcd starts, which needs none of it."""
        from karrots.engine import certificates

        certificates.make(self.folder.pki)
        write_access(self.folder, self.state)

    def _runs(self, name: str) -> bool:
        """It is alive and does what it should; by which of its names Python was called does not count."""
        known, wanted = self.state.processes.get(name), components.argv(name, self._layout)
        return known is not None and known.argv[1:] == wanted[1:] and processes.alive(known)

    def _make_room(self, due: Sequence[str]) -> None:
        """End what is left of the components to start; then nobody else may be on their ports."""
        known = [self.state.processes[name] for name in due if name in self.state.processes]
        left = [found for found in map(processes.find, known) if found]
        processes.terminate(left, TERM_TIME)
        if self.folder.log("etcd").exists():
            processes.kill(strays_of(self.folder, self.state))
            self._save(starting="")
        for name in due:
            for port in components.PORTS[name]:
                self._need_port(name, self.state.ports[port])

    def _need_port(self, name: str, port: int) -> None:
        if not ports.is_free(port, reuse=True):
            raise Failed(
                f"{name} of cluster '{self.state.name}' cannot start: port {port} is taken",
                why=f"{ports.holder(port)} listens on {ports.HOST}:{port}",
                hint="end that program, then run the same command again",
            )

    def _start(self, *names: str) -> None:
        for name in names:
            if not self._runs(name):
                self._start_one(name)

    def _start_one(self, name: str) -> None:
        if name not in components.MODULES.values():
            self._link(name)
        self._save(starting=name)
        known = processes.start(
            components.argv(name, self._layout),
            cwd=self.folder.path,
            env=components.environment(name, self._layout),
            log=self.folder.log(name),
        )
        self.started.append(name)
        self._save(processes=self.state.processes | {name: known}, starting="")

    def _link(self, name: str) -> None:
        link, program = self.folder.program(name), self.engine.programs / name
        if not link.is_symlink() or link.readlink() != program:
            files.link(link, program)

    def _keep_base(self) -> None:
        """An API server that was starting when its etcd died ends too, a while later: it is started again, once."""
        for name in BASE:
            if not self._runs(name):
                if name in self.started:
                    raise self._ended(name)
                self._start_one(name)

    def _ended(self, name: str) -> Failed:
        log = self.folder.log(name)
        return Failed(
            f"{name} of cluster '{self.state.name}' ended just after its start",
            why=_tail(log),
            hint=f"karrots engine logs {self.state.name}",
            log=log,
        )

    def _fill(self, kube: Kube) -> None:
        """Flux's kinds and namespace; a bare cluster gets them from whoever installs Flux.

        A restarted API server has them, but must serve them before Flux asks.
        """
        new = self.state.content != self.engine.stamp
        if new or "kube-apiserver" in self.started:
            if not self.state.bare:
                content.serve_kinds(kube.access, self.engine.kinds, update=bool(self.state.content) and new)
                content.make_namespace(kube, NAMESPACE)
            self._save(content=self.engine.stamp, versions=self.engine.versions)

    def _start_nodes(self, kube: Kube) -> None:
        self.set_nodes(kube)
        if not self._runs("kwok"):
            content.forget_leases(kube)
            self._start_one("kwok")

    def set_nodes(self, kube: Kube) -> None:
        content.set_nodes(kube, self.state.nodes, self.state.ports["kwok"], self.state.versions["kubernetes"])

    def _save(self, **changed: object) -> None:
        self.state = replace(self.state, **changed)  # type: ignore[arg-type]
        self.folder.save(self.state)


def write_access(folder: Folder, state: State) -> None:
    server = f"https://{ports.HOST}:{state.ports['kube-apiserver']}"
    entry = {
        "server": server,
        "ca": (folder.pki / "ca.crt").read_text(),
        "certificate": str(folder.pki / "admin.crt"),
        "key": str(folder.pki / "admin.key"),
    }
    write_private(folder.access, json.dumps(entry, indent=2, sort_keys=True) + "\n")
    write_private(folder.kubeconfig, json.dumps(kubeconfig(state.name, access(folder)), indent=2) + "\n")


def access(folder: Folder) -> Access:
    try:
        entry = json_file.load(files.content(folder.access))
        server, ca, certificate, key = (_text(entry[name]) for name in ("server", "ca", "certificate", "key"))
    except (UsageError, ValueError, KeyError, TypeError) as error:
        raise Failed(
            f"{folder.access} cannot be read", why=f"{type(error).__name__}: {error}", hint="karrots engine list"
        ) from error
    return Access(server, ca, Path(certificate), Path(key))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("an entry is no text")
    return value


def strays_of(folder: Folder, state: State | None) -> list[psutil.Process]:
    """Components of this cluster that its state does not know: their starter was killed before it could write.

    One that was just being started then is waited for: until it runs the component's program it looks like its starter.
    """
    end = time.monotonic() + (START_TIME if state and state.starting else 0)
    while not (found := _unknown(folder, state)) and time.monotonic() < end:
        time.sleep(processes.LOOK_AGAIN)
    return found


def _unknown(folder: Folder, state: State | None) -> list[psutil.Process]:
    known = [entry.pid for entry in state.processes.values() if processes.alive(entry)] if state else []
    return [found for found, owner in running() if owner == folder.path and found.pid not in known]


def running() -> list[tuple[psutil.Process, Path]]:
    """Every process of this user that is a component of a cluster of this home, with the folder of the cluster."""
    home = places.engine_clusters()
    found = []
    for candidate in psutil.process_iter(["cmdline", "uids"]):
        owner = components.owner(candidate.info["cmdline"] or [], home)
        if owner and candidate.info["uids"].real == os.getuid():
            found.append((candidate, owner))
    return found


def _tail(log: Path) -> str:
    try:
        return log.read_bytes()[-LOG_TAIL:].decode("utf-8", "replace").strip().splitlines()[-1]
    except (OSError, IndexError):
        return "it wrote no log"
