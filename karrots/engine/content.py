"""What the API server of a new cluster is given before anybody uses it: Flux's kinds, its namespace, nodes."""

from __future__ import annotations

import re
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from karrots.adapters.kube import Access, ApiRefused, ApiUnreachable, Kube, Object
from karrots.errors import TimedOut

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
NODES = "/api/v1/nodes"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
API_TIME = 60.0
# An API server that was just started again, on a computer with other work, has taken longer than half of it.
SERVED_TIME = 60.0
DRAIN_TIME = 30.0
LOOK_AGAIN = 0.02
CONNECTIONS = 4
OURS = re.compile(r"node-[0-9]+")
# What an API server answers while parts of it are still coming up.
NOT_YET = (403, 404, 429, 500, 503)


def wait_for_api(access: Access, still_there: Callable[[], None]) -> Kube:
    """Poll until the API server answers a real request (its /readyz comes half a second later).

    `still_there` raises when waiting has become pointless.
    """
    kube = Kube(access, timeout=5.0)
    _until(lambda: _answers(kube), API_TIME, f"the API server at {access.server} to answer", still_there)
    return kube


def _answers(kube: Kube) -> bool:
    try:
        return kube.request("GET", "/api/v1/namespaces?limit=1")[0] == 200
    except ApiUnreachable:
        return False


def serve_kinds(access: Access, kinds: Sequence[Object], *, update: bool) -> None:
    """Make the custom kinds, over some connections at once, and wait until each is really served.

    `update` brings those that are there to what they should say. Established is not enough: for a while after it the
    server answers lists with 429 and a Retry-After of a second, which controllers sleep through.
    """
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        connections = [pool.submit(_serve, access, kinds[first::CONNECTIONS], update) for first in range(CONNECTIONS)]
        for connection in connections:
            connection.result()


def _serve(access: Access, kinds: Sequence[Object], update: bool) -> None:  # noqa: FBT001  (pool.submit takes it so)
    kube = Kube(access)
    try:
        for kind in kinds:
            _until(partial(_made, kube, kind, update), SERVED_TIME, f"{kind['metadata']['name']} to be accepted")
        for kind in kinds:
            _until(partial(_served, kube, kind), SERVED_TIME, f"{kind['metadata']['name']} to be served")
    finally:
        kube.close()


def _made(kube: Kube, kind: Object, update: bool) -> bool:  # noqa: FBT001
    try:
        if not kube.create(CRDS, kind) and update:
            kube.apply(CRDS, kind)
    except ApiRefused as error:
        if error.status in NOT_YET:
            return False
        raise
    return True


def _served(kube: Kube, kind: Object) -> bool:
    """Listed and discovered: a Flux controller ends at once when discovery does not know its kind yet."""
    group, plural = kind["spec"]["group"], kind["spec"]["names"]["plural"]
    versions = [f"/apis/{group}/{version['name']}" for version in kind["spec"]["versions"] if version["served"]]
    return all(_lists(kube, version, plural) and _discovers(kube, version, plural) for version in versions)


def _lists(kube: Kube, version: str, plural: str) -> bool:
    return kube.request("GET", f"{version}/{plural}?limit=1&resourceVersion=0")[0] == 200


def _discovers(kube: Kube, version: str, plural: str) -> bool:
    status, found = kube.request("GET", version)
    return status == 200 and any(resource["name"] == plural for resource in found["resources"])


def make_namespace(kube: Kube, name: str) -> None:
    kube.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})


def forget_leases(kube: Kube) -> None:
    """A new kwok would wait up to 40 s for the leases that an ended one holds on its nodes."""
    for lease in list(kube.list(LEASES)):
        kube.delete(f"{LEASES}/{lease['metadata']['name']}")


def set_nodes(kube: Kube, count: int, kubelet_port: int, version: str) -> None:
    """As many of our simulated nodes as wanted; what ran on one too many moves to those that stay."""
    wanted = [f"node-{number}" for number in range(count)]
    there = [found["metadata"]["name"] for found in kube.list(NODES)]
    for name in wanted:
        if name not in there:
            kube.create(NODES, node(name, kubelet_port, version))
    _remove(kube, [name for name in there if OURS.fullmatch(name) and name not in wanted])


def _remove(kube: Kube, names: Sequence[str]) -> None:
    """Empty the nodes before they go: kwok ends no pod of a node that is gone."""
    for name in names:
        kube.merge(f"{NODES}/{name}", {"spec": {"unschedulable": True}})
    for name in names:
        for pod in _pods(kube, name):
            kube.delete(f"/api/v1/namespaces/{pod['namespace']}/pods/{pod['name']}")
    for name in names:
        _until(partial(_empty, kube, name), DRAIN_TIME, f"the pods to leave {name}")
        kube.delete(f"{NODES}/{name}")


def _empty(kube: Kube, node_name: str) -> bool:
    return not _pods(kube, node_name)


def _pods(kube: Kube, node_name: str) -> list[Object]:
    return [pod["metadata"] for pod in kube.list("/api/v1/pods", fieldSelector=f"spec.nodeName={node_name}")]


def node(name: str, kubelet_port: int, version: str) -> Object:
    size = {"cpu": "32", "memory": "256Gi", "pods": "110", "ephemeral-storage": "1Ti"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "annotations": {"kwok.x-k8s.io/node": "fake"}, "labels": _labels(name)},
        "status": {
            "capacity": size,
            "allocatable": size,
            "daemonEndpoints": {"kubeletEndpoint": {"Port": kubelet_port}},
            "nodeInfo": _node_info(version),
        },
    }


def _labels(name: str) -> dict[str, str]:
    return {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "node.kubernetes.io/instance-type": "kwok",
        "topology.kubernetes.io/region": "local",
        "topology.kubernetes.io/zone": "local-a",
    }


def _node_info(version: str) -> dict[str, Any]:
    known = dict.fromkeys(("kubeletVersion", "kubeProxyVersion"), f"v{version}")
    known |= dict.fromkeys(("containerRuntimeVersion", "osImage"), "kwok")
    unknown = dict.fromkeys(("bootID", "kernelVersion", "machineID", "systemUUID"), "")
    return {**known, **unknown, "operatingSystem": "linux", "architecture": "amd64"}


def _until(look: Callable[[], bool], seconds: float, what: str, still_there: Callable[[], None] = lambda: None) -> None:
    end = time.monotonic() + seconds
    while not look():
        still_there()
        if time.monotonic() > end:
            raise TimedOut(
                f"waited {seconds:.0f} s for {what}", hint="run the same command again; karrots engine logs shows more"
            )
        time.sleep(LOOK_AGAIN)
