"""How GKE and its controllers mark what they make in Compute, read from names, labels and descriptions.

Three kinds of marks:

- GKE's own number of a cluster, 64 hexadecimal digits that are never used again: whole and in base32 in the label
  `goog-gke-cluster-id-base32` of machines and disks, its first eight digits in `gke-NAME-1a2b3c4d-…`, which firewall
  rules are named and nodes are tagged by;
- the cluster's name: in the label `goog-k8s-cluster-name`, in those names and tags, in `k8sCluster` of a description.
  A later cluster may bear it again;
- a word of the load balancers' own controller, made once for each cluster or each Service, in the names of all that
  belongs together: `k8s2-um-cv7jfe6h-shop-web-…`, `k8s1-b74c81ed-…`, `k8s-be-30933--b74c81ed5ad4dc2c`, `a93c0db6…`.

https://github.com/kubernetes/ingress-gce (pkg/utils/namer), https://github.com/kubernetes/cloud-provider-gcp.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NUMBER_LABEL = "goog-gke-cluster-id-base32"
NAME_LABEL = "goog-k8s-cluster-name"
PLACE_LABEL = "goog-k8s-cluster-location"
MADE_BY = "storage.gke.io/created-by"
DRIVER = "pd.csi.storage.gke.io"
DIGITS = 8
# Names that only a controller of one cluster gives. Gateways of several clusters are named gkemcg1-…, and are not here.
OURS_ALONE = re.compile(r"k8s[12]?-|gkegw1-|a[0-9a-f]{31}$")
CONTROLLERS = re.compile(r"k8s[12]?-|gkegw1-|gkemcg1-|a[0-9a-f]{31}$|gke-|pvc-")
SECOND = re.compile(r"k8s2-(?:[a-z0-9]{1,6}-)?([0-9a-z]{8})-")
FIRST = re.compile(r"k8s1-([0-9a-f]{8})-")
END = re.compile(r"k8s-.*--([0-9a-f]{8,16})0?$")
NODE = re.compile(r"k8s-([0-9a-f]{16})-node(-.*)?$")
SERVICE = re.compile(r"(?:k8s-fw-|k8s-)?(a[0-9a-f]{31})(?:-.*)?$")
GKE = re.compile(r"gke-(?P<name>[a-z0-9-]+)-(?P<digits>[0-9a-f]{8})-[a-z0-9-]+")


def number_of(labels: Mapping[str, str]) -> str:
    """GKE's number of the cluster, '' where no label says it."""
    text = labels.get(NUMBER_LABEL, "").upper()
    try:
        return base64.b32decode(text + "=" * (-len(text) % 8)).hex()
    except ValueError:
        return ""


def described(note: str) -> Mapping[str, Any]:
    """A description that a controller wrote as JSON; {} for any other."""
    try:
        found = json.loads(note) if note.startswith("{") else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def by_driver(note: str) -> bool:
    """Whether the driver of persistent disks made it.

    https://github.com/kubernetes-sigs/gcp-compute-persistent-disk-csi-driver (pkg/parameters)
    """
    return described(note).get(MADE_BY) == DRIVER


def words(name: str, note: str) -> frozenset[str]:
    """What a load balancer's parts have in common."""
    uid = described(note).get("cluster-uid")
    return frozenset([*_words(name), *([f"uid {uid}"] if isinstance(uid, str) and uid else [])])


def _words(name: str) -> Iterator[str]:
    for form, kind in ((SECOND, "second"), (FIRST, "first"), (END, "first"), (NODE, "first")):
        if match := form.match(name):
            yield f"{kind} {match[1][:DIGITS]}"
    if match := SERVICE.fullmatch(name):
        yield f"service {match[1]}"


def clusters(labels: Mapping[str, str], note: str) -> set[tuple[str, str]]:
    """Names, and places where they are told, of the clusters that labels and description name."""
    found = {(labels[NAME_LABEL], labels.get(PLACE_LABEL, ""))} if labels.get(NAME_LABEL) else set()
    named = re.search(r"/locations/([^/]+)/clusters/([^/]+)$", str(described(note).get("k8sCluster", "")))
    return {*found, (named[2], named[1])} if named else found


def numbered(names: list[str]) -> set[tuple[str, str]]:
    """Names of clusters and first digits of their numbers, in names and tags of GKE's."""
    return {(match["name"], match["digits"]) for name in names if (match := GKE.fullmatch(name))}
