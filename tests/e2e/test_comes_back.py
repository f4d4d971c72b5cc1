"""Whatever of a cluster is killed, or all of it: it comes back with its objects, and Flux goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.engine import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import World

pytestmark = pytest.mark.engine

FRONT = "flux/apps/front/deployment.yaml"
COMPONENTS = (
    "etcd", "kube-apiserver", "git-server", "source-controller", "kustomize-controller", "helm-controller",
    "notification-controller", "kube-controller-manager", "kube-scheduler", "kwok",
)  # fmt: skip


@pytest.fixture(scope="module")
def cluster(world: World) -> Iterator[dict[str, Any]]:
    """Qa, with an object that is in no repository."""
    made: dict[str, Any] = world.karrots("create", "qa", "-o", "json").document
    world.kubectl("qa", "-n", "default", "create", "configmap", "kept", "--from-literal=a=b")
    yield made
    world.karrots("destroy", "qa", "--yes")
    assert not [line for line in world.processes() if made["id"] in line]


def running(world: World) -> dict[str, int]:
    found = world.karrots("engine", "status", "qa", "-o", "json").document["clusters"][0]["processes"]
    return {process["name"]: process["pid"] for process in found if process["running"]}


def kill(world: World, *names: str) -> None:
    pids = running(world)
    for name in names or pids:
        os.kill(pids[name], signal.SIGKILL)
    eventually(lambda: not set(names or pids) & set(running(world)))


def state_file(world: World, cluster: dict[str, Any]) -> Path:
    return world.root / "karrots" / "state" / "engine" / "clusters" / str(cluster["id"]) / "state.json"


def check_whole(world: World, cluster: dict[str, Any]) -> None:
    """Same address, same certificates, same objects, every component."""
    assert set(running(world)) == set(COMPONENTS)
    assert world.kubectl("qa", "-n", "default", "get", "configmap", "kept", "-o", "jsonpath={.data.a}") == "b"
    shown = world.karrots("kubeconfig", "qa").out
    assert cluster["server"] in shown


def check_flux_goes_on(world: World) -> None:
    """`Ready` alone may be from before the kill: a new commit has to arrive."""
    front = world.directory / FRONT
    before = next(line for line in front.read_text().splitlines() if "image:" in line).split(":")[-1]
    after = f"1.9.{int(before.split('.')[-1]) + 1}"
    world.commit(FRONT, f"shop/front:{before}", f"shop/front:{after}")
    world.karrots("sync", "qa")
    assert world.image("qa") == f"shop/front:{after}"


@pytest.mark.parametrize("name", COMPONENTS)
def test_any_one_component(world: World, cluster: dict[str, Any], name: str) -> None:
    before = running(world)
    kill(world, name)
    world.karrots("engine", "up", "qa")
    check_whole(world, cluster)
    started = {other for other, pid in running(world).items() if pid != before[other]}
    assert name in started
    assert started <= {name, "kube-apiserver"}, "what lives is left alone, but for an API server that etcd took along"


def test_all_of_them_come_back_without_a_name(world: World, cluster: dict[str, Any]) -> None:
    kill(world)
    world.karrots("engine", "up")
    check_whole(world, cluster)
    check_flux_goes_on(world)


def test_stopped_and_started(world: World, cluster: dict[str, Any]) -> None:
    stopped = world.karrots("engine", "stop", "qa", "-o", "json").document["clusters"][0]
    assert stopped["running"] == 0
    assert not [line for line in world.processes() if cluster["id"] in line]
    world.karrots("engine", "up", "qa")
    check_whole(world, cluster)


def test_apply_after_a_restart_of_the_computer(world: World, cluster: dict[str, Any]) -> None:
    """All processes gone, another boot, and the old process ids are those of strangers now."""
    kill(world)
    file = state_file(world, cluster)
    strangers = [subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) for _ in COMPONENTS]
    try:
        state = json.loads(file.read_text())
        for entry, stranger in zip(state["processes"].values(), strangers, strict=True):
            _, _, rest = entry["born"].partition("/")
            entry.update(pid=stranger.pid, born=f"11111111-2222-3333-4444-555555555555/{rest}")
        file.write_text(json.dumps(state))
        assert running(world) == {}
        world.karrots("apply", "qa")
        assert [stranger.poll() for stranger in strangers] == [None] * len(strangers)
    finally:
        for stranger in strangers:
            stranger.communicate()
    check_whole(world, cluster)
    check_flux_goes_on(world)


def test_a_fleet_that_is_gone_does_not_stop_the_others(world: World, cluster: dict[str, Any]) -> None:
    kill(world)
    other = world.root / "other.git"
    subprocess.run(["git", "init", "-q", "--bare", str(other)], check=True)
    words = [sys.executable, "-m", "karrots.engine", "up", "--id", "01other", "--name", "other", "--repository"]
    subprocess.run([*words, str(other)], env=world.env, check=True, stdout=subprocess.DEVNULL)
    world.karrots("engine", "stop", "01other")
    other.rename(world.root / "moved.git")
    told = world.karrots("engine", "up", expect=10)
    assert "1 of 2 clusters did not come up; the repository of cluster 'other' is gone" in told.err
    check_whole(world, cluster)
    subprocess.run([sys.executable, "-m", "karrots.engine", "down", "--id", "01other"], env=world.env, check=True)
