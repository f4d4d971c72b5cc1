# ruff: noqa: INP001  (a script beside the page it writes, not a package)
"""The table of docs/identity.md: each line of a cluster's identity with its home, and what it is in two clusters of one
directory. Values are what karrots renders and installs, filled as Terraform and Flux fill it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from karrots import places
from karrots.adapters import flux, kube
from karrots.fence.kinds import MAKERS, SWITCHES
from karrots.fleet import cloud_names, identity, tags
from karrots.fleet.record import Parent, Record, State
from karrots.render import services, terraform
from karrots.spec.cluster import load_cluster
from karrots.spec.yaml_file import documents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONTENT = """\
apiVersion: karrots.dev/v1
kind: Cluster
provider: eks
kubernetes: "1.36"
nodes:
  default: {min: 1, max: 3}
services:
  envoy-gateway:
  external-dns:
  cert-manager:
  aws-load-balancer-controller:
  cluster-autoscaler:
  kube-prometheus-stack:
  opentelemetry-collector: {endpoint: https://otlp.example.com}
  sumologic:
  velero: {bucket: example-backups}
"""
DIRECTORY = "clusters/qa"
FIRST, SECOND = "01k9y2v7p3m5s1r6w4v9q0c7za", "01k9z3v8q4n6t2m7x5w0r1d8ab"
HELD = "held in the copy"


def record(name: str, branch: str, cluster_id: str, network: str, parent: Parent | None) -> Record:
    return Record(
        id=cluster_id,
        name=name,
        directory=DIRECTORY,
        branch=branch,
        provider="eks",
        created="2026-11-20T10:00:00Z",
        domain=f"{name}.dev.example.com",
        network=network,
        owner="ada@example.com",
        region="eu-central-1",
        account="123456789012",
        parent=parent,
        state=State(backend="s3", key=cluster_id),
    )


@dataclass(frozen=True)
class Cluster:
    """One of two, with all that is made from the same content for it."""

    record: Record

    @property
    def names(self) -> dict[str, str]:
        return cloud_names.names(self.record)

    @cached_property
    def variables(self) -> dict[str, str]:
        outputs = {"vpc_id": f"vpc-of-{self.record.name}", "node_role": f"{self.names['prefix']}-nodes"}
        return identity.variables(self.record, {}, outputs)

    @cached_property
    def objects(self) -> list[dict[str, Any]]:
        """What Flux applies, with what is substituted."""
        files = services.render(load_cluster(CONTENT, "cluster.yaml"), DIRECTORY, places.templates())
        return [
            each.value for path, text in files.items() for each in documents(self.filled(text, self.variables), path)
        ]

    @staticmethod
    def filled(text: str, values: dict[str, str]) -> str:
        return re.sub(r"\$\{(\w+)\}", lambda use: values[use[1]], text)

    def chart(self, name: str, path: str) -> str:
        """A value of a release."""
        found: Any = next(it for it in self.objects if it["kind"] == "HelmRelease" and it["metadata"]["name"] == name)[
            "spec"
        ]["values"]
        for step in path.split("."):
            found = found[int(step)] if isinstance(found, list) else found[step]
        return ", ".join(found) if isinstance(found, list) else str(found)

    def object(self, kind: str, name: str) -> dict[str, Any]:
        return next(it for it in self.objects if it["kind"] == kind and it["metadata"]["name"] == name)

    def terraform(self, pattern: str) -> str:
        """What the first group of a pattern finds in the rendered root, with the names it is given."""
        root = "\n".join(terraform.render(load_cluster(CONTENT, "cluster.yaml"), places.templates() / "eks").values())
        match = re.search(pattern, root)
        if match is None:
            raise LookupError(pattern)
        told = {f"var.names.{key}": value for key, value in self.names.items()}
        found = match[1].strip('"')
        return re.sub(r"\$\{([\w.]+)\}", lambda use: told[use[1]], told.get(found, found))

    @property
    def source(self) -> dict[str, Any]:
        access = flux.GitAccess("ssh://git@example.com/fleet")
        return flux.source(flux.Sync(access, self.record.branch, f"{DIRECTORY}/flux"))


PARENT = Cluster(record("qa", "main", FIRST, "10.64.0.0/20", None))
COPY = Cluster(
    record("qa-feature-x", "feature/x", SECOND, "10.64.16.0/20", Parent(name="qa", id=FIRST, commit="0" * 40))
)


@dataclass(frozen=True)
class Line:
    """`same` says why both may have one value, '' where they must differ."""

    what: str
    home: str
    value: Callable[[Cluster], str]
    same: str = ""


def _held(*kinds: str) -> Callable[[Cluster], str]:
    """The parent's acts; the copy's is stopped by its fence, whose kinds are looked up."""
    known = {each.kind.name for each in (*MAKERS, *SWITCHES)}
    by_fence = HELD if set(kinds) <= known else "acts"
    return lambda cluster: by_fence if cluster.record.parent else "acts"


def _names(it: Cluster) -> str:
    return f"{it.names['cluster']}, {it.names['prefix']}-…"


def _state(it: Cluster) -> str:
    return it.record.state.key if it.record.state else ""


def _trusted(it: Cluster) -> str:
    return it.terraform(r'variable = "aws:RequestTag/eks-cluster-name"\s+values   = \[([^\]]+)\]')


def _log_group(it: Cluster) -> str:
    return it.terraform(r'"aws_cloudwatch_log_group" "cluster" \{\s+name +=\s+("[^"]+")')


def _dns(it: Cluster) -> str:
    return f"{it.chart('external-dns', 'txtOwnerId')}, {it.chart('external-dns', 'domainFilters')}"


def _domains(it: Cluster) -> str:
    return ", ".join(it.object("Certificate", "cluster-wildcard")["spec"]["dnsNames"])


def _folder(it: Cluster) -> str:
    return it.chart("velero", "configuration.backupStorageLocation.0.prefix")


def _labels(it: Cluster) -> str:
    places = (
        ("kube-prometheus-stack", "prometheus.prometheusSpec.externalLabels.cluster"),
        ("opentelemetry-collector", "config.processors.resource.attributes.0.value"),
        ("sumologic", "sumologic.collectorName"),
    )
    return ", ".join(it.chart(name, path) for name, path in places)


def _context(it: Cluster) -> str:
    return str(kube.kubeconfig(it.record.name, kube.Access("https://example.com", ""))["current-context"])


FILE = "identity.auto.tfvars.json"
FENCE = "the fence"
LINES = (
    Line("name of the cluster and of all that is named after it", f"`names` in {FILE}", _names),
    Line("key of the Terraform state", "`state.key` of the record", _state),
    Line("network range", "`network` of the record, leased from karrots.yaml", lambda it: it.record.network),
    Line(
        "tags of everything in the cloud",
        f"`tags` in {FILE}",
        lambda it: f"karrots.dev/id={tags.tags(it.record)['karrots.dev/id']}",
    ),
    Line("who is trusted with the controllers' roles", "templates/eks/roles.tf", _trusted),
    Line("log group, and what else has a name of its own", "templates/eks/cluster.tf", _log_group),
    Line(
        "branch that Flux follows",
        "GitRepository flux-system, which karrots makes",
        lambda it: str(it.source["spec"]["ref"]["branch"]),
    ),
    Line(
        "log-in of Flux to git",
        f"Secret flux-system/{flux.GIT_SECRET}, from karrots.yaml",
        lambda _: "reads",
        "it reads, and is not in content; who may write does not act in a copy",
    ),
    Line(
        "commit statuses, alerts and receivers",
        f"{FENCE}; a Provider says `commitStatusExpr` with `${{cluster_name}}`, else lint warns",
        _held("Alert", "Provider", "Receiver"),
    ),
    Line("image automation", FENCE, _held("ImageUpdateAutomation")),
    Line("DNS: owner and domain", "flux/services/external-dns", _dns),
    Line("certificates", "flux/services/cert-manager", _domains),
    Line(
        "sealing keys",
        "Secrets of the cluster, in kube-system",
        lambda _: "a Secret",
        "they are the cluster's own objects, and not in content",
    ),
    Line("folder of backups, and their schedules", f"flux/services/velero; {FENCE}", _folder),
    Line(
        "tags that nodes are found by",
        "flux/services/cluster-autoscaler, karpenter",
        lambda it: it.chart("cluster-autoscaler", "autoDiscovery.clusterName"),
    ),
    Line(
        "labels of metrics, logs and collectors",
        "flux/services/kube-prometheus-stack, opentelemetry-collector, sumologic",
        _labels,
    ),
    Line(
        "load balancers",
        "flux/services/aws-load-balancer-controller",
        lambda it: it.chart("aws-load-balancer-controller", "clusterName"),
    ),
    Line("cron jobs, mailers, queues", FENCE, _held("CronJob")),
    Line(
        "databases, object stores and brokers by address",
        f"{FENCE}: `fence.addresses`, and lint's not-for-copies",
        _held(),
    ),
    Line("context of a kubeconfig", "`karrots kubeconfig`", _context),
)

INTRODUCTION = """\
A branch has the same content as its parent, and another identity. This table names each line of it, where it lives, and
what it is in two clusters of one directory: `qa`, and `qa-feature-x`, which was branched from it. The values are made
from the same content by the program itself (docs/identity.py); a test sees that they differ.
"""


def rows() -> Iterator[tuple[str, ...]]:
    for number, line in enumerate(LINES, 1):
        values = [f"`{line.value(each)}`" for each in (PARENT, COPY)]
        yield str(number), line.what, line.home, *values, line.same or "-"


def as_json() -> str:
    """For the test, which reads it from outside."""
    told = [[line.what, line.value(PARENT), line.value(COPY), line.same] for line in LINES]
    return json.dumps(told)


if __name__ == "__main__":
    print(as_json())  # noqa: T201  (a script)
