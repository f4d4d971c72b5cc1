"""The life of a cluster, with the real engine."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import psutil
import pytest

from karrots import places
from karrots.adapters import flux
from karrots.adapters.kube import Access, ApiUnreachable, Kube
from karrots.engine import cluster, components, content, folder, ports, runtime
from karrots.errors import Failed, NotFound
from tests.support import engine
from tests.support.engine import Fleet, eventually, is_true, named, pids, reach
from tests.support.repositories import commit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("with_engine")]

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: from-git\n  namespace: default\n"


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    yield Fleet(tmp_path / "fleet")
    engine.remove_all()


def kill(*names: str) -> None:
    running = pids()
    for name in names or running:
        os.kill(running[name], signal.SIGKILL)
    eventually(lambda: not any(c.alive for c in engine.required().components if c.name in (names or running)))


def kill_up_at(fleet: Fleet, moment: str) -> None:
    """Killed right after that component was started, perhaps before this was written down."""
    words = [sys.executable, "-m", "karrots.engine", "up", "--id", "01a", "--name", "qa-01a", "--repository"]
    with subprocess.Popen([*words, str(fleet.git_dir)], stdout=subprocess.DEVNULL) as starter:
        while not folder.of("01a").log(moment).exists() and starter.poll() is None:
            os.sched_yield()
        starter.kill()


def all_alive() -> bool:
    status = cluster.inspect("01a")
    return status is not None and status.alive


def test_a_cluster_comes_up_whole(fleet: Fleet) -> None:
    said: list[str] = []
    status = cluster.up(fleet.request(nodes=2), said.append)
    assert status.alive
    assert status.rss > 0
    assert status.simulated == ("nodes", "pods")
    assert dict(status.versions).keys() >= {"kubernetes", "etcd", "kwok", "source-controller"}
    assert said[0] == f"API server answers at {status.server}"
    kube = reach()
    for node in ("node-0", "node-1"):
        eventually(partial(is_true, kube, f"{content.NODES}/{node}"))
    version = kube.get("/version") or {}
    assert version["gitVersion"] == f"v{dict(status.versions)['kubernetes']}"
    assert set(cluster.logs("01a")) == set(components.ALL)


def test_what_gives_access_is_for_the_owner_only(fleet: Fleet) -> None:
    fleet.up()
    place = folder.of("01a")
    for file in (place.access, place.kubeconfig, place.token, place.state, place.pki / "admin.key"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert stat.S_IMODE(place.path.stat().st_mode) == 0o700
    sockets = [path for path in place.path.iterdir() if path.is_socket()]
    assert sorted(path.name for path in sockets) == ["etcd.sock:1", "etcd.sock:2"]
    context = json.loads(cluster.kubeconfig("01a").read_text())["current-context"]
    assert context == "qa-01a"


def test_nobody_is_let_in_without_a_certificate(fleet: Fleet) -> None:
    status = fleet.up()
    stranger = Kube(Access(status.server, cluster.access("01a").ca))
    assert stranger.request("GET", "/api/v1/namespaces")[0] == 403
    assert stranger.request("GET", "/api/v1/secrets")[0] == 403
    addresses = {c.laddr.ip for pid in pids().values() for c in psutil.Process(pid).net_connections("inet")}
    assert addresses == {"127.0.0.1"}


def test_flux_applies_what_the_repository_says(fleet: Fleet) -> None:
    head = commit(
        fleet.root, {"clusters/qa/flux/map.yaml": MAP, "clusters/qa/flux/kustomization.yaml": "resources: [map.yaml]\n"}
    )
    fleet.up()
    url, username, password = cluster.git_access("01a")
    sync = flux.Sync(flux.GitAccess(url, {"username": username, "password": password}), "main", "clusters/qa/flux")
    kube = reach()
    flux.install_sync(kube, sync, {"cluster_name": "qa"})
    eventually(lambda: flux.state(kube).at(head))
    assert kube.get(f"{CONFIG_MAPS}/from-git")


def test_up_again_starts_nothing(fleet: Fleet) -> None:
    first = fleet.up()
    before = pids()
    assert fleet.up().server == first.server
    assert pids() == before
    assert cluster.tend("01a") == []


def test_down_leaves_no_process_port_or_file(fleet: Fleet) -> None:
    fleet.up()
    state = folder.of("01a").load()
    assert state is not None
    assert cluster.strays() == []
    gone = cluster.down("01a")
    assert gone.processes == len(components.ALL)
    assert gone.ports == len(components.PORT_NAMES)
    assert gone.files > 20
    assert runtime.running() == []
    assert not any(psutil.pid_exists(known.pid) for known in state.processes.values())
    assert all(ports.is_free(port, reuse=True) for port in state.ports.values())
    home = places.state() / "engine"
    assert [str(path.relative_to(home)) for path in home.rglob("*")] == ["clusters", "locks"]
    assert cluster.down("01a") == cluster.Removed(0, 0, 0)
    assert cluster.inspect("01a") is None
    with pytest.raises(NotFound):
        cluster.access("01a")
    with pytest.raises(NotFound):
        cluster.tend("01a")


def test_each_component_that_dies_is_started_again(fleet: Fleet) -> None:
    fleet.up()
    kube = reach()
    kube.create(CONFIG_MAPS, named("kept"))
    eventually(lambda: kube.request("GET", "/readyz")[0] == 200)
    for name in components.ALL:
        before = pids()
        kill(name)
        assert cluster.tend("01a") == [name]
        after = pids()
        assert {other for other in components.ALL if after[other] != before[other]} == {name}
    assert all_alive()
    assert reach().get(f"{CONFIG_MAPS}/kept")


def test_an_etcd_that_dies_while_the_api_server_starts_is_no_end(fleet: Fleet) -> None:
    fleet.up()
    kill("etcd")
    assert "etcd" in cluster.tend("01a")
    eventually(lambda: cluster.tend("01a") == [] and reach().request("GET", "/readyz")[0] == 200)


def test_after_a_kill_of_everything_all_objects_are_back(fleet: Fleet) -> None:
    before = fleet.up()
    reach().create(CONFIG_MAPS, named("kept"))
    kill()
    after = fleet.up()
    assert after.server == before.server
    kube = reach()
    assert kube.get(f"{CONFIG_MAPS}/kept")
    eventually(lambda: is_true(kube, f"{content.NODES}/node-0"))
    leases = list(kube.list(content.LEASES))
    assert all(lease["spec"]["holderIdentity"] for lease in leases)


def test_stop_keeps_the_data(fleet: Fleet) -> None:
    fleet.up()
    reach().create(CONFIG_MAPS, named("kept"))
    assert cluster.stop("01a") == len(components.ALL)
    assert runtime.running() == []
    assert cluster.stop("01a") == 0
    fleet.up()
    assert reach().get(f"{CONFIG_MAPS}/kept")


def test_a_port_that_a_stranger_took_is_named_with_the_stranger(fleet: Fleet) -> None:
    fleet.up()
    cluster.stop("01a")
    state = folder.of("01a").load()
    assert state is not None
    port = state.ports["kube-apiserver"]
    with socket.create_server(("127.0.0.1", port)), pytest.raises(Failed) as failure:
        fleet.up()
    assert failure.value.message == f"kube-apiserver of cluster 'qa-01a' cannot start: port {port} is taken"
    assert failure.value.why.startswith(f"process {os.getpid()} (")
    assert fleet.up().alive


def test_clusters_share_nothing(fleet: Fleet) -> None:
    fleet.up("01a")
    fleet.up("01b")
    one, other = folder.of("01a").load(), folder.of("01b").load()
    assert one is not None
    assert other is not None
    assert not set(one.ports.values()) & set(other.ports.values())
    reach("01a").create(CONFIG_MAPS, named("only-here"))
    assert reach("01b").get(f"{CONFIG_MAPS}/only-here") is None
    with pytest.raises(ApiUnreachable, match="does not answer"):
        Kube(replace(cluster.access("01a"), server=cluster.access("01b").server)).get("/version")
    assert [status.id for status in cluster.clusters()] == ["01a", "01b"]
    cluster.down("01a")
    assert engine.required("01b").alive


def test_nodes_come_and_go_and_take_their_pods_along(fleet: Fleet) -> None:
    fleet.up(nodes=1)
    kube = reach()
    cluster.nodes("01a", 3)
    assert {node["metadata"]["name"] for node in kube.list(content.NODES)} == {"node-0", "node-1", "node-2"}
    eventually(lambda: kube.get("/api/v1/namespaces/default/serviceaccounts/default"))
    pod = {"spec": {"nodeName": "node-2", "containers": [{"name": "a", "image": "a"}]}}
    kube.create("/api/v1/namespaces/default/pods", {**named("on-2"), **pod, "kind": "Pod"})
    kube.create(content.NODES, {**named("somebody-elses"), "kind": "Node"})
    cluster.nodes("01a", 1)
    assert {node["metadata"]["name"] for node in kube.list(content.NODES)} == {"node-0", "somebody-elses"}
    assert kube.get("/api/v1/namespaces/default/pods/on-2") is None
    assert engine.required().nodes == 1


def test_a_repository_that_moved_is_followed(fleet: Fleet) -> None:
    fleet.up()
    before = pids()
    moved = fleet.root.with_name("moved")
    fleet.root.rename(moved)
    fleet.git_dir = moved / ".git"
    fleet.up()
    assert {name for name, pid in pids().items() if pid != before[name]} == {"git-server"}


def test_two_at_once_make_one_cluster(fleet: Fleet) -> None:
    words = [sys.executable, "-m", "karrots.engine", "up", "--id", "01a", "--name", "qa", "--repository"]
    both = [subprocess.Popen([*words, str(fleet.git_dir)], stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    eventually(lambda: engine.runs("01a"))
    assert len(runtime.running()) == len(components.ALL)
    assert cluster.strays() == []


@pytest.mark.parametrize("moment", ["etcd", "kube-apiserver", "git-server", "kwok"])
def test_a_killed_up_leaves_nothing_that_down_does_not_find(fleet: Fleet, moment: str) -> None:
    kill_up_at(fleet, moment)
    cluster.down("01a")
    assert runtime.running() == []


@pytest.mark.parametrize("moment", ["etcd", "kube-apiserver", "git-server", "helm-controller", "kwok"])
def test_a_killed_up_can_be_gone_on_with(fleet: Fleet, moment: str) -> None:
    kill_up_at(fleet, moment)
    assert fleet.up().alive
    assert len(runtime.running()) == len(components.ALL)
    assert cluster.strays() == []


def test_what_no_state_knows_is_a_stray(fleet: Fleet) -> None:
    fleet.up()
    place = folder.of("01a")
    place.state.write_text("{")
    found = cluster.strays()
    assert {stray.name for stray in found} == set(components.ALL)
    assert {stray.where for stray in found} == {str(place.path)}
    assert cluster.clusters()[0].problem
    assert {stray.pid for stray in cluster.end_strays()} == {stray.pid for stray in found}
    assert cluster.strays() == []
    assert cluster.down("01a").files > 20


def test_strays_go_with_down_too(fleet: Fleet) -> None:
    fleet.up()
    folder.of("01a").state.unlink()
    assert cluster.down("01a").processes == len(components.ALL)
    assert cluster.strays() == []


def test_a_component_that_cannot_start_says_why(fleet: Fleet) -> None:
    fleet.up()
    cluster.stop("01a")
    place = folder.of("01a")
    for file in (place.etcd / "member" / "wal").iterdir():
        file.write_bytes(b"broken" * 100)
    with pytest.raises(Failed) as failure:
        fleet.up()
    assert failure.value.message == "etcd of cluster 'qa-01a' ended just after its start"
    assert failure.value.log == place.log("etcd")
    assert failure.value.why
    assert cluster.down("01a").processes >= 1
