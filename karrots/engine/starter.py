"""The kubelet of Flux's controllers on a bare cluster: starts each as a process once its Deployment has a pod.

It also starts again what has ended: a bare cluster stands in for a cloud's, whose control plane mends itself.

Runs as a process of its cluster: `python -m karrots.engine.starter FOLDER`. Pods are simulated and run nothing, so what
nodes would do is done here: a controller starts when a pod of its Deployment is Ready, which takes a node.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from karrots.adapters.kube import Kube, group
from karrots.engine import cluster, components
from karrots.errors import KarrotsError

if TYPE_CHECKING:
    from collections.abc import Collection

LOOK_AGAIN = 0.2
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{components.NAMESPACE}/deployments"


def running_pods(kube: Kube) -> list[str]:
    """Controllers of Flux that have a Deployment with a pod that runs."""
    ready = {each["metadata"]["name"] for each in kube.list(DEPLOYMENTS) if group(each, "status").get("readyReplicas")}
    return [name for name in components.FLUX if name in ready]


def look(cluster_id: str, kube: Kube, known: Collection[str]) -> Collection[str]:
    """Start what is new; answers what is started. What cannot be done now is tried again at the next look."""
    try:
        if mended := cluster.tend(cluster_id):
            _say(f"started again {', '.join(mended)}")
        found = running_pods(kube)
        if set(found) <= set(known):
            return known
        _say(f"pods of {', '.join(found)} run; started {', '.join(cluster.deploy(cluster_id, found))}")
        return found
    except KarrotsError as error:
        _say(f"{error.message}: {error.why}")
        return known


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def main() -> None:
    parser = argparse.ArgumentParser(prog="karrots.engine.starter")
    parser.add_argument("folder", type=Path)
    cluster_id = parser.parse_args().folder.name
    kube = Kube(cluster.access(cluster_id))
    known: Collection[str] = ()
    while True:
        known = look(cluster_id, kube, known)
        time.sleep(LOOK_AGAIN)


if __name__ == "__main__":
    main()
