"""cluster.yaml: what a cluster is made of. It holds nothing that belongs to one cluster alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from karrots.errors import UsageError
from karrots.spec import fence_words, loading, yaml_file
from karrots.spec.identity import IDENTITY_VARIABLES
from karrots.spec.model import Flag, Form, Interval, Label, Model, Whole, address_range
from karrots.spec.services import COMMAND, Services, flaws

if TYPE_CHECKING:
    from collections.abc import Mapping

Provider = Literal["local", "eks", "gke", "aks"]
PROVIDERS: tuple[Provider, ...] = ("local", "eks", "gke", "aks")


def _not_identity(name: str) -> str:
    if name in IDENTITY_VARIABLES:
        raise ValueError("is set by karrots for each cluster; choose another name")
    return name


VariableName = Annotated[
    str,
    Form(r"[_a-zA-Z][_a-zA-Z0-9]*", "letters, digits and '_' (it is a variable's name)"),
    AfterValidator(_not_identity),
]


# https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
NODE_LABEL = r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
NODE_VALUE = r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?"
NodeLabel = Annotated[str, Form(NODE_LABEL, "a Kubernetes label such as example.com/tier")]
NodeValue = Annotated[str, Form(NODE_VALUE, "a label's value: at most 63 letters, digits, '.', '_' and '-'")]


class Taint(Model):
    key: NodeLabel
    value: NodeValue = ""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] = "NoSchedule"


class NodePool(Model):
    """Either `count`, or `min` and `max`."""

    size: str | None = Field(
        default=None, min_length=1, description="Machine type in the provider's words; not used by local."
    )
    count: Annotated[int, Whole(0, 1000)] | None = Field(default=None, description="A fixed number of nodes.")
    min: Annotated[int, Whole(0, 1000)] | None = Field(default=None, description="Fewest nodes when the pool scales.")
    max: Annotated[int, Whole(1, 1000)] | None = Field(default=None, description="Most nodes when the pool scales.")

    spot: Flag = Field(default=False, description="Cheaper machines that the cloud may take back; clouds only.")
    disk: Annotated[int, Whole(20, 16384)] | None = Field(default=None, description="Root disk in GiB; clouds only.")
    labels: dict[NodeLabel, NodeValue] = Field(default_factory=dict, description="Labels of the nodes; clouds only.")
    taints: list[Taint] = Field(default_factory=list, description="Taints of the nodes; clouds only.")

    @model_validator(mode="after")
    def _one_way_to_size(self) -> NodePool:
        scaled = self.min is not None or self.max is not None
        if scaled == (self.count is not None):
            raise ValueError("needs either 'count', or 'min' and 'max'")
        if scaled and (self.min is None or self.max is None or self.min > self.max):
            raise ValueError("needs both 'min' and 'max', and 'min' may not be above 'max'")
        return self

    @property
    def initial(self) -> int:
        """Nodes at the start."""
        return self.count if self.count is not None else self.min or 0


class Network(Model):
    """Shape only: address ranges belong to one cluster and are leased from karrots.yaml."""

    mode: Literal["own", "shared"] = Field(
        default="own", description="A network of its own, or the parent's; clouds only."
    )
    zones: Annotated[int, Whole(1, 6)] = Field(default=2, description="Availability zones to spread over; clouds only.")
    nat: Literal["single", "per-zone", "none"] = Field(
        default="single", description="How nodes reach out; clouds only."
    )
    api: Literal["public", "private"] = Field(
        default="public", description="Whether the API server can be reached from outside of the network; clouds only."
    )


ADDONS = r"vpc-cni|eks-pod-identity-agent|coredns|kube-proxy|aws-ebs-csi-driver"
Addon = Annotated[str, Form(f"({ADDONS})", "an add-on of templates/eks: " + ADDONS.replace("|", ", "))]
AddonVersion = Annotated[str, Form(r"v[0-9][A-Za-z0-9.-]*", "a version such as v1.20.4-eksbuild.2")]


class Eks(Model):
    """What only EKS has."""

    auto_mode: Flag = Field(default=False, description="AWS makes the nodes as pods need them (EKS Auto Mode).")
    addons: dict[Addon, AddonVersion] = Field(
        default_factory=dict, description="Versions of EKS add-ons by name; one not named gets EKS's default."
    )


class Gke(Model):
    """What only GKE has."""

    autopilot: Flag = Field(default=False, description="Google makes the nodes as pods need them.")
    channel: Literal["RAPID", "REGULAR", "STABLE"] = Field(default="REGULAR", description="Release channel.")


class Aks(Model):
    """What only AKS has."""

    tier: Literal["Free", "Standard"] = Field(default="Free", description="Standard promises an uptime, for a price.")


class Flux(Model):
    version: Annotated[str, Form(r"2\.[0-9]{1,3}(\.[0-9]{1,3})?", 'a version such as "2.9"')] = Field(
        default="2.9", description="Flux version every branch of this directory gets."
    )
    interval: Interval = Field(default="1m", description="How often Flux looks at git without being asked.")


FenceWord = Annotated[str, Form(fence_words.FORM, fence_words.SAYS)]


class Fence(Model):
    """What copies may do to the outside world; a cluster that was not branched has no fence."""

    open: list[FenceWord] = Field(
        default_factory=list,
        max_length=fence_words.MOST,
        description="Acts in every copy too: CronJob, report, CronJob/shop/report.",
    )
    closed: list[FenceWord] = Field(
        default_factory=list,
        max_length=fence_words.MOST,
        description="Is held in every copy, whatever is said of one cluster; also other workloads.",
    )
    addresses: list[Annotated[str, AfterValidator(address_range)]] = Field(
        default_factory=list, description="Address ranges of the parent's that pods of copies do not reach."
    )


class Secrets(Model):
    """How a copy reads secrets of its parent; a cluster that was not branched has keys of its own."""

    sealed: Literal["reseal", "share", "own"] = Field(
        default="reseal",
        description="SealedSecrets: values sealed again for the copy's own key, the parent's keys copied, or neither.",
    )
    sops: Literal["share", "own"] = Field(
        default="share", description="SOPS: Secrets that Flux decrypts with are copied from the parent, or not."
    )


class ClusterSpec(Model):
    api_version: Literal["karrots.dev/v1"] = Field(alias="apiVersion")
    kind: Literal["Cluster"]
    provider: Provider = Field(description="Where clusters of this directory live.")
    kubernetes: Annotated[str, Form(r"1\.[0-9]{2}", 'a minor version in quotes such as "1.36"')] = Field(
        description="Kubernetes minor version."
    )
    nodes: dict[Label, NodePool] = Field(min_length=1, description="Node pools by name.")
    network: Network = Field(default_factory=Network, description="Shape of the network, no addresses.")
    eks: Eks = Field(default_factory=Eks, description="What only EKS has.")
    gke: Gke = Field(default_factory=Gke, description="What only GKE has.")
    aks: Aks = Field(default_factory=Aks, description="What only AKS has.")
    flux: Flux = Field(default_factory=Flux, description="Flux, which applies flux/ of this directory.")
    services: Services = Field(default_factory=Services, description="Core services by name (karrots services ls).")
    variables: dict[VariableName, str] = Field(
        default_factory=dict, description="Further ${variables} for the manifests, beside the cluster's identity."
    )
    fence: Fence = Field(default_factory=Fence, description="What is held in copies of this cluster, and what is not.")
    secrets: Secrets = Field(default_factory=Secrets, description="How copies of this cluster read its secrets.")
    terraform: Literal["rendered", "ejected"] = Field(
        default="rendered", description="'ejected' once terraform/ is kept by hand (karrots eject)."
    )

    @property
    def node_count(self) -> int:
        return sum(pool.initial for pool in self.nodes.values())


def load_cluster(data: bytes | str, source: str, overrides: Mapping[str, str] | None = None) -> ClusterSpec:
    """Raises UsageError with file:line:column; `overrides` are dotted paths, typed by the schema."""
    spec = read_cluster(data, source, overrides or {})
    for flaw in flaws(spec):
        line, column = yaml_file.load_text(data, source).position(("services", flaw.service))
        raise UsageError(f"{yaml_file.place(source, line, column)}: {flaw.text}", hint=flaw.command)
    return spec


def read_cluster(data: bytes | str, source: str, overrides: Mapping[str, str]) -> ClusterSpec:
    """As `load_cluster`, but services that do not go together are let be: a command is about to mend that."""
    for path in overrides:
        if path.split(".")[0] == "services":
            raise UsageError(
                f"cannot set '{path}'",
                why="services are content: Flux reads them from git",
                hint=f"{COMMAND} enable NAME --option KEY=VALUE",
            )
    return loading.load(ClusterSpec, data, source, overrides)
