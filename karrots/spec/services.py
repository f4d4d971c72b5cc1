"""cluster.yaml's `services`: the core services there are, what each may be told, and what does not go together."""

from __future__ import annotations

from dataclasses import dataclass
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Literal, get_args

from pydantic import Field, model_validator

from karrots.spec import shape
from karrots.spec.model import Flag, Form, Label, Model, Whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

    from karrots.spec.cluster import ClusterSpec

COMMAND = "karrots services"
CLOUDS = ("eks", "gke", "aks")
ANYWHERE = ("local", *CLOUDS)
CUSTOM = "custom"
SETS = ("minimal", "web", "full")

Replicas = Annotated[int, Whole(1, 9)]
Email = Annotated[str, Form(r"[^@\s\"'$]+@[^@\s\"'$]+", "an address such as ops@example.com")]
GroupName = Annotated[str, Form(r"[\w().-]*[\w()-]", "the name of a resource group")]
Bucket = Annotated[str, Form(r"[a-z0-9]([a-z0-9.-]{1,61}[a-z0-9])", "the name of a bucket")]
Endpoint = Annotated[str, Form(r"https?://[^\s\"'${}]+", "an address such as https://otlp.example.com")]
Days = Annotated[str, Form(r"[1-9][0-9]{0,3}[dw]", "a time such as 10d or 4w")]
Renewal = Annotated[str, Form(r"0|[1-9][0-9]*h", "0, or a time in hours such as 720h")]
Hours = Annotated[str, Form(r"[A-Za-z0-9:,/_+ -]+", "days and hours such as Mon-Fri 07:00-20:00 Europe/Berlin")]
Tag = Annotated[str, Form(r"v[0-9]+\.[0-9]+\.[0-9]+", "a version such as v1.36.0")]
SecretNames = Annotated[str, Form(r"[A-Za-z0-9/_+=.@-]+", "the beginning of a name such as shop/")]
Cores = Annotated[int, Whole(1, 10_000)]

ChartAddress = Annotated[str, Form(r"(oci|https)://[^\s\"'${}]+", "an address such as https://charts.example.com")]
ChartVersion = Annotated[str, Form(r"v?[0-9]+\.[0-9]+\.[0-9]+[0-9A-Za-z.+-]*", "a whole version such as 1.2.3")]


class Plain(Model):
    """Nothing to tell it."""


class Replicated(Model):
    replicas: Replicas = Field(default=2, description="Pods of its controller.")


class ExternalDns(Model):
    policy: Literal["sync", "upsert-only"] = Field(
        default="sync",
        description="Whether records of hosts that are gone are deleted, below the cluster's own domain.",
    )
    resource_group: GroupName | None = Field(
        default=None, description="Resource group of the DNS zone; aks, where it is needed."
    )


class CertManager(Model):
    issuer: Literal["staging", "production"] = Field(
        default="staging", description="Who signs the cluster's wildcard; Let's Encrypt's limits hold for production."
    )
    email: Email | None = Field(default=None, description="Whom Let's Encrypt may write to.")
    resource_group: GroupName | None = Field(
        default=None, description="Resource group of the DNS zone; aks, where it is needed."
    )


class SealedSecrets(Model):
    renewal: Renewal = Field(
        default="0",
        description="How often a new key is made. 0 is never: parent and branch would each make their own.",
    )


class StorageClass(Model):
    default: Flag = Field(default=False, description="Whether claims that name no class get this one.")


class Prometheus(Model):
    retention: Days = Field(default="10d", description="How long metrics are kept.")
    alertmanager: Flag = Field(default=True, description="Whether alerts are sent from here.")


class Collector(Model):
    endpoint: Endpoint | None = Field(
        default=None, description="Where logs are sent over OTLP; the cluster's own loki when left out."
    )


class ExternalSecrets(Replicated):
    reads: SecretNames | None = Field(
        default=None,
        description="Beginning of the names of secrets that every cluster may read; a cluster's own begin with its name"
        " and a slash. eks.",
    )


class SumoLogic(Model):
    secret: Label = Field(
        default="sumologic-credentials",
        description="Secret in the namespace sumologic with SUMOLOGIC_ACCESSID and SUMOLOGIC_ACCESSKEY.",
    )


class Downscaler(Model):
    uptime: Hours = Field(
        default="Mon-Fri 07:00-20:00 UTC", description="When applications run; outside of it they have no pods."
    )


class Autoscaler(Model):
    version: Tag | None = Field(
        default=None, description="Its version, of the cluster's own minor; the minor's first one when left out."
    )


class Karpenter(Model):
    cpu: Cores = Field(default=64, description="Most cores that its nodes have together.")
    spot: Flag = Field(default=False, description="Whether it may take spot machines, which end without a warning.")


class Velero(Model):
    bucket: Bucket = Field(description="Where backups are kept, each cluster's below a folder of its own.")
    secret: Label | None = Field(
        default=None,
        description="Secret in the namespace velero whose key 'cloud' gives access to it; Pod Identity when left out.",
    )


def _filled(value: object) -> object:
    return {name: {} if told is None else told for name, told in value.items()} if isinstance(value, dict) else value


class Services(Model):
    """A service is on when it is named; `{}` or nothing after the name leaves its options as they are."""

    envoy_gateway: Replicated | None = Field(default=None, alias="envoy-gateway")
    emissary_ingress: Replicated | None = Field(default=None, alias="emissary-ingress")
    external_dns: ExternalDns | None = Field(default=None, alias="external-dns")
    cert_manager: CertManager | None = Field(default=None, alias="cert-manager")
    sealed_secrets: SealedSecrets | None = Field(default=None, alias="sealed-secrets")
    external_secrets: ExternalSecrets | None = Field(default=None, alias="external-secrets")
    rbac_manager: Plain | None = Field(default=None, alias="rbac-manager")
    storage_class: StorageClass | None = Field(default=None, alias="storage-class")
    metrics_server: Replicated | None = Field(default=None, alias="metrics-server")
    aws_load_balancer_controller: Replicated | None = Field(default=None, alias="aws-load-balancer-controller")
    cluster_autoscaler: Autoscaler | None = Field(default=None, alias="cluster-autoscaler")
    karpenter: Karpenter | None = Field(default=None)
    kube_downscaler: Downscaler | None = Field(default=None, alias="kube-downscaler")
    kyverno: Replicated | None = Field(default=None)
    kube_prometheus_stack: Prometheus | None = Field(default=None, alias="kube-prometheus-stack")
    loki: Plain | None = Field(default=None)
    opentelemetry_collector: Collector | None = Field(default=None, alias="opentelemetry-collector")
    sumologic: SumoLogic | None = Field(default=None)
    velero: Velero | None = Field(default=None)

    custom: dict[Label, Plain] = Field(
        default_factory=dict, description="A team's own services by name, each a folder below services/ of the fleet."
    )

    @model_validator(mode="before")
    @classmethod
    def _named_is_on(cls, value: object) -> object:
        told = _filled(value)
        return {**told, CUSTOM: _filled(told[CUSTOM])} if isinstance(told, dict) and CUSTOM in told else told

    @classmethod
    def options(cls, name: str) -> dict[str, FieldInfo]:
        """What a service may be told."""
        told = shape.inner(cls, name)
        model = next(each for each in get_args(told) if each is not NoneType)
        found: dict[str, FieldInfo] = model.model_fields
        return found

    @property
    def on(self) -> dict[str, Model]:
        """Options of those of the catalogue that are on, by name."""
        fields = ((name, field) for name, field in type(self).model_fields.items() if name != CUSTOM)
        found = ((field.alias or name, getattr(self, name)) for name, field in fields)
        return {name: options for name, options in found if options is not None}


class CustomChart(Model):
    chart: ChartAddress = Field(description="The chart's repository, or with oci:// the chart itself.")
    version: ChartVersion = Field(description="Its version, which is pinned.")


class CustomService(Model):
    """services/<name>/service.yaml of a fleet repository: an entry of the catalogue in a team's own hand."""

    what: str = Field(default="", description="What it is, for those who read the list.")
    namespace: Label = Field(description="Where it is installed.")
    after: list[Label] = Field(default_factory=list, description="Services that come first where they are on.")
    charts: dict[Label, CustomChart] = Field(default_factory=dict, description="Its releases by name, in their order.")


@dataclass(frozen=True)
class Entry:
    """`needs` must be on with it; `after` only come first where they are on; of those with one `part`, one is on.

    `makes` is what it has the cloud make, which costs; `permission` what it may do outside of the cluster.
    """

    name: str
    what: str
    namespace: str
    providers: tuple[str, ...] = ANYWHERE
    elsewhere: str = ""
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    permission: str = ""
    differs: str = ""
    makes: str = ""
    sets: tuple[str, ...] = ()
    part: str = ""


WAY_IN = "way in"
NODE_MAKER = "maker of nodes"
_DNS = "records below the cluster's domain: Pod Identity (eks), Workload Identity (gke), federated credential (aks)"
_ENTRIES = (
    Entry(
        "envoy-gateway",
        "the way in: Envoy by Gateway API, with a Gateway `public` for the cluster's own hosts",
        "envoy-gateway-system",
        after=("aws-load-balancer-controller",),
        differs="hosts below ${cluster_domain}; a load balancer of its own",
        makes="one load balancer",
        sets=SETS,
        part=WAY_IN,
    ),
    Entry(
        "emissary-ingress",
        "the way in: Emissary (Ambassador), with a Host for the cluster's own hosts",
        "emissary",
        after=("aws-load-balancer-controller",),
        differs="hosts below ${cluster_domain}; a load balancer of its own",
        makes="one load balancer",
        part=WAY_IN,
    ),
    Entry(
        "external-dns",
        "DNS records for hosts of Services, Ingresses and HTTPRoutes",
        "external-dns",
        after=("envoy-gateway",),
        permission=_DNS,
        differs="owner ${cluster_id}, records below ${cluster_domain} alone",
        sets=SETS,
    ),
    Entry(
        "cert-manager",
        "certificates: Let's Encrypt over DNS, a wildcard for the cluster's domain",
        "cert-manager",
        after=("envoy-gateway", "emissary-ingress"),
        permission=_DNS.replace("records", "challenges"),
        differs="certificates for ${cluster_domain} and below alone, an ACME account of its own",
        sets=SETS,
    ),
    Entry(
        "sealed-secrets",
        "secrets in git, sealed with a key that is in the cluster",
        "kube-system",
        differs="the key is a Secret of the cluster; nothing in the text",
        sets=("web", "full"),
    ),
    Entry(
        "external-secrets",
        "secrets from a store outside, such as a cloud's own",
        "external-secrets",
        permission="eks: to read secrets below ${cluster_name}/ and those that `reads` names, by Pod Identity; "
        "elsewhere what the stores ask for, given to the service account external-secrets by you",
        differs="the secrets below its own name; stores are yours",
        sets=("full",),
    ),
    Entry(
        "rbac-manager",
        "who may do what, as RBACDefinitions",
        "rbac-manager",
        differs="nothing",
        sets=("web", "full"),
    ),
    Entry(
        "storage-class",
        "a storage class `general` on every provider, so that claims are the same text",
        "kube-system",
        permission="the provider's volume driver, which it brings",
        differs="nothing; volumes carry the cluster's tags",
        sets=("web", "full"),
    ),
    Entry(
        "metrics-server",
        "use of CPU and memory, for `kubectl top` and autoscalers",
        "kube-system",
        providers=("local", "eks"),
        elsewhere="GKE and AKS bring it",
        differs="nothing",
        sets=("web", "full"),
    ),
    Entry(
        "aws-load-balancer-controller",
        "load balancers of AWS for Services and Ingresses",
        "kube-system",
        providers=("eks",),
        elsewhere="it knows AWS alone",
        permission="load balancers that bear the cluster's name: Pod Identity",
        differs="cluster ${cluster_name}, region ${cluster_region}, network ${cluster_vpc}",
        makes="a load balancer for each Service and Ingress that asks for one",
        sets=("web", "full"),
    ),
    Entry(
        "cluster-autoscaler",
        "as many nodes as pods ask for, between `min` and `max` of a pool",
        "kube-system",
        providers=("eks",),
        elsewhere="GKE and AKS bring it, and nodes of this computer cost nothing",
        permission="to size node groups that bear the cluster's name: Pod Identity",
        differs="node groups tagged k8s.io/cluster-autoscaler/${cluster_name}, region ${cluster_region}",
        makes="nodes, up to `max` of each pool",
        sets=("full",),
        part=NODE_MAKER,
    ),
    Entry(
        "karpenter",
        "nodes of the size that pods ask for, beside the pools",
        "kube-system",
        providers=("eks",),
        elsewhere="it is looked up for AWS alone",
        permission="machines, launch templates and instance profiles that bear the cluster's name: Pod Identity",
        differs="cluster ${cluster_name}, role ${cluster_node_role}, subnets ${cluster_node_subnets}; its machines "
        "carry ${cluster_id}",
        makes="nodes, up to `cpu` cores together",
        part=NODE_MAKER,
    ),
    Entry(
        "kube-downscaler",
        "no pods of applications outside of working hours",
        "kube-downscaler",
        differs="nothing; hours are content",
    ),
    Entry(
        "kyverno",
        "policies at admission",
        "kyverno",
        differs="nothing",
        sets=("full",),
    ),
    Entry(
        "kube-prometheus-stack",
        "metrics, dashboards and alerts: Prometheus, Grafana, Alertmanager",
        "monitoring",
        permission="none",
        differs="external labels cluster ${cluster_name} and cluster_id ${cluster_id}",
        sets=("full",),
    ),
    Entry(
        "loki",
        "logs, on a volume of the cluster",
        "loki",
        permission="none",
        differs="nothing: it keeps the logs of its own cluster",
        makes="one volume of the default storage class",
        sets=("full",),
    ),
    Entry(
        "opentelemetry-collector",
        "logs of all pods, sent to loki or over OTLP",
        "opentelemetry",
        after=("loki",),
        permission="`loki`, or an `endpoint` elsewhere",
        differs="k8s.cluster.name ${cluster_name}, karrots.cluster.id ${cluster_id}",
        sets=("full",),
    ),
    Entry(
        "sumologic",
        "logs, metrics and events, sent to Sumo Logic",
        "sumologic",
        permission="the account of the secret you name",
        differs="cluster and collector ${cluster_name}; its collector goes when the cluster does",
        makes="volumes of the default storage class, as buffers; what Sumo Logic takes in is paid there",
    ),
    Entry(
        "velero",
        "backups of objects to a bucket",
        "velero",
        providers=("eks",),
        elsewhere="its plugin is looked up for AWS alone",
        permission="the cluster's folder of the bucket: Pod Identity, or the secret you name",
        differs="folder ${cluster_name}-${cluster_id} of the bucket",
        makes="objects in the bucket, which stay when the cluster goes",
    ),
)
MADE_BY_AUTO_MODE = {
    "aws-load-balancer-controller": "load balancers",
    "cluster-autoscaler": "nodes",
    "karpenter": "nodes",
}
CATALOGUE: dict[str, Entry] = {entry.name: entry for entry in _ENTRIES}


@dataclass(frozen=True)
class Flaw:
    """`service` is where it shows; `command` mends it."""

    service: str
    text: str
    command: str


def flaws(spec: ClusterSpec) -> list[Flaw]:
    """What does not go together, or not with this provider."""
    on = spec.services.on
    found: list[Flaw] = []
    for name in on:
        found += [*_elsewhere(CATALOGUE[name], spec), *_missing(CATALOGUE[name], on), *_untold(name, spec)]
    return [*found, *_two_of_a_part(on), *_taken_names(spec.services)]


# Those that are given a role of their own in AWS where they are on; others' roles are there in any case.
ASKING = ("external-secrets", "velero", "cluster-autoscaler", "karpenter")


def asking(spec: ClusterSpec) -> list[str]:
    """Of these, those that are on; Velero has access of its own where a Secret is named."""
    on = spec.services.on
    by_secret = isinstance(kept := on.get("velero"), Velero) and kept.secret is not None
    return [name for name in ASKING if name in on and not (name == "velero" and by_secret)]


def why_not(entry: Entry, spec: ClusterSpec) -> str:
    """Why the service is not for clusters of this directory, '' when it is."""
    if spec.provider not in entry.providers:
        return f"it is not for {spec.provider}: {entry.elsewhere}"
    made = MADE_BY_AUTO_MODE.get(entry.name) if spec.eks.auto_mode else None
    return f"EKS Auto Mode makes {made} itself" if made else ""


def _elsewhere(entry: Entry, spec: ClusterSpec) -> Iterator[Flaw]:
    why = why_not(entry, spec)
    if why:
        yield Flaw(entry.name, f"'{entry.name}' cannot be on: {why}", f"{COMMAND} disable {entry.name}")


def _missing(entry: Entry, on: dict[str, Model]) -> Iterator[Flaw]:
    needs = [*entry.needs]
    told = on[entry.name]
    if isinstance(told, Collector) and told.endpoint is None:
        needs.append("loki")
    for need in needs:
        if need not in on:
            text = f"'{entry.name}' needs '{need}', which is off"
            yield Flaw(entry.name, text, f"{COMMAND} enable {need} {entry.name}")


def _untold(name: str, spec: ClusterSpec) -> Iterator[Flaw]:
    told = spec.services.on[name]
    if spec.provider == "aks" and isinstance(told, ExternalDns | CertManager) and told.resource_group is None:
        text = f"'{name}' does not know the resource group of the DNS zone"
        yield Flaw(name, text, f"{COMMAND} enable {name} --option resource_group=NAME")


def _taken_names(services: Services) -> Iterator[Flaw]:
    for name in services.custom:
        if name in CATALOGUE:
            text = f"'{name}' is a service of the catalogue, and cannot be one of your own"
            yield Flaw(CUSTOM, text, f"rename services/{name}, or: {COMMAND} enable {name}")


def _two_of_a_part(on: dict[str, Model]) -> Iterator[Flaw]:
    for part in (WAY_IN, NODE_MAKER):
        first, *others = [name for name in on if CATALOGUE[name].part == part] or [""]
        for other in others:
            text = f"'{first}' and '{other}' are both on, and a cluster has one {part}"
            yield Flaw(other, text, f"{COMMAND} disable {first}   (or {other})")
