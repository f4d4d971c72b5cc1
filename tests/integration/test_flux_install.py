"""Flux's real manifest onto a real API server that has no Flux, and the controllers that follow it."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import pytest

from karrots.adapters import flux, flux_install
from karrots.engine import cluster, components
from karrots.spec import flux_components
from tests.support import engine, flux_manifest, golang
from tests.support.engine import Fleet, eventually, pids, reach
from tests.support.repositories import commit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from karrots.adapters.kube import Kube, Object
    from karrots.spec.flux_components import Components

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("with_engine")]

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: from-git\n  namespace: default\n"


@pytest.fixture(scope="module")
def manifest(engine_bin: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return flux_manifest.build(golang.of_this_computer(), engine_bin, tmp_path_factory.mktemp("flux")).encode()


@pytest.fixture
def given(manifest: bytes) -> Components:
    return flux_components.read(manifest, "gotk-components.yaml")


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    yield Fleet(tmp_path / "fleet")
    engine.remove_all()


def quiet(_: str) -> None:
    pass


def told(kube: Kube, given: Components) -> dict[str, Object]:
    """Each object as it was told to be, with who said so and when; what controllers report of it left out."""
    found = {}
    for obj in given.objects:
        live = kube.get(f"{flux_components.collection(obj)}/{obj['metadata']['name']}")
        assert live is not None, obj["metadata"]["name"]
        meta = {key: value for key, value in live["metadata"].items() if key != "resourceVersion"}
        meta["managedFields"] = [f for f in meta["managedFields"] if f.get("subresource") != "status"]
        found[f"{obj['kind']}/{obj['metadata']['name']}"] = {**live, "metadata": meta, "status": None}
    return found


def seen_by_controllers(kube: Kube) -> bool:
    return all(each.get("status", {}).get("unavailableReplicas") for each in kube.list(flux_install.DEPLOYMENTS))


def test_a_bare_cluster_has_no_flux(fleet: Fleet) -> None:
    status = fleet.up(nodes=0, bare=True)
    eventually(lambda: engine.required().alive)
    assert {c.name for c in status.components} == {*components.ALL, components.STARTER} - {*components.FLUX}
    kube = reach()
    eventually(lambda: kube.request("GET", f"{flux.GIT_REPOSITORIES}?limit=1")[0] == 404)  # 503 while it begins
    assert kube.get(flux_install.NAMESPACE_PATH) is None
    assert flux_install.installed(kube) is None


def test_the_manifest_is_applied_twice_without_a_change(fleet: Fleet, given: Components) -> None:
    fleet.up(nodes=0, bare=True)
    said: list[str] = []
    count = flux_install.install(cluster.access("01a"), given, said.append)
    assert count == len(given.objects) == len(said)
    kube = reach()
    assert flux_install.installed(kube) == given.digest
    eventually(lambda: kube.get(f"{flux.KUSTOMIZATIONS}?limit=1"))
    eventually(lambda: seen_by_controllers(kube))
    before = told(kube, given)
    flux_install.install(cluster.access("01a"), given, quiet)
    after = told(kube, given)
    namespace = "Namespace/flux-system"  # it said for a moment that an installation is under way
    assert {name for name in after if after[name] != before[name]} <= {namespace}
    deployments = {each["metadata"]["name"] for each in kube.list(flux_install.DEPLOYMENTS)}
    assert deployments == set(components.FLUX) == set(given.controllers)
    managers = {f["manager"] for o in kube.list(flux_install.DEPLOYMENTS) for f in o["metadata"]["managedFields"]}
    assert "karrots" in managers


def test_the_controllers_start_with_the_first_node_and_sync(fleet: Fleet, given: Components) -> None:
    head = commit(
        fleet.root, {"clusters/qa/flux/map.yaml": MAP, "clusters/qa/flux/kustomization.yaml": "resources: [map.yaml]\n"}
    )
    fleet.up(nodes=0, bare=True)
    flux_install.install(cluster.access("01a"), given, quiet)
    kube = reach()
    url, username, password = cluster.git_access("01a")
    sync = flux.Sync(flux.GitAccess(url, {"username": username, "password": password}), "main", "clusters/qa/flux")
    eventually(lambda: kube.get(f"{flux.KUSTOMIZATIONS}?limit=1"))
    flux.install_sync(kube, sync, {"cluster_name": "qa"})
    assert flux_install.not_running(kube) == sorted(components.FLUX)
    assert flux_install.ready_nodes(kube) == 0
    assert not {*components.FLUX} & {*pids()}
    cluster.nodes("01a", 1)
    eventually(lambda: flux.state(kube).at(head))
    assert {*components.FLUX} <= {*pids()}
    eventually(lambda: not flux_install.not_running(kube))
    assert flux_install.ready_nodes(kube) == 1


def test_what_was_cut_short_says_so(fleet: Fleet, given: Components) -> None:
    """Killed after the kinds were made: they are served, and yet nothing would run."""
    fleet.up(nodes=0, bare=True)
    whole = []

    def until_the_kinds_are_there(said: str) -> None:
        whole.append(said)
        if said.startswith("12 of"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        flux_install.install(cluster.access("01a"), given, until_the_kinds_are_there)
    kube = reach()
    eventually(lambda: kube.get(f"{flux.KUSTOMIZATIONS}?limit=1"))
    assert flux_install.installed(kube) == flux_install.UNDER_WAY
    flux_install.install(cluster.access("01a"), given, quiet)
    assert flux_install.installed(kube) == given.digest


def test_stop_and_up_again_bring_back_what_was_deployed(fleet: Fleet, given: Components) -> None:
    fleet.up(bare=True)
    flux_install.install(cluster.access("01a"), given, quiet)
    eventually(lambda: {*components.FLUX} <= {*pids()})
    eventually(lambda: engine.required().alive)
    running = len(components.ALL) + 1
    assert cluster.stop("01a") == running
    status = fleet.up()
    eventually(lambda: engine.required().alive)  # who found the API server just beginning is started again
    assert len(status.components) == running
    state = json.loads((status.folder / "state.json").read_text())
    assert (state["bare"], state["deployed"]) == (True, list(components.FLUX))
    assert cluster.down("01a").processes == running


def test_a_bare_cluster_mends_itself(fleet: Fleet) -> None:
    fleet.up(bare=True)
    before = pids()
    os.kill(before["kube-controller-manager"], signal.SIGKILL)
    eventually(lambda: pids()["kube-controller-manager"] != before["kube-controller-manager"])
    eventually(lambda: engine.required().alive)
    assert pids()["etcd"] == before["etcd"]
