"""What a cluster does not serve any more, found in content with file and line."""

from __future__ import annotations

import pytest

from karrots.lint import Finding, lint
from karrots.spec.identity import IDENTITY_VARIABLES


def found(manifest: str, kubernetes: str = "1.36", **more: str) -> list[Finding]:
    files = {"flux/a.yaml": manifest, **{f"flux/{name}.yaml": text for name, text in more.items()}}
    return lint({path: text.encode() for path, text in files.items()}, "clusters/qa", IDENTITY_VARIABLES, kubernetes)


def told(findings: list[Finding]) -> list[tuple[str, str, int, str]]:
    return [(it.rule, it.severity, it.line, it.object) for it in findings]


def manifest(version: str, kind: str, more: str = "") -> str:
    return f"# A comment.\napiVersion: {version}\nkind: {kind}\nmetadata:\n  name: x\n{more}"


# removed-api


@pytest.mark.parametrize(
    ("version", "kind", "since", "now"),
    [
        ("batch/v1beta1", "CronJob", "1.25", "batch/v1"),
        ("policy/v1beta1", "PodDisruptionBudget", "1.25", "policy/v1"),
        ("networking.k8s.io/v1beta1", "Ingress", "1.22", "networking.k8s.io/v1"),
        ("autoscaling/v2beta2", "HorizontalPodAutoscaler", "1.26", "autoscaling/v2"),
        ("flowcontrol.apiserver.k8s.io/v1beta3", "FlowSchema", "1.32", "flowcontrol.apiserver.k8s.io/v1"),
        ("extensions/v1beta1", "Deployment", "1.16", "apps/v1"),
    ],
)
def test_an_api_version_that_is_gone(version: str, kind: str, since: str, now: str) -> None:
    (finding,) = found(manifest(version, kind))
    assert told([finding]) == [("removed-api", "error", 2, f"{kind}/x")]
    assert finding.message == f"is of {version}, which Kubernetes serves no more since {since}"
    assert finding.fix_hint == f"write it as {now}"


def test_one_that_nothing_took_the_place_of() -> None:
    (finding,) = found(manifest("policy/v1beta1", "PodSecurityPolicy"))
    assert finding.fix_hint == "delete it; nothing took its place"


@pytest.mark.parametrize(
    ("version", "kind", "kubernetes"),
    [
        ("batch/v1", "CronJob", "1.36"),
        ("batch/v1beta1", "CronJob", "1.24"),
        ("flowcontrol.apiserver.k8s.io/v1beta3", "FlowSchema", "1.31"),
        ("batch/v1beta1", "Other", "1.36"),
    ],
)
def test_what_the_cluster_serves(version: str, kind: str, kubernetes: str) -> None:
    assert found(manifest(version, kind), kubernetes) == []


def test_where_nobody_said_the_version_it_is_gone() -> None:
    assert told(found(manifest("batch/v1beta1", "CronJob"), "")) == [("removed-api", "error", 2, "CronJob/x")]


# gone-image


def pod(image: str) -> str:
    return manifest("v1", "Pod", f"spec:\n  containers:\n    - name: a\n      image: {image}\n")


@pytest.mark.parametrize(
    "image",
    [
        "bitnami/redis:7.2.4",
        "docker.io/bitnami/redis:7.2.4-debian-12-r9",
        "docker.io/bitnami/kubectl",
        "registry-1.docker.io/bitnami/redis@sha256:0d5",
    ],
)
def test_an_image_that_bitnami_took_away(image: str) -> None:
    (finding,) = found(pod(image))
    assert told([finding]) == [("gone-image", "error", 9, "Pod/x")]
    assert f"'{image}'" in finding.message


@pytest.mark.parametrize("image", ["bitnamilegacy/redis:7.2.4", "docker.io/bitnamilegacy/redis:7.2.4"])
def test_an_image_that_is_frozen(image: str) -> None:
    assert told(found(pod(image))) == [("gone-image", "warning", 9, "Pod/x")]


@pytest.mark.parametrize(
    "image", ["bitnami/redis:latest", "ghcr.io/bitnami/sealed-secrets-controller:0.38.2", "my-bitnami/x:1", "redis:7"]
)
def test_an_image_that_is_there(image: str) -> None:
    assert found(pod(image)) == []


def test_in_a_charts_values_and_as_its_source() -> None:
    release = manifest(
        "helm.toolkit.fluxcd.io/v2",
        "HelmRelease",
        "spec:\n  values:\n    kubectl:\n      image:\n        repository: docker.io/bitnami/kubectl\n",
    )
    source = manifest(
        "source.toolkit.fluxcd.io/v1", "HelmRepository", "spec:\n  url: https://charts.bitnami.com/bitnami\n"
    )
    assert told(found(release, b=source)) == [
        ("gone-image", "error", 10, "HelmRelease/x"),
        ("gone-image", "warning", 7, "HelmRepository/x"),
    ]
    kept = source.replace(
        "https://charts.bitnami.com/bitnami", "oci://registry-1.docker.io/bitnamicharts/sealed-secrets"
    )
    assert found(kept) == []


# two-defaults


def ingress_class(name: str, said: str = '"true"') -> str:
    head = f"apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata:\n  name: {name}\n"
    return f"{head}  annotations:\n    ingressclass.kubernetes.io/is-default-class: {said}\n"


def test_two_ingress_classes_that_are_both_the_default() -> None:
    (finding,) = found(ingress_class("one"), b=ingress_class("two"))
    assert told([finding]) == [("two-defaults", "error", 3, "IngressClass/two")]
    assert finding.message == "is a default IngressClass, and so is 'one' (flux/a.yaml): which is taken is chance"


def test_one_default_and_the_same_one_twice() -> None:
    assert found(ingress_class("one"), b=ingress_class("two", '"false"')) == []
    assert found(ingress_class("one"), b=ingress_class("one")) == []


# shared-status


def provider(more: str, kind: str = "github") -> str:
    return manifest("notification.toolkit.fluxcd.io/v1beta3", "Provider", f"spec:\n  type: {kind}\n{more}")


def test_a_commit_status_that_clusters_share() -> None:
    assert told(found(provider(""))) == [("shared-status", "warning", 6, "Provider/x")]
    assert told(found(provider("  commitStatusExpr: event.involvedObject.name\n"))) != []
    assert found(provider("", kind="slack")) == []


def test_a_commit_status_of_each_clusters_own() -> None:
    expression = "\"'${cluster_name}/' + event.involvedObject.name\""
    assert found(provider(f"  commitStatusExpr: {expression}\n")) == []
