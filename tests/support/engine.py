"""Clusters of the real engine for tests."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from karrots.adapters.kube import Kube, condition
from karrots.engine import cluster, runtime
from karrots.engine.folder import Request
from tests.support.repositories import repository

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from karrots.adapters.kube import Object

T = TypeVar("T")

PATIENCE = 60.0


def eventually(look: Callable[[], T]) -> T:
    """What `look` answers once that is true."""
    end = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.02)
    return found


def runs(cluster_id: str) -> bool:
    """With what died at its start mended, as each operation does while it waits."""
    cluster.tend(cluster_id)
    status = cluster.inspect(cluster_id)
    return status is not None and status.alive


class Fleet:
    """A repository, and the clusters a test started from it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.git_dir = repository(root).git_dir

    def request(self, cluster_id: str = "01a", nodes: int = 1, *, bare: bool = False) -> Request:
        return Request(cluster_id, f"qa-{cluster_id}", self.git_dir, nodes, bare)

    def up(self, cluster_id: str = "01a", nodes: int = 1, *, bare: bool = False) -> cluster.Status:
        return cluster.up(self.request(cluster_id, nodes, bare=bare), lambda _: None)


def remove_all() -> None:
    for status in cluster.clusters():
        cluster.down(status.id)
    for stray in cluster.strays():
        cluster.down(stray.where.rsplit("/", 1)[1])
    assert runtime.running() == []


def reach(cluster_id: str = "01a") -> Kube:
    return Kube(cluster.access(cluster_id))


def pids(cluster_id: str = "01a") -> dict[str, int]:
    status = cluster.inspect(cluster_id)
    assert status is not None
    return {component.name: component.pid for component in status.components}


def is_true(kube: Kube, path: str, kind: str = "Ready") -> bool:
    found = kube.get(path)
    return bool(found) and (condition(found or {}, kind) or {}).get("status") == "True"


def named(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}


def required(cluster_id: str = "01a") -> cluster.Status:
    status = cluster.inspect(cluster_id)
    assert status is not None
    return status
