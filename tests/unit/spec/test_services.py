from __future__ import annotations

import jsonschema
import pytest
import yaml

from karrots.errors import UsageError
from karrots.spec.cluster import load_cluster
from karrots.spec.schema import json_schema
from karrots.spec.services import CATALOGUE, SETS, Services
from tests.support.services import PROVIDERS, cluster, of_set, offered, text


def test_the_catalogue_is_what_cluster_yaml_may_name() -> None:
    assert {field.alias or name for name, field in Services.model_fields.items()} == {*CATALOGUE, "custom"}


def test_a_service_that_is_named_is_on() -> None:
    spec = load_cluster(text("local", ()) + "  kyverno:\n  sealed-secrets: {}\n", "cluster.yaml")
    assert list(spec.services.on) == ["sealed-secrets", "kyverno"]
    assert load_cluster(text("local", ()).replace("services:\n", ""), "cluster.yaml").services.on == {}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("external-dn: {}", "cluster.yaml:8:3: unknown key 'external-dn' in 'services', did you mean 'external-dns'?"),
        ("external-dns: {polcy: sync}", "unknown key 'polcy' in 'services.external-dns', did you mean 'policy'?"),
        ("external-dns: {policy: all}", "'services.external-dns.policy' must be 'sync' or 'upsert-only', not 'all'"),
        ("envoy-gateway: {replicas: 0}", "'services.envoy-gateway.replicas'"),
        ("velero: {}", "'services.velero.bucket' is missing"),
        ("karpenter: {cpu: 0}", "'services.karpenter.cpu'"),
        ("kube-downscaler: {uptime: 'a${b}'}", "'services.kube-downscaler.uptime' must be days and hours"),
        ("cluster-autoscaler: {version: latest}", "must be a version such as v1.36.0"),
        ("external-secrets: {reads: '*'}", "must be the beginning of a name such as shop/"),
        ("cert-manager: {email: 'a\"b@c'}", "'services.cert-manager.email' must be an address"),
        ("opentelemetry-collector: {endpoint: 'http://${x}'}", "must be an address such as"),
    ],
)
def test_mistakes_are_told_with_their_place(line: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_cluster(text("eks", ()) + f"  {line}\n", "cluster.yaml")
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("provider", "lines", "says", "command"),
    [
        (
            "local",
            "  envoy-gateway:\n  emissary-ingress:\n",
            "9:3: 'envoy-gateway' and 'emissary-ingress' are both on, and a cluster has one way in",
            "karrots services disable envoy-gateway   (or emissary-ingress)",
        ),
        (
            "eks",
            "  karpenter:\n  cluster-autoscaler:\n",
            "8:3: 'cluster-autoscaler' and 'karpenter' are both on, and a cluster has one maker of nodes",
            "karrots services disable cluster-autoscaler   (or karpenter)",
        ),
        (
            "local",
            "  opentelemetry-collector:\n",
            "8:3: 'opentelemetry-collector' needs 'loki', which is off",
            "karrots services enable loki opentelemetry-collector",
        ),
        (
            "gke",
            "  metrics-server:\n",
            "'metrics-server' cannot be on: it is not for gke: GKE and AKS bring it",
            "karrots services disable metrics-server",
        ),
        (
            "local",
            "  custom:\n    loki:\n",
            "8:3: 'loki' is a service of the catalogue, and cannot be one of your own",
            "rename services/loki, or: karrots services enable loki",
        ),
        (
            "aks",
            "  external-dns:\n",
            "'external-dns' does not know the resource group of the DNS zone",
            "karrots services enable external-dns --option resource_group=NAME",
        ),
    ],
)
def test_what_does_not_go_together_is_refused_with_the_command(
    provider: str, lines: str, says: str, command: str
) -> None:
    with pytest.raises(UsageError) as caught:
        load_cluster(text(provider, ()) + lines, "cluster.yaml")
    assert says in caught.value.message
    assert caught.value.hint == command


@pytest.mark.parametrize(
    ("name", "made"),
    [("aws-load-balancer-controller", "load balancers"), ("cluster-autoscaler", "nodes"), ("karpenter", "nodes")],
)
def test_what_auto_mode_makes_is_not_made_twice(name: str, made: str) -> None:
    with pytest.raises(UsageError, match=f"EKS Auto Mode makes {made} itself"):
        cluster("eks", [name], "eks: {auto_mode: true}\n")


def test_a_collector_that_sends_elsewhere_needs_no_loki() -> None:
    assert cluster("local", ["opentelemetry-collector"]).services.on


def test_services_are_content_and_cannot_be_set_for_one_cluster() -> None:
    with pytest.raises(UsageError, match=r"cannot set 'services\.kyverno\.replicas'") as caught:
        load_cluster(text("local", ["kyverno"]), "cluster.yaml", {"services.kyverno.replicas": "3"})
    assert "content" in caught.value.why


@pytest.mark.parametrize("chosen", SETS)
@pytest.mark.parametrize("provider", [name for name in PROVIDERS if name != "aks"])
def test_a_set_goes_together(provider: str, chosen: str) -> None:
    assert "envoy-gateway" in of_set(provider, chosen).services.on


def test_sets_hold_one_another() -> None:
    minimal, web, full = (set(of_set("eks", chosen).services.on) for chosen in SETS)
    assert minimal < web < full <= set(offered("eks"))


def test_what_a_cloud_brings_is_not_offered_there() -> None:
    assert {name for provider in ("gke", "aks") for name in offered(provider)}.isdisjoint(
        {"metrics-server", "aws-load-balancer-controller", "cluster-autoscaler", "karpenter"}
    )


def test_an_editor_knows_the_services() -> None:
    validator = jsonschema.Draft7Validator(json_schema("cluster"))
    good = yaml.safe_load(text("eks", offered("eks")) + "  emissary-ingress:\n")
    assert list(validator.iter_errors(good)) == []
    for line in ("  nothing: {}\n", "  rbac-manager: {x: 1}\n"):
        assert list(validator.iter_errors(yaml.safe_load(text("eks", ()) + line)))
