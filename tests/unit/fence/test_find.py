"""Each hazard with a manifest that has it and one that has not."""

from __future__ import annotations

import pytest

from karrots.fence import Decisions, Owner, Sought
from karrots.fence.kinds import LABEL
from karrots.lint.tree import Tree
from tests.unit.fence.trees import files, found, manifest, running

QA = Owner("qa", "qa.example.com", "123456789012")
SHOP = Sought(owners=(QA,), addresses=("10.20.0.0/16",), variables={"log_level": "info", "public": "shop.example.com"})
NOTIFY = "notification.toolkit.fluxcd.io/v1beta3"


def brief(text: str, sought: Sought = SHOP) -> list[tuple[str, str]]:
    return [(each.kind, each.hold) for each in found(files(text), sought)]


@pytest.mark.parametrize(
    ("kind", "version", "hold"),
    [
        ("CronJob", "batch/v1", "denied"),
        ("Schedule", "velero.io/v1", "denied"),
        ("ImageUpdateAutomation", "image.toolkit.fluxcd.io/v1", "suspended"),
        ("Alert", NOTIFY, "suspended"),
        ("Provider", NOTIFY, "suspended"),
        ("Receiver", "notification.toolkit.fluxcd.io/v1", "suspended"),
        ("BackupStorageLocation", "velero.io/v1", "suspended"),
        ("PushSecret", "external-secrets.io/v1alpha1", "suspended"),
    ],
)
def test_a_kind_that_acts_by_itself(kind: str, version: str, hold: str) -> None:
    (only,) = found(files(manifest(kind, version)))
    assert (only.kind, only.namespace, only.name, only.hold) == (kind, "shop", "a", hold)
    assert (only.path, only.line, bool(only.reason)) == ("flux/apps/all.yaml", 1, True)
    assert found(files(manifest(kind, "example.com/v1"))) == [], "of another group it is another thing"


def test_what_only_reads_is_let_be() -> None:
    quiet = [
        manifest("ExternalSecret", "external-secrets.io/v1"),
        manifest("GitRepository", "source.toolkit.fluxcd.io/v1"),
    ]
    assert found(files(*quiet, running("shop/front:1.5.0"))) == []


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "Job"])
@pytest.mark.parametrize("metadata", ["", f", labels: {{{LABEL}: mail}}"])
def test_a_mailer_by_its_label(kind: str, metadata: str) -> None:
    expected = [(kind, "suspended" if kind == "Job" else "not started")] if metadata else []
    assert brief(running("shop/mailer", kind=kind, metadata=metadata)) == expected


def test_the_label_may_be_on_the_pods() -> None:
    text = running("shop/mailer").replace("{app: a}", f"{{app: a, {LABEL}: mail}}")
    assert brief(text) == [("Deployment", "not started")]


@pytest.mark.parametrize(
    ("image", "writes"),
    [
        ("ghcr.io/fluxcd/image-automation-controller:v1.2.4", True),
        ("registry.example.com:5000/renovate@sha256:abc", True),
        ("ghcr.io/fluxcd/image-reflector-controller:v1.2.4", False),
        ("renovate/viewer", False),
    ],
)
def test_a_controller_that_writes_to_git(image: str, *, writes: bool) -> None:
    assert bool(brief(running(image))) is writes


@pytest.mark.parametrize(
    ("args", "held"),
    [
        ("[]", True),
        ("['--domain-filter=example.com']", True),
        ("['--domain-filter=${cluster_domain}']", False),
        ("['--domain-filter=dev.${cluster_domain}', --txt-owner-id=x]", False),
        ("['--domain-filter=${cluster_domain}', '--domain-filter=example.com']", True),
    ],
)
def test_external_dns_outside_of_its_own_sub_domain(args: str, *, held: bool) -> None:
    assert bool(brief(running("registry.k8s.io/external-dns/external-dns:v0.22.0", args))) is held


@pytest.mark.parametrize(
    ("kind", "version", "spec"),
    [
        ("Ingress", "networking.k8s.io/v1", "spec: {rules: [{host: HOST}]}"),
        ("Ingress", "networking.k8s.io/v1", "spec: {tls: [{hosts: [HOST]}]}"),
        ("HTTPRoute", "gateway.networking.k8s.io/v1", "spec: {hostnames: [HOST]}"),
        ("Gateway", "gateway.networking.k8s.io/v1", "spec: {listeners: [{hostname: HOST}]}"),
        ("Certificate", "cert-manager.io/v1", "spec: {dnsNames: [HOST]}"),
        ("Certificate", "cert-manager.io/v1", "spec: {commonName: HOST}"),
        ("DNSEndpoint", "externaldns.k8s.io/v1alpha1", "spec: {endpoints: [{dnsName: HOST}]}"),
        ("Mapping", "getambassador.io/v3alpha1", "spec: {hostname: HOST}"),
    ],
)
def test_a_host_that_every_copy_would_claim(kind: str, version: str, spec: str) -> None:
    for host, hold in {
        "shop.qa.example.com": ["nothing"],
        "www.example.org": ["nothing"],
        "'${public}'": ["nothing"],  # content's own variable is the same text on every branch
        "'shop.${cluster_domain}'": [],
        "'${cluster_name}.example.org'": [],
        "front.shop.svc": [],
        "'*'": [],
    }.items():
        assert [hold for _, hold in brief(manifest(kind, version, spec.replace("HOST", host)))] == hold, host


def test_a_host_of_external_dns_in_an_annotation() -> None:
    service = ", annotations: {external-dns.alpha.kubernetes.io/hostname: 'a.${cluster_domain}, b.example.org'}"
    (only,) = found(files(manifest("Service", "v1", metadata=service)))
    assert (only.hold, "'b.example.org'" in only.reason, "cluster_domain}'" in only.reason) == ("nothing", True, False)


@pytest.mark.parametrize(
    ("data", "hold"),
    [
        ("url: https://api.qa.example.com/v1", "nothing"),
        ("url: https://api.qa-story.example.com", ""),
        ("url: https://qa.example.com.evil.org", ""),
        ("url: https://api.${cluster_domain}", ""),
        ("role: arn:aws:iam::123456789012:role/shop", "nothing"),
        ("role: 'arn:aws:iam::123456789012:role/${cluster_name}-shop'", ""),
        ("policy: arn:aws:iam::aws:policy/ReadOnlyAccess", ""),
        ("queue: https://sqs.eu-west-1.amazonaws.com/123456789012/orders", "nothing"),
        ("account: '123456789012'", "nothing"),
        ("account: '1234567890123'", ""),
        ("store: s3://shop-orders/today", "nothing"),
        ("store: 's3://${cluster_name}-orders'", ""),
        ("bucket: shop-orders", "nothing"),
        ("bucket: '${cluster_name}-orders'", ""),
        ("bucket: shop-orders, prefix: '${cluster_name}-${cluster_id}'", ""),
        ("bucket: shop-orders, prefix: all", "nothing"),
        ("database: postgres://10.20.3.4:5432/shop", "egress"),
        ("database: postgres://10.21.3.4:5432/shop", ""),
        ("version: 10.20.3.4.5", ""),
        ("image: 123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/front:1.5.0", ""),
    ],
)
def test_a_text_that_is_one_clusters_own(data: str, hold: str) -> None:
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {{{data}}}\n"
    holds = {each.hold for each in found(files(text), SHOP)}
    assert holds == ({hold} if hold else set())


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("Service", ", annotations: {service.beta.kubernetes.io/aws-load-balancer-name: shop}"),
        ("Ingress", ", annotations: {kubernetes.io/ingress.global-static-ip-name: shop}"),
        ("PersistentVolume", "}\nspec: {csi: {volumeHandle: vol-0123}"),
        ("StorageClass", "}\nparameters: {fileSystemId: fs-0123}\nmore: {a: b"),
        ("Service", "}\nspec: {loadBalancerIP: 203.0.113.7}\nmore: {a: b"),
    ],
)
def test_what_a_cloud_gives_once(kind: str, text: str) -> None:
    own = (
        text.replace("shop}", "'${cluster_name}'}")
        .replace("vol-0123", "'${cluster_name}'")
        .replace("fs-0123", "'${cluster_name}'")
    )
    whole = f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: a{{}}}}\n"
    assert [each.hold for each in found(files(whole.replace("{}", text)))] == ["nothing"]
    if own != text:
        assert found(files(whole.replace("{}", own))) == []


def test_many_texts_of_one_object_are_one_find() -> None:
    text = manifest(
        "Ingress", "v1", "spec: {rules: [{host: a.x.org}, {host: b.x.org}, {host: c.x.org}, {host: d.x.org}]}"
    )
    (only,) = found(files(text))
    assert only.reason.startswith("claims the host 'a.x.org', 'b.x.org', 'c.x.org' …")


def test_what_somebody_closed_by_name_is_found_whatever_it_runs() -> None:
    closed = Sought(decisions=Decisions.of((), ["Deployment/shop/a"], {}))
    assert brief(running("shop/front"), closed) == [("Deployment", "not started")]
    assert brief(running("shop/front"), Sought(decisions=Decisions.of((), ["Deployment/other/a"], {}))) == []


def test_any_depth_is_reached() -> None:
    path = "./clusters/qa/flux/deep"
    child = f"""apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: deep, namespace: flux-system}}
spec: {{path: {path}, sourceRef: {{kind: GitRepository, name: flux-system}}}}
"""
    (only,) = found(files(child, deep__job=manifest("CronJob", "batch/v1", metadata=", namespace: night")))
    assert (only.namespace, only.path) == ("night", "flux/deep/job.yaml")


def test_hostile_text_ends_in_the_linters_finding() -> None:
    """100,000 brackets, and a bomb of aliases: the reader's own bounds hold."""
    bomb = "a: &a [x]\n" + "".join(f"b{n}: &b{n} [{', '.join(['*a'] * 50)}]\n" for n in range(200))
    for text in ("[" * 100_000, bomb, "!!python/object/apply:os.system [ls]"):
        given = files(manifest("CronJob", "batch/v1")) | {"flux/apps/bad.yaml": text.encode()}
        assert [each.kind for each in found(given)] == ["CronJob"]
        tree = Tree(given, "clusters/qa")
        tree.documents("flux/apps/bad.yaml")
        assert "flux/apps/bad.yaml" in tree.broken or text is bomb
