"""EKS as its API shows it: what is asked for exists at once, but for control planes, which take their time.

Only the service is imitated; behind each cluster stands whatever `ControlPlanes` starts, which in the tests of whole
lives is a real API server. Rules that the real service has and templates could break are kept: what must be there
before what, what holds what back, what cannot be changed.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from tests.support.eks_account.rest_json import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

Document = dict[str, Any]

VERSIONS = ("1.36", "1.35", "1.34", "1.33")
ADD_ONS = {
    "vpc-cni": "v1.21.1-eksbuild.1",
    "eks-pod-identity-agent": "v1.3.10-eksbuild.2",
    "coredns": "v1.13.2-eksbuild.1",
    "kube-proxy": "v1.35.0-eksbuild.2",
    "aws-ebs-csi-driver": "v1.55.0-eksbuild.1",
    "metrics-server": "v0.8.0-eksbuild.6",
}
# coredns has pods, and no add-on with pods is ACTIVE before there is a node to carry them.
NEED_NODES = frozenset({"coredns", "aws-ebs-csi-driver", "metrics-server"})
ADMIN_POLICY = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"


@dataclass(frozen=True)
class Reached:
    """`ca` is base64 of PEM."""

    endpoint: str
    ca: str


class ControlPlanes(Protocol):
    def start(self, name: str) -> None: ...

    def reached(self, name: str) -> Reached | None:
        """None while it is not there yet."""

    def scale(self, name: str, nodes: int) -> None: ...

    def stop(self, name: str) -> None: ...


class Network(Protocol):
    """The account's EC2."""

    def network_of(self, subnets: list[str]) -> str: ...

    def make_group(self, name: str, network: str) -> str: ...

    def remove_group(self, group: str) -> None: ...


@dataclass
class Cluster:
    document: Document
    began: float
    node_groups: dict[str, Document] = field(default_factory=dict)
    add_ons: dict[str, Document] = field(default_factory=dict)
    entries: dict[str, Document] = field(default_factory=dict)
    policies: dict[str, dict[str, Document]] = field(default_factory=dict)
    associations: dict[str, Document] = field(default_factory=dict)
    updates: dict[str, Document] = field(default_factory=dict)


class Eks:
    """`hold` is how many seconds a control plane stays CREATING at least."""

    def __init__(
        self,
        account: str,
        region: str,
        planes: ControlPlanes,
        network: Network,
        *,
        hold: float = 0.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._account, self._region = account, region
        self._planes, self._network = planes, network
        self.hold, self._now = hold, now
        self.clusters: dict[str, Cluster] = {}
        self._numbers = itertools.count(1)
        self._answered: dict[tuple[str, str], Document] = {}

    def __call__(self, operation: str, params: Document) -> Document:
        act = getattr(self, "_" + _snake(operation), None)
        if act is None:
            raise ServiceError("InvalidRequestException", f"{operation} is not imitated")
        token = (operation, params.get("clientRequestToken", ""))
        if token in self._answered:  # an SDK that heard no answer asks again, and is told the same
            return self._answered[token]
        answer: Document = act(params)
        if token[1]:
            self._answered[token] = answer
        return answer

    def inventory(self) -> dict[str, list[str]]:
        """What is still there, by kind."""
        found: dict[str, list[str]] = {"cluster": list(self.clusters)}
        for name, cluster in self.clusters.items():
            found.setdefault("node group", []).extend(f"{name}/{it}" for it in cluster.node_groups)
            found.setdefault("add-on", []).extend(f"{name}/{it}" for it in cluster.add_ons)
        return {kind: names for kind, names in found.items() if names}

    def groups_of(self, name: str, principal: str) -> list[str] | None:
        """The Kubernetes groups of somebody who logs in to a cluster; None for who has no access entry."""
        cluster = self.clusters.get(name)
        if cluster is None or principal not in cluster.entries:
            return None
        groups = list(cluster.entries[principal].get("kubernetesGroups", []))
        return [*groups, "system:masters"] if ADMIN_POLICY in cluster.policies.get(principal, {}) else groups

    # Clusters

    def _create_cluster(self, params: Document) -> Document:
        name = params["name"]
        if name in self.clusters:
            raise ServiceError("ResourceInUseException", f"Cluster already exists with name: {name}")
        version = params.get("version", VERSIONS[0])
        if version not in VERSIONS:
            raise ServiceError("InvalidParameterException", f"unsupported Kubernetes version {version}")
        _check_auto_mode(params)
        wanted = dict(params["resourcesVpcConfig"])
        network = self._network.network_of(wanted["subnetIds"])
        group = self._network.make_group(f"eks-cluster-sg-{name}-{next(self._numbers)}", network)
        document = {
            "name": name,
            "arn": self._arn("cluster", name),
            "createdAt": _time(),
            "version": version,
            "roleArn": params["roleArn"],
            "resourcesVpcConfig": {
                "endpointPublicAccess": True,
                "endpointPrivateAccess": False,
                "publicAccessCidrs": ["0.0.0.0/0"],
                "securityGroupIds": [],
                **wanted,
                "vpcId": network,
                "clusterSecurityGroupId": group,
            },
            "kubernetesNetworkConfig": {
                "serviceIpv4Cidr": "172.20.0.0/16",
                "ipFamily": "ipv4",
                "elasticLoadBalancing": {"enabled": False},
                **params.get("kubernetesNetworkConfig", {}),
            },
            "logging": _logging(params.get("logging", {})),
            "identity": {"oidc": {"issuer": f"https://oidc.eks.{self._region}.amazonaws.com/id/{_hex(name)}"}},
            "platformVersion": "eks.1",
            "tags": params.get("tags", {}),
            "health": {"issues": []},
            "accessConfig": {
                "authenticationMode": params.get("accessConfig", {}).get("authenticationMode", "CONFIG_MAP")
            },
            "upgradePolicy": {"supportType": "EXTENDED", **params.get("upgradePolicy", {})},
            "deletionProtection": params.get("deletionProtection", False),
        }
        for key in ("computeConfig", "storageConfig", "encryptionConfig", "zonalShiftConfig"):
            if key in params:
                document[key] = params[key]
        self.clusters[name] = Cluster(document, self._now())
        self._planes.start(name)
        return {"cluster": self._shown(name)}

    def _shown(self, name: str) -> Document:
        cluster = self._cluster(name)
        reached = self._planes.reached(name) if self._now() >= cluster.began + self.hold else None
        if reached is None:
            return {**cluster.document, "status": "CREATING", "certificateAuthority": {}}
        return {
            **cluster.document,
            "status": "ACTIVE",
            "endpoint": reached.endpoint,
            "certificateAuthority": {"data": reached.ca},
        }

    def _describe_cluster(self, params: Document) -> Document:
        return {"cluster": self._shown(params["name"])}

    def _list_clusters(self, _: Document) -> Document:
        return {"clusters": sorted(self.clusters)}

    def _delete_cluster(self, params: Document) -> Document:
        name = params["name"]
        cluster = self._cluster(name)
        if cluster.node_groups:
            raise ServiceError("ResourceInUseException", "Cluster has nodegroups attached")
        if cluster.document["deletionProtection"]:
            raise ServiceError("InvalidRequestException", "Cluster has deletion protection enabled")
        shown = self._shown(name)
        self._planes.stop(name)
        self._network.remove_group(cluster.document["resourcesVpcConfig"]["clusterSecurityGroupId"])
        del self.clusters[name]
        return {"cluster": {**shown, "status": "DELETING"}}

    def _update_cluster_config(self, params: Document) -> Document:
        document = self._active(params["name"]).document
        kind = "ConfigUpdate"
        if "resourcesVpcConfig" in params:
            document["resourcesVpcConfig"].update(params["resourcesVpcConfig"])
            kind = "EndpointAccessUpdate"
        if "logging" in params:
            document["logging"] = _logging(params["logging"])
            kind = "LoggingUpdate"
        for key in ("upgradePolicy", "accessConfig", "computeConfig", "storageConfig", "kubernetesNetworkConfig"):
            if key in params:
                document.setdefault(key, {}).update(params[key])
        if "deletionProtection" in params:
            document["deletionProtection"] = params["deletionProtection"]
        return self._updated(params["name"], kind)

    def _update_cluster_version(self, params: Document) -> Document:
        document = self._active(params["name"]).document
        wanted, present = params["version"], document["version"]
        if wanted not in VERSIONS or int(wanted.split(".")[1]) != int(present.split(".")[1]) + 1:
            raise ServiceError("InvalidParameterException", f"Unsupported Kubernetes minor version update {wanted}")
        document["version"] = wanted
        return self._updated(params["name"], "VersionUpdate")

    def _describe_cluster_versions(self, params: Document) -> Document:
        asked = params.get("clusterVersions") or list(VERSIONS)
        newest = dt.datetime(2027, 6, 1, tzinfo=dt.UTC)
        return {
            "clusterVersions": [
                {
                    "clusterVersion": version,
                    "clusterType": "eks",
                    "defaultVersion": version == VERSIONS[1],
                    "status": "standard-support",
                    "versionStatus": "STANDARD_SUPPORT",
                    "endOfStandardSupportDate": newest - dt.timedelta(days=120 * at),
                    "endOfExtendedSupportDate": newest - dt.timedelta(days=120 * at - 365),
                }
                for at, version in enumerate(VERSIONS)
                if version in asked
            ]
        }

    def _updated(self, name: str, kind: str) -> Document:
        update: Document = {
            "id": str(uuid.uuid4()),
            "status": "Successful",
            "type": kind,
            "params": [],
            "createdAt": _time(),
        }
        self.clusters[name].updates[update["id"]] = update
        return {"update": {**update, "status": "InProgress"}}

    def _describe_update(self, params: Document) -> Document:
        return {"update": _found(self._cluster(params["name"]).updates, params["updateId"], "update")}

    # Node groups

    def _create_nodegroup(self, params: Document) -> Document:
        cluster, name = self._active(params["clusterName"]), params["nodegroupName"]
        if name in cluster.node_groups:
            raise ServiceError("ResourceInUseException", f"NodeGroup already exists with name {name}")
        scaling = {"minSize": 1, "maxSize": 2, "desiredSize": 2, **params.get("scalingConfig", {})}
        _check_scaling(scaling)
        document = {
            "nodegroupName": name,
            "nodegroupArn": f"{self._arn('nodegroup', params['clusterName'])}/{name}/{uuid.uuid4()}",
            "clusterName": params["clusterName"],
            "version": params.get("version", cluster.document["version"]),
            "releaseVersion": f"{cluster.document['version']}.0-20261101",
            "createdAt": _time(),
            "modifiedAt": _time(),
            "status": "ACTIVE",
            "capacityType": params.get("capacityType", "ON_DEMAND"),
            "scalingConfig": scaling,
            "instanceTypes": params.get("instanceTypes", ["t3.medium"]),
            "subnets": params["subnets"],
            "amiType": params.get("amiType", "AL2023_x86_64_STANDARD"),
            "nodeRole": params["nodeRole"],
            "labels": params.get("labels", {}),
            "taints": params.get("taints", []),
            "resources": {"autoScalingGroups": [{"name": f"eks-{name}-{uuid.uuid4()}"}]},
            "health": {"issues": []},
            "updateConfig": params.get("updateConfig", {"maxUnavailable": 1}),
            "tags": params.get("tags", {}),
        }
        for key in ("launchTemplate", "nodeRepairConfig"):
            if key in params:
                document[key] = params[key]
        if "launchTemplate" not in params:
            document["diskSize"] = params.get("diskSize", 20)
        cluster.node_groups[name] = document
        self._scale(params["clusterName"])
        return {"nodegroup": {**document, "status": "CREATING"}}

    def _scale(self, name: str) -> None:
        groups = self.clusters[name].node_groups.values()
        self._planes.scale(name, sum(group["scalingConfig"]["desiredSize"] for group in groups))

    def _describe_nodegroup(self, params: Document) -> Document:
        groups = self._cluster(params["clusterName"]).node_groups
        return {"nodegroup": _found(groups, params["nodegroupName"], "node group")}

    def _list_nodegroups(self, params: Document) -> Document:
        return {"nodegroups": sorted(self._cluster(params["clusterName"]).node_groups)}

    def _update_nodegroup_config(self, params: Document) -> Document:
        document = self._describe_nodegroup(params)["nodegroup"]
        scaling = {**document["scalingConfig"], **params.get("scalingConfig", {})}
        _check_scaling(scaling)
        document["scalingConfig"] = scaling
        self._scale(params["clusterName"])
        labels = params.get("labels", {})
        document["labels"] = {**document["labels"], **labels.get("addOrUpdateLabels", {})}
        for gone in labels.get("removeLabels", []):
            document["labels"].pop(gone, None)
        taints = params.get("taints", {})
        changed = {taint["key"] for kind in taints.values() for taint in kind}
        kept = [taint for taint in document["taints"] if taint["key"] not in changed]
        document["taints"] = [*kept, *taints.get("addOrUpdateTaints", [])]
        for key in ("updateConfig", "nodeRepairConfig"):
            document[key] = params.get(key, document.get(key, {}))
        return self._updated(params["clusterName"], "ConfigUpdate")

    def _update_nodegroup_version(self, params: Document) -> Document:
        document = self._describe_nodegroup(params)["nodegroup"]
        document["version"] = params.get("version", self.clusters[params["clusterName"]].document["version"])
        document["launchTemplate"] = params.get("launchTemplate", document.get("launchTemplate", {}))
        return self._updated(params["clusterName"], "VersionUpdate")

    def _delete_nodegroup(self, params: Document) -> Document:
        document = self._describe_nodegroup(params)["nodegroup"]
        del self.clusters[params["clusterName"]].node_groups[params["nodegroupName"]]
        self._scale(params["clusterName"])
        return {"nodegroup": {**document, "status": "DELETING"}}

    # Add-ons

    def _create_addon(self, params: Document) -> Document:
        cluster, name = self._active(params["clusterName"]), params["addonName"]
        if name not in ADD_ONS:
            raise ServiceError("InvalidParameterException", f"Addon {name} specified is not supported")
        if name in cluster.add_ons:
            raise ServiceError("ResourceInUseException", "Addon already exists.")
        document = {
            "addonName": name,
            "clusterName": params["clusterName"],
            "addonVersion": params.get("addonVersion", ADD_ONS[name]),
            "addonArn": f"{self._arn('addon', params['clusterName'])}/{name}/{uuid.uuid4()}",
            "health": {"issues": []},
            "createdAt": _time(),
            "modifiedAt": _time(),
            "tags": params.get("tags", {}),
            "podIdentityAssociations": [
                self._associate(params["clusterName"], "kube-system", it["serviceAccount"], it["roleArn"])[
                    "associationArn"
                ]
                for it in params.get("podIdentityAssociations", [])
            ],
        }
        for key in ("configurationValues", "serviceAccountRoleArn"):
            if key in params:
                document[key] = params[key]
        cluster.add_ons[name] = document
        return {"addon": {**document, "status": "CREATING"}}

    def _describe_addon(self, params: Document) -> Document:
        cluster = self._cluster(params["clusterName"])
        document = _found(cluster.add_ons, params["addonName"], "addon")
        degraded = params["addonName"] in NEED_NODES and not cluster.node_groups and not _is_auto(cluster.document)
        return {"addon": {**document, "status": "DEGRADED" if degraded else "ACTIVE"}}

    def _list_addons(self, params: Document) -> Document:
        return {"addons": sorted(self._cluster(params["clusterName"]).add_ons)}

    def _update_addon(self, params: Document) -> Document:
        document = _found(self._active(params["clusterName"]).add_ons, params["addonName"], "addon")
        for key in ("addonVersion", "configurationValues", "serviceAccountRoleArn"):
            if key in params:
                document[key] = params[key]
        return self._updated(params["clusterName"], "AddonUpdate")

    def _delete_addon(self, params: Document) -> Document:
        cluster = self._cluster(params["clusterName"])
        document = _found(cluster.add_ons, params["addonName"], "addon")
        for arn in document["podIdentityAssociations"]:
            cluster.associations.pop(arn.rpartition("/")[2], None)
        del cluster.add_ons[params["addonName"]]
        return {"addon": {**document, "status": "DELETING"}}

    def _describe_addon_versions(self, params: Document) -> Document:
        names = [params["addonName"]] if "addonName" in params else list(ADD_ONS)
        version = params.get("kubernetesVersion", VERSIONS[0])
        fits = [{"clusterVersion": version, "platformVersions": ["*"], "defaultVersion": True}]
        return {
            "addons": [
                {"addonName": name, "addonVersions": [{"addonVersion": ADD_ONS[name], "compatibilities": fits}]}
                for name in names
                if name in ADD_ONS
            ]
        }

    # Access

    def _create_access_entry(self, params: Document) -> Document:
        cluster, principal = self._active(params["clusterName"]), params["principalArn"]
        if cluster.document["accessConfig"]["authenticationMode"] == "CONFIG_MAP":
            raise ServiceError("InvalidRequestException", "The cluster's authentication mode must be API")
        if principal in cluster.entries:
            raise ServiceError("ResourceInUseException", "The specified access entry resource is already in use")
        entry = {
            "clusterName": params["clusterName"],
            "principalArn": principal,
            "kubernetesGroups": params.get("kubernetesGroups", []),
            "accessEntryArn": f"{self._arn('access-entry', params['clusterName'])}/{_hex(principal)}",
            "createdAt": _time(),
            "modifiedAt": _time(),
            "tags": params.get("tags", {}),
            "username": params.get("username", principal),
            "type": params.get("type", "STANDARD"),
        }
        cluster.entries[principal] = entry
        return {"accessEntry": entry}

    def _describe_access_entry(self, params: Document) -> Document:
        entries = self._cluster(params["clusterName"]).entries
        return {"accessEntry": _found(entries, params["principalArn"], "access entry")}

    def _list_access_entries(self, params: Document) -> Document:
        return {"accessEntries": sorted(self._cluster(params["clusterName"]).entries)}

    def _update_access_entry(self, params: Document) -> Document:
        entry = self._describe_access_entry(params)["accessEntry"]
        entry.update({key: params[key] for key in ("kubernetesGroups", "username") if key in params})
        return {"accessEntry": entry}

    def _delete_access_entry(self, params: Document) -> Document:
        cluster = self._cluster(params["clusterName"])
        _found(cluster.entries, params["principalArn"], "access entry")
        del cluster.entries[params["principalArn"]]
        cluster.policies.pop(params["principalArn"], None)
        return {}

    def _associate_access_policy(self, params: Document) -> Document:
        cluster, principal = self._active(params["clusterName"]), params["principalArn"]
        _found(cluster.entries, principal, "access entry")
        association = {
            "policyArn": params["policyArn"],
            "accessScope": params["accessScope"],
            "associatedAt": _time(),
            "modifiedAt": _time(),
        }
        cluster.policies.setdefault(principal, {})[params["policyArn"]] = association
        return {
            "clusterName": params["clusterName"],
            "principalArn": principal,
            "associatedAccessPolicy": association,
        }

    def _list_associated_access_policies(self, params: Document) -> Document:
        cluster, principal = self._cluster(params["clusterName"]), params["principalArn"]
        _found(cluster.entries, principal, "access entry")
        return {
            "clusterName": params["clusterName"],
            "principalArn": principal,
            "associatedAccessPolicies": list(cluster.policies.get(principal, {}).values()),
        }

    def _disassociate_access_policy(self, params: Document) -> Document:
        cluster = self._cluster(params["clusterName"])
        cluster.policies.get(params["principalArn"], {}).pop(params["policyArn"], None)
        return {}

    # Pod identity

    def _create_pod_identity_association(self, params: Document) -> Document:
        cluster = self._active(params["clusterName"])
        account = (params["namespace"], params["serviceAccount"])
        if any((it["namespace"], it["serviceAccount"]) == account for it in cluster.associations.values()):
            raise ServiceError("ResourceInUseException", "Association already exists")
        made = self._associate(params["clusterName"], *account, params["roleArn"], params.get("tags", {}))
        return {"association": made}

    def _associate(
        self, name: str, namespace: str, account: str, role: str, tags: dict[str, str] | None = None
    ) -> Document:
        made: Document = {
            "clusterName": name,
            "namespace": namespace,
            "serviceAccount": account,
            "roleArn": role,
            "associationId": f"a-{uuid.uuid4().hex[:17]}",
            "tags": tags or {},
            "createdAt": _time(),
            "modifiedAt": _time(),
        }
        made["associationArn"] = f"{self._arn('podidentityassociation', name)}/{made['associationId']}"
        self.clusters[name].associations[made["associationId"]] = made
        return made

    def _describe_pod_identity_association(self, params: Document) -> Document:
        associations = self._cluster(params["clusterName"]).associations
        return {"association": _found(associations, params["associationId"], "association")}

    def _list_pod_identity_associations(self, params: Document) -> Document:
        keys = ("clusterName", "namespace", "serviceAccount", "associationArn", "associationId")
        associations = self._cluster(params["clusterName"]).associations.values()
        return {"associations": [{key: it[key] for key in keys} for it in associations]}

    def _update_pod_identity_association(self, params: Document) -> Document:
        found = self._describe_pod_identity_association(params)["association"]
        found["roleArn"] = params.get("roleArn", found["roleArn"])
        return {"association": found}

    def _delete_pod_identity_association(self, params: Document) -> Document:
        found = self._describe_pod_identity_association(params)["association"]
        del self.clusters[params["clusterName"]].associations[params["associationId"]]
        return {"association": found}

    # Tags

    def _tagged(self, arn: str) -> Document:
        for cluster in self.clusters.values():
            kinds = (cluster.node_groups, cluster.add_ons, cluster.entries, cluster.associations)
            for document in (cluster.document, *(it for kind in kinds for it in kind.values())):
                if arn in (text for key, text in document.items() if key.endswith(("Arn", "arn"))):
                    return document
        raise ServiceError("NotFoundException", f"no resource {arn}")

    def _list_tags_for_resource(self, params: Document) -> Document:
        return {"tags": self._tagged(params["resourceArn"])["tags"]}

    def _tag_resource(self, params: Document) -> Document:
        self._tagged(params["resourceArn"])["tags"].update(params["tags"])
        return {}

    def _untag_resource(self, params: Document) -> Document:
        tags = self._tagged(params["resourceArn"])["tags"]
        for key in params["tagKeys"]:
            tags.pop(key, None)
        return {}

    def _cluster(self, name: str) -> Cluster:
        if name not in self.clusters:
            raise ServiceError("ResourceNotFoundException", f"No cluster found for name: {name}.")
        return self.clusters[name]

    def _active(self, name: str) -> Cluster:
        cluster = self._cluster(name)
        if self._shown(name)["status"] != "ACTIVE":
            raise ServiceError("ResourceInUseException", f"Cluster '{name}' is not in ACTIVE state")
        return cluster

    def _arn(self, kind: str, name: str) -> str:
        return f"arn:aws:eks:{self._region}:{self._account}:{kind}/{name}"


def _found(kind: dict[str, Document], key: str, what: str) -> Document:
    if key not in kind:
        raise ServiceError("ResourceNotFoundException", f"No {what} found for {key}")
    return kind[key]


def _check_scaling(scaling: Document) -> None:
    if not scaling["minSize"] <= scaling["desiredSize"] <= scaling["maxSize"] or scaling["maxSize"] < 1:
        raise ServiceError("InvalidParameterException", f"sizes out of order: {scaling}")


def _check_auto_mode(params: Document) -> None:
    """https://docs.aws.amazon.com/eks/latest/userguide/auto-enable-existing.html"""
    switches = (
        params.get("computeConfig", {}).get("enabled", False),
        params.get("kubernetesNetworkConfig", {}).get("elasticLoadBalancing", {}).get("enabled", False),
        params.get("storageConfig", {}).get("blockStorage", {}).get("enabled", False),
    )
    if len(set(switches)) > 1:
        raise ServiceError("InvalidParameterException", "For EKS Auto Mode all three switches must agree")
    if switches[0] and params.get("bootstrapSelfManagedAddons", True):
        raise ServiceError("InvalidParameterException", "Auto Mode needs bootstrapSelfManagedAddons = false")


def _is_auto(document: Document) -> bool:
    return bool(document.get("computeConfig", {}).get("enabled"))


LOG_KINDS = ("api", "audit", "authenticator", "controllerManager", "scheduler")


def _logging(asked: Document) -> Document:
    on = {kind for setup in asked.get("clusterLogging", []) if setup.get("enabled") for kind in setup.get("types", [])}
    off = [kind for kind in LOG_KINDS if kind not in on]
    setups = [{"types": sorted(on), "enabled": True}, {"types": off, "enabled": False}]
    return {"clusterLogging": [setup for setup in setups if setup["types"]]}


def _hex(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32].upper()


def _time() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _snake(operation: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in operation).lstrip("_")
