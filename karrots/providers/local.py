"""Clusters on this computer: the engine's real control planes, started and stopped by Terraform."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from karrots import computer, engine, places
from karrots.adapters.flux import GitAccess
from karrots.errors import KarrotsError, Refused
from karrots.providers.base import Check, Footprint, Leftover, Part, Patience, Swept

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from karrots.adapters.kube import Access, Kube
    from karrots.adapters.tokens import Tokens
    from karrots.fleet.record import Record
    from karrots.providers.base import Estimate, Origin
    from karrots.spec.cluster import ClusterSpec
    from karrots.spec.fleet import Cloud

NAME = "local"
CLUSTER_RESOURCES = ("terraform_data.cluster",)
ANSWERS = engine.ANSWERS
PATIENCE = Patience(up=300.0, down=120.0)
MEMORY = 0


def preflight(spec: ClusterSpec, record: Record, settings: Cloud | None, parent: Record | None) -> list[Check]:
    from karrots.engine import binaries

    checks = [Check("host", is_here(record), described(record), f"run it on '{record.host}'")]
    built = binaries.locate()
    if built is None:
        return [*checks, Check("engine", ok=False, found="not built", hint="karrots engine build")]
    built = binaries.ensure()  # nothing to build: a folder of the user's own is tried once before anything is claimed
    offered = built.versions["kubernetes"].removeprefix("v")
    same = offered.startswith(f"{spec.kubernetes}.") or offered == spec.kubernetes
    found = offered if same else f"{offered} (cluster.yaml says {spec.kubernetes}; the engine has one version)"
    return [*checks, Check("engine", ok=True, found=f"Kubernetes {found}")]


def estimate(spec: ClusterSpec, record: Record) -> Estimate | None:
    return None


def variables(
    record: Record, settings: Cloud | None, repository: Path, origin: Origin | None = None
) -> Mapping[str, Any]:
    return {
        "engine_home": str(places.engine_clusters()),
        "repository": str(repository),
    }


def access(record: Record, outputs: Mapping[str, Any], settings: Cloud | None) -> Access | None:
    """The engine's own files tell; the output `access_file` only names them for people."""
    from karrots.engine import cluster

    here(record)
    try:
        return cluster.access(record.id) if cluster.inspect(record.id) else None
    except (KarrotsError, ValueError):  # half made, or its files are damaged: there is nothing to reach it by
        return None


def tokens(record: Record, settings: Cloud | None) -> Tokens | None:
    return None


def is_here(record: Record) -> bool:
    return computer.is_this(record.host, record.host_id)


def described(record: Record) -> str:
    return computer.described(record.host, record.host_id)


def here(record: Record) -> None:
    """Raises Refused for a cluster that lives on another computer."""
    if not is_here(record):
        raise Refused(
            f"cluster '{record.name}' lives on the computer '{described(record)}'",
            why="clusters of the local engine can be reached only where they run",
            hint=f"run the same command on '{record.host}'",
        )


def git_access(record: Record, remote_url: str | None) -> GitAccess:
    """Flux on the engine always reads the repository on this computer, so a commit is live without a push."""
    from karrots.engine import cluster

    url, username, password = cluster.git_access(record.id)
    return GitAccess(url, {"username": username, "password": password})


def tend(record: Record) -> list[str]:
    from karrots.engine import cluster

    return cluster.tend(record.id)


def parts(record: Record, settings: Cloud | None) -> list[Part]:
    from karrots.engine import cluster

    if not is_here(record):
        return [Part("engine", f"on {described(record)}")]
    status = cluster.inspect(record.id)
    if status is None:
        return [Part("engine", "not running")]
    real = [
        Part(c.name, "running" if c.alive else "stopped", detail=f"{c.rss // 2**20} MiB" if c.alive else "")
        for c in status.components
    ]
    return [*real, *(Part(name, "simulated", real=False) for name in status.simulated)]


def footprint(record: Record, settings: Cloud | None) -> Footprint:
    from karrots.engine import cluster

    try:
        status = cluster.inspect(record.id)
    except KarrotsError:
        return Footprint()
    if status is None:
        return Footprint()
    running = [c for c in status.components if c.alive]
    return Footprint(
        {
            "processes": tuple(f"{c.pid} {born(c.pid)}" for c in running),
            "ports": tuple(map(str, cluster.ports_of(record.id))),
            "files": (str(status.folder),),
        }
    )


def born(pid: int | str) -> str:
    """When the process of that number began: a number alone may be another's by now.

    '' when there is none, or only a dead one that nobody has waited for yet.
    """
    import psutil

    try:
        found = psutil.Process(int(pid))
        return "" if found.status() == psutil.STATUS_ZOMBIE else f"{found.create_time():.2f}"
    except psutil.Error:
        return ""


def still_runs(process: str) -> bool:
    """`process` as footprint writes it: the number and when it began."""
    pid, _, since = process.partition(" ")
    return bool(since) and born(pid) == since


def lost(record: Record) -> tuple[str, ...]:
    from karrots.engine import cluster

    try:
        return () if cluster.inspect(record.id) else ("terraform_data.control_plane",)
    except KarrotsError:
        return ()


def untaint(record: Record, state: Mapping[str, Any], settings: Cloud | None) -> tuple[str, ...]:
    return ()


def refuse_destroy(record: Record, settings: Cloud | None) -> None:
    """Nothing of it is protected."""


def unknown(record: Record, state: Mapping[str, Any], settings: Cloud | None) -> tuple[Leftover, ...]:
    """What the engine runs is found again by its id when Terraform makes it a second time."""
    return ()


def imports(
    record: Record, strangers: Sequence[Leftover], settings: Cloud | None, spec: ClusterSpec
) -> Mapping[str, str]:
    return {}


def drain(record: Record, kube: Kube | None, settings: Cloud | None) -> tuple[Leftover, ...]:
    return ()


def sweep(record: Record, footprint: Footprint, settings: Cloud | None) -> Swept:
    from karrots.engine import cluster, ports

    held = footprint.held
    folder = places.engine_clusters() / record.id
    strays = [s for s in cluster.strays() if record.id in s.where]
    left = [Leftover("process", f"{s.name} (pid {s.pid})") for s in strays]
    left += [Leftover("process", f"pid {it}") for it in held.get("processes", ()) if still_runs(it)]
    left += [Leftover("port", port) for port in held.get("ports", ()) if not ports.is_free(int(port), reuse=True)]
    left += [Leftover("folder", str(folder))] if folder.exists() else []
    return Swept({kind: len(held.get(kind, ())) for kind in ("processes", "ports", "files")}, tuple(left))


def reclaim(
    record: Record, footprint: Footprint, settings: Cloud | None, state: Mapping[str, Any] | None = None
) -> None:
    from karrots.engine import cluster

    here(record)
    cluster.down(record.id)
