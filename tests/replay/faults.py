"""Mistakes to plant in rendered roots, and what Terraform must say of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Fault:
    """In `file` of the variant, the first `before` becomes `after`; then `says` is told, naming `attribute`."""

    name: str
    variant: str
    file: str
    before: str
    after: str
    says: str
    attribute: str = ""

    def plant(self, root: Path) -> None:
        file = root / self.file
        text = file.read_text("utf-8")
        assert self.before in text, f"{self.variant}/{self.file} has no {self.before!r} any more"
        file.write_text(text.replace(self.before, self.after, 1), "utf-8")

    def is_told(self, complaint: str) -> bool:
        return self.says in complaint and self.attribute in complaint


FAULTS = (
    Fault(
        "a misspelt argument", "eks-main", "cluster.tf", "role_arn =", "role_arm =", "Unsupported argument", "role_arm",
    ),
    Fault(
        "a required argument is missing", "eks-main", "cluster.tf", "role_arn = aws_iam_role.cluster.arn", "",
        "Missing required argument", "role_arn",
    ),
    Fault(
        "a value that does not exist", "eks-main", "cluster.tf", '= "API"', '= "APIS"', "Value not allowed",
        "access_config.authentication_mode",
    ),
    Fault(
        "a text for a set", "eks-main", "cluster.tf", '["api", "audit", "authenticator"]', '"api"',
        "Incorrect attribute value type", "enabled_cluster_log_types",
    ),
    Fault(
        "a resource type that does not exist", "eks-main", "cluster.tf", 'resource "aws_eks_cluster"',
        'resource "aws_eks_clusters"', "Invalid resource type", "aws_eks_clusters",
    ),
    Fault(
        "an argument that only the cloud decides", "eks-main", "cluster.tf", "  version  =",
        '  endpoint = "https://example.com"\n  version  =', "Value for unconfigurable attribute", "endpoint",
    ),
    Fault(
        "two ways to say how many", "eks-main", "nodes.tf", "max_unavailable_percentage = 33",
        "max_unavailable_percentage = 33\n    max_unavailable = 1", "Invalid combination of arguments",
        "update_config.max_unavailable",
    ),
    Fault(
        "Auto Mode, by half", "eks-auto", "cluster.tf", "block_storage {\n      enabled = var.eks.auto_mode",
        "block_storage {\n      enabled = false", "Value not allowed", "storage_config.block_storage.enabled",
    ),
    Fault(
        "a root that never settles", "eks-main", "network.tf", "    Name = var.names.prefix",
        "    Name = timestamp()", "Not settled", "aws_vpc.cluster",
    ),
    Fault(
        "an unknown block", "gke-plain", "cluster.tf", "release_channel {", "release_chanel {",
        "Unsupported block type", "release_chanel",
    ),
    Fault(
        "a block too many", "gke-plain", "cluster.tf", "  release_channel {",
        '  release_channel {\n    channel = "RAPID"\n  }\n\n  release_channel {', "Too many release_channel blocks",
    ),
    Fault(
        "a misspelt value", "gke-plain", "cluster.tf", '"VPC_NATIVE"', '"VPC-NATIVE"', "Value not allowed",
        "networking_mode",
    ),
    Fault(
        "Autopilot with what it decides itself", "gke-autopilot", "cluster.tf", "enable_autopilot = true",
        "enable_autopilot = true\n  enable_shielded_nodes = true", "Conflicting arguments", "enable_shielded_nodes",
    ),
    Fault(
        "an attribute that does not exist", "aks-plain", "cluster.tf", "azurerm_resource_group.cluster.name",
        "azurerm_resource_group.cluster.nam", "Unsupported attribute", "nam",
    ),
    Fault(
        "a block is missing", "aks-plain", "cluster.tf", "  default_node_pool {", "  identity {",
        "blocks", "default_node_pool",
    ),
    Fault(
        "another block is missing", "aks-three-zones", "cluster.tf",
        '  node_provisioning_profile {\n    mode = "Manual"\n  }\n', "", "blocks", "node_provisioning_profile",
    ),
    Fault(
        "a network policy of nobody's", "aks-three-zones", "cluster.tf", 'policy      = "cilium"',
        'policy      = "cilum"', "Value not allowed", "network_profile.network_policy",
    ),
    Fault(
        "a prefix with a dash at its end", "aks-three-zones", "cluster.tf", "var.names.dns_prefix", '"qa-"',
        "Value of the wrong form", "dns_prefix",
    ),
    Fault(
        "a pool's name that is too long", "aks-three-zones", "cluster.tf", "md5(name), 0, 10", "md5(name), 0, 12",
        "Value of the wrong form", "default_node_pool.temporary_name_for_rotation",
    ),
    Fault(
        "a surge for spot machines", "aks-three-zones", "nodes.tf", "each.value.spot ? [] : [true]", "[true]",
        "Conflicting arguments", "upgrade_settings.max_surge",
    ),
    Fault(
        "a zone for a gateway that is in all", "aks-three-zones", "network.tf", "  sku_name  ",
        '  zones               = ["1"]\n  sku_name  ', "Conflicting arguments", "zones",
    ),
    Fault(
        "nodes without a way out", "aks-three-zones", "cluster.tf", '"loadBalancer" : "userAssignedNATGateway"',
        '"loadBalancer" : "none"', "Value not allowed", "bootstrap_profile.artifact_source",
    ),
    Fault(
        "settings that exclude each other", "aks-plain", "cluster.tf", 'network_data_plane  = "cilium"',
        'network_data_plane  = "azure"', "Value not allowed", "network_profile.network_data_plane",
    ),
    Fault(
        "log-ins without a tenant", "aks-plain", "cluster.tf",
        "    tenant_id          = data.azurerm_client_config.current.tenant_id\n", "",
        "Missing argument", "azure_active_directory_role_based_access_control.tenant_id",
    ),
    Fault(
        "a spot price for machines that stay", "aks-pools", "nodes.tf", "each.value.spot ? -1 : null", "-1",
        "Conflicting arguments", "spot_max_price",
    ),
    Fault(
        "workload identity without its issuer", "aks-plain", "cluster.tf", "oidc_issuer_enabled       = true",
        "oidc_issuer_enabled       = false", "Value not allowed", "oidc_issuer_enabled",
    ),
)  # fmt: skip
