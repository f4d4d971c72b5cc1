"""EKS: what a cluster is now, which versions there are, and the token that logs in to one."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from karrots import clock
from karrots.adapters.aws import strings, understood
from karrots.adapters.aws_errors import LOGIN_HINT, AwsGarbled, AwsLoginNeeded, AwsRejected, told_apart
from karrots.adapters.tokens import Token, Tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from karrots.adapters.aws import Aws

TOKEN_PREFIX = "k8s-aws-v1."  # noqa: S105  (it marks one, and is none)
TOKEN_HEADER = "x-k8s-aws-id"  # noqa: S105
# The server takes a token for 15 minutes from its date, whatever the link says; a minute of that is for the way.
TOKEN_SECONDS = 14 * 60
LINK_SECONDS = 60
ALIVE = ("ACTIVE", "UPDATING")
GONE = ("ResourceNotFoundException",)


@dataclass(frozen=True)
class Cluster:
    """`status` in AWS's words; `authority` is PEM in base64; `troubles` is what EKS itself complains of."""

    name: str
    arn: str
    status: str
    version: str
    endpoint: str
    authority: str
    tags: Mapping[str, str]
    vpc: str = ""
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    issuer: str = ""
    authentication: str = ""
    public: bool = True
    troubles: tuple[str, ...] = ()

    @property
    def answers(self) -> bool:
        """Whether its API server can be asked."""
        return self.status in ALIVE and bool(self.endpoint)


@dataclass(frozen=True)
class NodeGroup:
    name: str
    status: str
    version: str
    sizes: tuple[str, ...]
    desired: int
    least: int
    most: int
    image: str = ""
    spot: bool = False
    disk: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    troubles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Addon:
    name: str
    version: str
    status: str
    troubles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Version:
    """`supported`: standard support, which costs no extra."""

    name: str
    supported: bool
    default: bool = False


def cluster(aws: Aws, name: str) -> Cluster | None:
    try:
        answer = aws.call("eks", "describe_cluster", name=name)
    except AwsRejected as error:
        if error.reason in GONE:
            return None
        raise
    with understood("eks DescribeCluster"):
        return _cluster(answer["cluster"])


def _cluster(found: Any) -> Cluster:
    network = found.get("resourcesVpcConfig") or {}
    groups = [network.get("clusterSecurityGroupId"), *(network.get("securityGroupIds") or ())]
    return Cluster(
        name=str(found["name"]),
        arn=str(found["arn"]),
        status=str(found["status"]),
        version=str(found.get("version") or ""),
        endpoint=str(found.get("endpoint") or ""),
        authority=str((found.get("certificateAuthority") or {}).get("data") or ""),
        tags={str(key): str(value) for key, value in (found.get("tags") or {}).items()},
        vpc=str(network.get("vpcId") or ""),
        subnets=tuple(network.get("subnetIds") or ()),
        security_groups=tuple(str(group) for group in groups if group),
        issuer=str(((found.get("identity") or {}).get("oidc") or {}).get("issuer") or ""),
        authentication=str((found.get("accessConfig") or {}).get("authenticationMode") or ""),
        public=bool(network.get("endpointPublicAccess", True)),
        troubles=_troubles(found),
    )


def pem(authority: str) -> str:
    """Raises AwsGarbled for what is no base64 of text."""
    with understood("eks DescribeCluster"):
        return base64.b64decode(authority, validate=True).decode("ascii")


def _troubles(found: Any) -> tuple[str, ...]:
    issues = (found.get("health") or {}).get("issues") or ()
    return tuple(f"{it.get('code', '')}: {it.get('message', '')}" for it in issues)


def node_groups(aws: Aws, name: str) -> list[NodeGroup]:
    """None of them when the cluster is gone."""
    found = []
    for group in _names(aws, "list_nodegroups", "nodegroups", name):
        answer = aws.call("eks", "describe_nodegroup", clusterName=name, nodegroupName=group)
        with understood("eks DescribeNodegroup"):
            found.append(_node_group(answer["nodegroup"]))
    return found


def _node_group(found: Any) -> NodeGroup:
    scaling = found.get("scalingConfig") or {}
    return NodeGroup(
        name=str(found["nodegroupName"]),
        status=str(found["status"]),
        version=str(found.get("version") or ""),
        sizes=tuple(found.get("instanceTypes") or ()),
        desired=int(scaling.get("desiredSize") or 0),
        least=int(scaling.get("minSize") or 0),
        most=int(scaling.get("maxSize") or 0),
        image=str(found.get("amiType") or ""),
        spot=found.get("capacityType") == "SPOT",
        disk=found.get("diskSize"),
        labels=dict(found.get("labels") or {}),
        troubles=_troubles(found),
    )


def addons(aws: Aws, name: str) -> list[Addon]:
    found = []
    for addon in _names(aws, "list_addons", "addons", name):
        answer = aws.call("eks", "describe_addon", clusterName=name, addonName=addon)
        with understood("eks DescribeAddon"):
            it = answer["addon"]
            found.append(
                Addon(str(it["addonName"]), str(it.get("addonVersion") or ""), str(it["status"]), _troubles(it))
            )
    return found


@dataclass(frozen=True)
class Piece:
    """What Terraform makes inside of a cluster; `key` is its id in a state."""

    kind: str
    name: str
    key: str


# How each kind is listed (operation, key) and described (operation, its parameter, key).
PIECES = {
    "node group": ("list_nodegroups", "nodegroups", "describe_nodegroup", "nodegroupName", "nodegroup"),
    "add-on": ("list_addons", "addons", "describe_addon", "addonName", "addon"),
    "access entry": ("list_access_entries", "accessEntries", "describe_access_entry", "principalArn", "accessEntry"),
}


def pieces(aws: Aws, name: str) -> Iterator[Piece]:
    for kind, (operation, key, *_) in PIECES.items():
        yield from (Piece(kind, it, f"{name}:{it}") for it in _names(aws, operation, key, name))
    for it in aws.pages("eks", "list_pod_identity_associations", "associations", clusterName=name):
        with understood("eks ListPodIdentityAssociations"):
            title = f"{it['namespace']}/{it['serviceAccount']}"
            yield Piece("Pod Identity association", title, str(it["associationId"]))


def tags_of_piece(aws: Aws, name: str, piece: Piece) -> Mapping[str, str]:
    """Raises AwsRejected when it has gone meanwhile."""
    if piece.kind in PIECES:
        _, _, operation, parameter, key = PIECES[piece.kind]
        answer = aws.call("eks", operation, clusterName=name, **{parameter: piece.name})
    else:
        operation, key = "describe_pod_identity_association", "association"
        answer = aws.call("eks", operation, clusterName=name, associationId=piece.key)
    with understood(f"eks {operation}"):
        return dict(answer[key].get("tags") or {})


def _names(aws: Aws, operation: str, key: str, name: str) -> Iterator[str]:
    more: dict[str, str] = {}
    while True:
        try:
            answer = aws.call("eks", operation, clusterName=name, **more)
        except AwsRejected as error:
            if error.reason in GONE:
                return
            raise
        yield from strings(answer, key)
        if not answer.get("nextToken"):
            return
        more = {"nextToken": str(answer["nextToken"])}


def versions(aws: Aws) -> list[Version]:
    """That a cluster can be made with today, as the region says; there is always one."""
    pages = aws.pages("eks", "describe_cluster_versions", "clusterVersions", includeAll=False)
    with understood("eks DescribeClusterVersions"):
        found = [
            Version(str(it["clusterVersion"]), _is_supported(it), bool(it.get("defaultVersion")))
            for it in pages
            if not _is_over(it)
        ]
    if not found:
        raise AwsGarbled("AWS eks DescribeClusterVersions was answered with what is no answer", why="no version at all")
    return found


def _status(found: Any) -> str:
    return str(found.get("versionStatus") or found.get("status") or "").upper().replace("-", "_")


def _is_supported(found: Any) -> bool:
    return _status(found) in {"STANDARD_SUPPORT", ""}


def _is_over(found: Any) -> bool:
    return _status(found) == "UNSUPPORTED"


def tokens(aws: Aws, name: str) -> Tokens:
    """For the API server of the cluster of that name."""
    return Tokens(lambda: token(aws, name))


def token(aws: Aws, name: str) -> Token:
    """A signed link to STS that says who we are; only the API server of that cluster can use it.

    https://github.com/kubernetes-sigs/aws-iam-authenticator has the form. No one is asked.
    """
    credentials = aws.credentials()
    if credentials is None:
        raise AwsLoginNeeded("you are not logged in to AWS", why="no credentials were found", hint=LOGIN_HINT)
    made = clock.seconds()
    try:
        link = _signed(aws, name, credentials)
    except Exception as error:
        raise told_apart(error, "sts", "GetCallerIdentity") from error
    text = TOKEN_PREFIX + base64.urlsafe_b64encode(link.encode()).decode().rstrip("=")
    ends = getattr(credentials, "_expiry_time", None)
    return Token(text, min(made + TOKEN_SECONDS, ends.timestamp() if ends is not None else made + TOKEN_SECONDS))


def _signed(aws: Aws, name: str, credentials: Any) -> str:
    from botocore.hooks import HierarchicalEmitter
    from botocore.model import ServiceId
    from botocore.signers import RequestSigner

    events = HierarchicalEmitter()  # the signer alone would not keep it
    signer = RequestSigner(ServiceId("STS"), aws.region, "sts", "v4", credentials, events)
    request = {
        "method": "GET",
        "url": f"https://{aws.host('sts')}/?Action=GetCallerIdentity&Version=2011-06-15",
        "body": {},
        "headers": {TOKEN_HEADER: name},
        "context": {},
    }
    return str(signer.generate_presigned_url(request, "GetCallerIdentity", LINK_SECONDS))


def remove_node_group(aws: Aws, name: str, group: str) -> None:
    try:
        aws.call("eks", "delete_nodegroup", clusterName=name, nodegroupName=group)
    except AwsRejected as error:
        if error.reason not in {*GONE, "ResourceInUseException"}:
            raise


def remove(aws: Aws, name: str) -> None:
    """Refused by EKS, and not an error here, while it has node groups: ask again."""
    try:
        aws.call("eks", "delete_cluster", name=name)
    except AwsRejected as error:
        if error.reason not in {*GONE, "ResourceInUseException"}:
            raise
