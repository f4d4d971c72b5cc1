from __future__ import annotations

from karrots.lint.certificates import counted
from tests.support.services import DIRECTORY, cluster, rendered

LISTED = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n  - services/cert-manager\n"


def asked(issuer: str, provider: str = "eks") -> list[tuple[str, ...]]:
    spec = cluster(provider, ["cert-manager"])
    files = {path: text.replace("name: staging\n  ", f"name: {issuer}\n  ") for path, text in rendered(spec).items()}
    config = "flux/services/cert-manager/config/issuers.yaml"
    files[config] = files[config].replace("    name: staging\n", f"    name: {issuer}\n")
    content = {path: text.encode() for path, text in files.items()} | {"flux/kustomization.yaml": LISTED.encode()}
    return counted(content, DIRECTORY, "qa.example.com")


def test_the_wildcard_of_a_cluster_that_asks_production() -> None:
    assert asked("production") == [("*.qa.example.com", "qa.example.com")]


def test_staging_is_not_counted() -> None:
    assert asked("staging") == []


def test_nor_is_a_certificate_that_nobody_outside_signs() -> None:
    assert asked("production", "local") == []
