"""A cluster's identity as Flux and Terraform receive it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from karrots.errors import UsageError
from karrots.spec.identity import IDENTITY_VARIABLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from karrots.fleet.record import Record
NOTHING: Mapping[str, Any] = MappingProxyType({})
# Variables that are outputs of Terraform, by the output's name there.
OF_THE_CLOUD: Mapping[str, str] = MappingProxyType(
    {
        "cluster_vpc": "vpc_id",
        "cluster_dns_identity": "dns_identity",
        "cluster_node_role": "node_role",
        "cluster_node_subnets": "node_subnets",
    }
)


def variables(
    record: Record, content_variables: Mapping[str, str], outputs: Mapping[str, Any] = NOTHING
) -> dict[str, str]:
    """The data of the ConfigMap that Flux substitutes from; UsageError when content claims an identity's name.

    `outputs` are those of the cluster's Terraform: some of what its controllers must know is known to the cloud alone.
    """
    clash = sorted(set(content_variables) & set(IDENTITY_VARIABLES))
    if clash:
        raise UsageError(
            f"{record.directory}/cluster.yaml sets the variable '{clash[0]}'",
            why="it is part of a cluster's identity, which karrots fills in",
            hint="rename it in cluster.yaml, below variables",
        )
    return {**content_variables, **_identity(record), **_of_the_cloud(outputs)}


def _identity(record: Record) -> dict[str, str]:
    return {
        "cluster_name": record.name,
        "cluster_id": record.id,
        "cluster_domain": record.domain,
        "cluster_branch": record.branch,
        "cluster_parent": record.parent.name if record.parent else "",
        "cluster_provider": record.provider,
        "cluster_region": record.region,
        "cluster_owner": record.owner,
        "cluster_network": record.network,
        "cluster_account": record.account,
        # A copy makes no further sealing keys: '0s' and not 0, which a chart may take for nothing said.
        "cluster_key_renewal": "0s" if record.parent else "",
    }


def _of_the_cloud(outputs: Mapping[str, Any]) -> dict[str, str]:
    """'' where a provider has no such thing: Flux refuses a variable without a value, and takes an empty one."""
    return {name: str(outputs.get(output) or "") for name, output in OF_THE_CLOUD.items()}


def terraform_variables(record: Record) -> dict[str, str]:
    """What identity.auto.tfvars.json holds; text only, '' where a cluster has none."""
    return {
        "cluster_id": record.id,
        "cluster_name": record.name,
        "cluster_domain": record.domain,
        "cluster_network": record.network,
        "cluster_branch": record.branch,
        "cluster_owner": record.owner,
        "cluster_expires": record.expires or "",
        "cluster_parent": record.parent.name if record.parent else "",
    }
