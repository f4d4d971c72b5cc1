"""AKS: what a cluster is now, which versions there are, and the token that logs in to one."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from karrots.adapters.azure import GOING_SECONDS, understood
from karrots.adapters.azure_errors import AzureRejected, garbled
from karrots.errors import TimedOut

if TYPE_CHECKING:
    from collections.abc import Mapping

    from karrots.adapters.azure import Azure
    from karrots.adapters.tokens import Tokens

# The one application that all API servers of AKS with Entra ID take tokens for.
# https://learn.microsoft.com/azure/aks/kubelogin-authentication
SCOPE = "6dae42f8-4368-4678-94ff-3960e28e3630/.default"
SUPPORTED = "KubernetesOfficial"
READY = "Succeeded"
MAKING = ("Creating", "Updating", "Upgrading", "Starting", "Scaling", "Migrating")


@dataclass(frozen=True)
class Cluster:
    """`status` in Azure's words; `kubelet` is the identity of its nodes: which resource it is, and its principal.

    `version` is the one it has, `wanted` the one that was asked for, which may be a minor version alone.
    """

    id: str
    name: str
    group: str
    status: str
    version: str
    wanted: str
    endpoint: str
    tags: Mapping[str, str]
    node_group: str = ""
    issuer: str = ""
    private: bool = False
    running: bool = True
    subnets: tuple[str, ...] = ()
    kubelet: tuple[str, str] = ("", "")

    @property
    def answers(self) -> bool:
        """Whether its API server can be asked."""
        return bool(self.endpoint) and self.running and self.status not in {"Creating", "Deleting", "Failed"}


@dataclass(frozen=True)
class Pool:
    name: str
    status: str
    version: str
    wanted: str
    size: str
    count: int
    least: int | None = None
    most: int | None = None
    system: bool = False
    spot: bool = False
    zones: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Version:
    """`supported`: for everybody; else for those who pay for longer support alone. `patches` are full versions."""

    name: str
    supported: bool
    default: bool = False
    patches: tuple[str, ...] = ()


def cluster(azure: Azure, group: str, name: str) -> Cluster | None:
    """None when there is none."""
    try:
        found = azure.aks(lambda client: client.managed_clusters.get(group, name))
    except AzureRejected as error:
        if error.is_gone:
            return None
        raise
    with understood("GET managedClusters"):
        return _cluster(found)


def clusters(azure: Azure) -> list[Cluster]:
    """All of the subscription."""
    found = azure.aks(lambda client: list(client.managed_clusters.list()))
    with understood("GET managedClusters"):
        return [_cluster(it) for it in found]


def _cluster(found: Any) -> Cluster:
    parts = str(found.id).split("/")
    profile = found.api_server_access_profile
    private = bool(profile and profile.enable_private_cluster)
    host = (found.private_fqdn if private else found.fqdn) or ""
    pools = found.agent_pool_profiles or []
    kubelet = (found.identity_profile or {}).get("kubeletidentity")
    return Cluster(
        id=str(found.id),
        name=str(found.name or parts[-1]),
        group=parts[4],
        status=_known(found.provisioning_state, "provisioningState"),
        version=str(found.current_kubernetes_version or found.kubernetes_version or ""),
        wanted=str(found.kubernetes_version or ""),
        endpoint=f"https://{host}:443" if host else "",
        tags={str(key): str(value) for key, value in (found.tags or {}).items()},
        node_group=str(found.node_resource_group or ""),
        issuer=str((found.oidc_issuer_profile and found.oidc_issuer_profile.issuer_url) or ""),
        private=private,
        running=_text(found.power_state and found.power_state.code) != "Stopped",
        subnets=tuple(sorted({str(it.vnet_subnet_id) for it in pools if it.vnet_subnet_id})),
        kubelet=(str(kubelet.resource_id or ""), str(kubelet.object_id or "")) if kubelet else ("", ""),
    )


def _known(value: Any, what: str) -> str:
    """Raises KeyError for what every answer of Azure has."""
    if not value:
        raise KeyError(what)
    return str(value)


def pools(azure: Azure, group: str, name: str) -> list[Pool]:
    """None of them when the cluster is gone."""
    try:
        found = azure.aks(lambda client: list(client.agent_pools.list(group, name)))
    except AzureRejected as error:
        if error.is_gone:
            return []
        raise
    with understood("GET agentPools"):
        return [_pool(it) for it in found]


def _pool(found: Any) -> Pool:
    return Pool(
        name=_known(found.name, "name"),
        status=_known(found.provisioning_state, "provisioningState"),
        version=str(found.current_orchestrator_version or found.orchestrator_version or ""),
        wanted=str(found.orchestrator_version or ""),
        size=str(found.vm_size or ""),
        count=int(found.count or 0),
        least=found.min_count,
        most=found.max_count,
        system=_text(found.mode) == "System",
        spot=_text(found.scale_set_priority) == "Spot",
        zones=tuple(str(zone) for zone in found.availability_zones or ()),
        labels={str(key): str(value) for key, value in (found.node_labels or {}).items()},
        tags={str(key): str(value) for key, value in (found.tags or {}).items()},
    )


def _text(value: Any) -> str:
    """Of a text that the SDK may have as one of its own kinds."""
    return str(getattr(value, "value", value) or "")


def versions(azure: Azure, region: str) -> list[Version]:
    """That a cluster can be made with today, as the region says; there is always one."""
    answer = azure.aks(lambda client: client.managed_clusters.list_kubernetes_versions(region))
    with understood("GET kubernetesVersions"):
        found = [
            Version(str(it.version), _is_supported(it), bool(it.is_default), tuple(it.patch_versions or ()))
            for it in answer.values_property or ()
            if not it.is_preview
        ]
    if not found:
        raise garbled("GET kubernetesVersions", "no version at all")
    return found


def _is_supported(found: Any) -> bool:
    plans = [_text(it) for it in (found.capabilities and found.capabilities.support_plan) or ()]
    return not plans or SUPPORTED in plans


def authority(azure: Azure, group: str, name: str) -> str:
    """The cluster's own, as PEM, from the kubeconfig that any user of it may have; it holds no secret.

    Raises AzureGarbled.
    """
    import yaml

    answer = azure.aks(lambda client: client.managed_clusters.list_cluster_user_credentials(group, name, format="exec"))
    with understood("POST listClusterUserCredential"):
        try:
            kubeconfig = yaml.safe_load(bytes(answer.kubeconfigs[0].value))
        except yaml.YAMLError as error:
            raise ValueError(str(error)) from error
        return pem(str(kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"]))


def pem(data: str) -> str:
    """Raises AzureGarbled for what is no base64 of text."""
    with understood("certificate authority"):
        return base64.b64decode(data, validate=True).decode("ascii")


def tokens(azure: Azure) -> Tokens:
    """For the API server of any cluster with Entra ID; what they allow there is said by roles in Azure."""
    return azure.tokens(SCOPE)


def remove(azure: Azure, group: str, name: str) -> None:
    """With its node resource group; waits until it is done. Fine when it is gone. Raises TimedOut."""
    try:
        azure.aks(lambda client: _followed(client.managed_clusters.begin_delete(group, name)))
    except AzureRejected as error:
        if not error.is_gone:
            raise


def _followed(poller: Any) -> None:
    poller.wait(GOING_SECONDS)
    if not poller.done():
        raise TimedOut(f"AKS did not remove the cluster within {GOING_SECONDS / 60:.0f} minutes")
    poller.result()
