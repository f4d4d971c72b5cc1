"""Having a living cluster take away what it made outside of itself: load balancers, volumes, nodes.

The cluster's own controllers do it, as they know best what they made. So their objects are deleted while they run, and
the nodes that controllers made (which they may run on) come last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from karrots.adapters.kube import group
from karrots.providers.base import Leftover

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from karrots.adapters.kube import Kube, Object

CORE = "/api/v1"
DYNAMIC = "pv.kubernetes.io/provisioned-by"  # an annotation of volumes that a driver made


def _all(_: Object) -> bool:
    return True


def _goes_with_its_claim(volume: Object) -> bool:
    """One that is kept may be of a disk that is not this cluster's: the sweep knows ours by their id."""
    made = DYNAMIC in (group(volume, "metadata").get("annotations") or {})
    return made and group(volume, "spec").get("persistentVolumeReclaimPolicy") == "Delete"


def _balances(service: Object) -> bool:
    return group(service, "spec").get("type") == "LoadBalancer"


# Kind for people, path of the collection, and which of its objects stand for something outside of the cluster.
FIRST: Sequence[tuple[str, str, Callable[[Object], bool]]] = (
    ("ingress", "/apis/networking.k8s.io/v1/ingresses", _all),
    ("gateway", "/apis/gateway.networking.k8s.io/v1/gateways", _all),
    ("service", f"{CORE}/services", _balances),
    ("volume claim", f"{CORE}/persistentvolumeclaims", _all),
    ("volume", f"{CORE}/persistentvolumes", _goes_with_its_claim),
)
LAST: Sequence[tuple[str, str, Callable[[Object], bool]]] = (
    ("node pool", "/apis/karpenter.sh/v1/nodepools", _all),
    ("node claim", "/apis/karpenter.sh/v1/nodeclaims", _all),
    # With it goes the instance profile that Karpenter made of the nodes' role.
    ("node class", "/apis/karpenter.k8s.aws/v1/ec2nodeclasses", _all),
)


def release(kube: Kube) -> tuple[Leftover, ...]:
    """Delete what is not on its way yet, and say what is still there. Asked again until that is nothing."""
    for kinds in (FIRST, LAST):
        left = tuple(leftover for kind in kinds for leftover in _release(kube, *kind))
        if left:
            return left
    return ()


def _release(kube: Kube, kind: str, collection: str, stands: Callable[[Object], bool]) -> Iterator[Leftover]:
    for found in [it for it in kube.list(collection) if stands(it)]:
        path = path_of(collection, found)
        is_held = kind == "volume" and group(found, "status").get("phase") != "Available"  # its driver takes it away
        if not is_held and not group(found, "metadata").get("deletionTimestamp"):
            kube.delete(path)
        yield Leftover(kind, _title(found))


def path_of(collection: str, found: Object) -> str:
    meta = group(found, "metadata")
    base, _, plural = collection.rpartition("/")
    namespace = meta.get("namespace")
    return f"{base}/namespaces/{namespace}/{plural}/{meta['name']}" if namespace else f"{collection}/{meta['name']}"


def _title(found: Object) -> str:
    meta = group(found, "metadata")
    return "/".join(str(meta[part]) for part in ("namespace", "name") if meta.get(part))
