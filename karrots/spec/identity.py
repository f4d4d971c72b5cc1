"""The names under which a cluster's identity reaches its manifests; lint knows them, the Flux steps fill them."""

from __future__ import annotations

CONFIG_MAP = "karrots-identity"
NAMESPACE = "flux-system"

IDENTITY_VARIABLES = (
    "cluster_name",
    "cluster_id",
    "cluster_domain",
    "cluster_branch",
    "cluster_parent",
    "cluster_provider",
    "cluster_region",
    "cluster_owner",
    "cluster_network",
    "cluster_account",
    "cluster_key_renewal",
    "cluster_vpc",
    "cluster_dns_identity",
    "cluster_node_role",
    "cluster_node_subnets",
)
