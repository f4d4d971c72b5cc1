"""What clouds allow as a name, and names that fit: one table, one solver, before anything is made.

A cluster's own name is short (karrots.fleet.names.LENGTH), so most names are it with a few words more. Where a cloud
takes less than that, the rest becomes a short hash.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

HASH_LENGTH = 6


@dataclass(frozen=True)
class Limit:
    """`form` is a regular expression for the whole name; `joint` parts words where the form allows one."""

    most: int
    form: str
    source: str
    joint: str = "-"

    def allows(self, name: str) -> bool:
        return len(name) <= self.most and re.fullmatch(self.form, name) is not None


WORDS = r"[a-z]([a-z0-9-]*[a-z0-9])?"
EKS = "https://docs.aws.amazon.com/eks/latest/APIReference"
IAM = "https://docs.aws.amazon.com/IAM/latest/APIReference"
GKE = "https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters"
GOOGLE = "https://cloud.google.com"
AZURE = "https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules"

LIMITS: Mapping[str, Limit] = {
    "eks-cluster": Limit(100, r"[0-9A-Za-z][A-Za-z0-9_-]*", f"{EKS}/API_CreateCluster.html"),
    "eks-node-group": Limit(63, r"[0-9A-Za-z][A-Za-z0-9_-]*", f"{EKS}/API_CreateNodegroup.html"),
    "iam-role": Limit(64, r"[\w+=,.@-]+", f"{IAM}/API_CreateRole.html"),
    "gke-cluster": Limit(40, WORDS, GKE),
    "gke-node-pool": Limit(40, WORDS, f"{GKE}.nodePools"),
    "gcp-network": Limit(63, WORDS, f"{GOOGLE}/compute/docs/reference/rest/v1/networks"),
    "gcp-service-account": Limit(
        30, r"[a-z](?=.{5,})([a-z0-9-]*[a-z0-9])", f"{GOOGLE}/iam/docs/reference/rest/v1/projects.serviceAccounts"
    ),
    "aks-cluster": Limit(63, r"[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?", AZURE),
    "aks-dns-prefix": Limit(54, r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?", AZURE),
    "aks-node-pool": Limit(12, r"[a-z][a-z0-9]*", AZURE, joint=""),
    "azure-resource-group": Limit(80, r"[\w().-]*[\w()-]", AZURE),
    "azure-identity": Limit(128, r"[A-Za-z0-9][A-Za-z0-9_-]{2,}", AZURE),
}


def fitted(kind: str, wanted: str) -> str:
    """`wanted` where the cloud takes it; else what can be kept of it and a hash of the whole."""
    limit = LIMITS[kind]
    if limit.allows(wanted):
        return wanted
    digest = hashlib.sha256(wanted.encode()).hexdigest()[:HASH_LENGTH]
    slug = re.sub(r"[^a-z0-9]+", limit.joint, wanted.lower()).strip("-")
    kept = slug[: limit.most - HASH_LENGTH - len(limit.joint)].rstrip("-") or "c"
    return f"{kept}{limit.joint}{digest}"
