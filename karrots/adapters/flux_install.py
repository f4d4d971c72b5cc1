"""Flux's components onto an API server that has none: server-side apply, no pod and no node needed.

What was installed is written on the namespace, first that it is under way and last which manifest it was: so a run that
was ended in between is told from one that was not, and a Flux that somebody else brought is never touched.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from karrots.adapters.kube import Kube, Object, group, text
from karrots.spec.flux_components import COLLECTIONS, NAMESPACE, collection, is_component

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from karrots.adapters.kube import Access
    from karrots.spec.flux_components import Components

    Say = Callable[[str], None]

# Should any of this ever get into the inventory of a Kustomization (https://fluxcd.io/flux/components/kustomize/
# kustomizations/#prune): when it leaves that again it must not be deleted, as Flux would go with it.
NOT_PRUNED = {"kustomize.toolkit.fluxcd.io/prune": "disabled"}
MARK = "karrots.dev/flux-components"
UNDER_WAY = "under way"
# An API server in a cloud takes a tenth of a second for each object; more connections than these it begins to queue.
CONNECTIONS = 4
NAMESPACE_PATH = f"/api/v1/namespaces/{NAMESPACE}"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"


def installed(kube: Kube) -> str | None:
    """The digest of the manifest that karrots applied, UNDER_WAY when it did not end; None when it applied none."""
    found = kube.get(NAMESPACE_PATH)
    return text(group(group(found, "metadata"), "annotations").get(MARK)) or None


def install(access: Access, components: Components, say: Say) -> int:
    """Apply all of it, in an order in which nothing has to wait for what comes later. Counts the objects."""
    told = _Told(len(components.objects), say)
    for stage in _stages(components, UNDER_WAY):
        _apply(access, stage, told)
    namespaces = next(_stages(components, components.digest))
    _apply(access, namespaces, _Told(0, lambda _: None))
    return told.done


class _Told:
    """Counts over all connections."""

    def __init__(self, total: int, say: Say) -> None:
        self.done = 0
        self._total = total
        self._say = say
        self._lock = threading.Lock()

    def applied(self, obj: Object) -> None:
        with self._lock:
            self.done += 1
            self._say(f"{self.done} of {self._total} · {obj['kind']}/{obj['metadata']['name']}")


def _stages(components: Components, mark: str) -> Iterator[list[Object]]:
    """The namespace, then the kinds, then what the controllers need, then the controllers."""
    by_kind: dict[str, list[Object]] = {}
    for obj in components.objects:
        by_kind.setdefault(obj["kind"], []).append(obj)
    yield [_annotated(obj, {MARK: mark}) for obj in by_kind.pop("Namespace")]
    yield by_kind.pop("CustomResourceDefinition")
    controllers = by_kind.pop("Deployment")
    yield [obj for objects in by_kind.values() for obj in objects]
    yield controllers


def _annotated(obj: Object, annotations: Mapping[str, str]) -> Object:
    metadata = obj["metadata"]
    return {**obj, "metadata": {**metadata, "annotations": {**(metadata.get("annotations") or {}), **annotations}}}


def _apply(access: Access, objects: Sequence[Object], told: _Told) -> None:
    count = min(CONNECTIONS, len(objects))
    with ThreadPoolExecutor(max(count, 1)) as pool:
        parts = [pool.submit(_apply_part, access, objects[first::count], told) for first in range(count)]
        for part in parts:
            part.result()


def _apply_part(access: Access, objects: Sequence[Object], told: _Told) -> None:
    kube = Kube(access)
    try:
        for obj in objects:
            kube.apply(collection(obj), _annotated(obj, NOT_PRUNED))
            told.applied(obj)
    finally:
        kube.close()


def keep(kube: Kube, inventory: Iterable[str]) -> None:
    """Those of an inventory (its ids: namespace_name_group_kind) that are Flux's components outlive it."""
    plural = {kind: path for (_, kind), path in COLLECTIONS.items()}
    for entry in inventory:
        _, _, kind = entry.rpartition("_")
        namespace, _, rest = entry.partition("_")
        name = rest.removesuffix(f"_{kind}").rpartition("_")[0]
        if kind in plural and namespace in ("", NAMESPACE):
            path = f"{plural[kind].format(NAMESPACE)}/{name.replace('__', ':')}"
            if is_component(kube.get(path)):
                kube.merge(path, {"metadata": {"annotations": NOT_PRUNED}})


def not_running(kube: Kube) -> list[str]:
    """Controllers of Flux that have a Deployment here and no pod that runs; none on the engine, which needs no pods.

    One that is not to run, as a fence holds it, is not waited for.
    """
    wanted = (found for found in kube.list(DEPLOYMENTS) if group(found, "spec").get("replicas") != 0)
    return sorted(found["metadata"]["name"] for found in wanted if not group(found, "status").get("readyReplicas"))


def ready_nodes(kube: Kube) -> int:
    return sum(_is_ready(node) for node in kube.list("/api/v1/nodes"))


def _is_ready(node: Object) -> bool:
    conditions = group(node, "status").get("conditions") or ()
    return any(found.get("type") == "Ready" and found.get("status") == "True" for found in conditions)
