"""Each way a secret stands in content, with what opens it."""

from __future__ import annotations

import pytest

from karrots.lint.tree import Tree
from karrots.lint.walk import walk
from karrots.secrets import Kept, decryptions, kept, sealed
from tests.unit.fence.trees import APPS, DIRECTORY, files, manifest

DECRYPTING = APPS + "  decryption: {provider: sops, secretRef: {name: sops-age}}\n"
SOPS = "sops: {age: [{recipient: age1example}], kms: [{arn: 'arn:aws:kms:eu-central-1:123456789012:key/x'}]}\n"
ENCRYPTED = manifest("Secret", "v1", "data: {a: 'ENC[AES256_GCM]'}\n" + SOPS)
SEALED = manifest("SealedSecret", "bitnami.com/v1alpha1", "spec: {encryptedData: {password: AgB}}")


def found(*manifests: str, **more: str) -> list[Kept]:
    return kept(walk(Tree(files(*manifests, **more), DIRECTORY)))


def brief(*manifests: str, **more: str) -> list[tuple[str, str, str]]:
    return [(each.way, each.kind, each.opened_by) for each in found(*manifests, **more)]


def test_a_sealed_one_in_the_namespace_it_gets() -> None:
    (only,) = found(SEALED)
    assert (only.way, only.namespace, only.name, only.path, only.line) == (
        "sealed",
        "shop",
        "a",
        "flux/apps/all.yaml",
        1,
    )
    (content,) = sealed(walk(Tree(files(SEALED), DIRECTORY)))
    assert (content.values, content.reach, content.whole, content.is_known) == (
        {"password": "AgB"},
        "strict",
        False,
        True,
    )


@pytest.mark.parametrize(
    ("annotation", "reach"),
    [
        ("sealedsecrets.bitnami.com/cluster-wide: 'true'", "cluster-wide"),
        ("sealedsecrets.bitnami.com/namespace-wide: 'true'", "namespace-wide"),
        ("sealedsecrets.bitnami.com/namespace-wide: 'false'", "strict"),
        ("other: 'true'", "strict"),
    ],
)
def test_how_far_it_may_be_moved(annotation: str, reach: str) -> None:
    text = SEALED.replace("{name: a}", f"{{name: a, annotations: {{{annotation}}}}}")
    (content,) = sealed(walk(Tree(files(text), DIRECTORY)))
    assert content.reach == reach


def test_one_of_the_old_form_and_one_without_a_known_name() -> None:
    old = manifest("SealedSecret", "bitnami.com/v1alpha1", "spec: {data: AgB}")
    variable = SEALED.replace("name: a", "name: 'a-${cluster_name}'")
    old_, unknown = sealed(walk(Tree(files(old, variable), DIRECTORY)))
    assert (old_.whole, old_.values) == (True, {})
    assert not unknown.is_known


@pytest.mark.parametrize(
    ("apps", "by"),
    [
        (APPS, ""),
        (DECRYPTING, "Secret/flux-system/sops-age"),
        (APPS + "  decryption: {provider: sops}\n", "identity"),
    ],
)
def test_what_a_file_of_sops_is_decrypted_by(apps: str, by: str) -> None:
    (only,) = found(ENCRYPTED, apps=apps)
    assert (only.way, only.decrypted_by) == ("sops", by)
    assert only.opened_by == "age age1example, kms arn:aws:kms:eu-central-1:123456789012:key/x"


def test_what_kustomizations_decrypt_with() -> None:
    (only,) = decryptions(walk(Tree(files(ENCRYPTED, apps=DECRYPTING), DIRECTORY)))
    assert (only.namespace, only.secret, only.kustomization) == ("flux-system", "sops-age", "Kustomization/apps")
    assert decryptions(walk(Tree(files(ENCRYPTED), DIRECTORY))) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (manifest("Secret", "v1", "stringData: {a: b}"), [("plain", "Secret", "")]),
        (manifest("Secret", "v1", "data: {a: Yg==}"), [("plain", "Secret", "")]),
        (manifest("Secret", "v1", "stringData: {a: '${token}', b: ''}"), []),
        (manifest("Secret", "v1", "type: kubernetes.io/service-account-token"), []),
        (manifest("ConfigMap", "v1", "data: {a: b}"), []),
        (
            manifest("ExternalSecret", "external-secrets.io/v1", "spec: {secretStoreRef: {name: vault}}"),
            [("store", "ExternalSecret", "SecretStore/vault")],
        ),
        (
            manifest("SecretProviderClass", "secrets-store.csi.x-k8s.io/v1", "spec: {provider: aws}"),
            [("store", "SecretProviderClass", "aws")],
        ),
        (manifest("SealedSecret", "example.com/v1", "spec: {encryptedData: {a: b}}"), []),
    ],
)
def test_the_others(text: str, expected: list[tuple[str, str, str]]) -> None:
    assert brief(text) == expected


def test_what_kustomize_makes_of_files() -> None:
    generator = "secretGenerator:\n- name: plain\n  literals: [a=b]\n- name: hidden\n  files: [enc.yaml]\n"
    texts = files(apps=DECRYPTING, apps__kustomization=generator)
    texts["flux/apps/enc.yaml"] = b"a: ENC[]\nsops:\n  age: []\n"
    listed = kept(walk(Tree(texts, DIRECTORY)))
    assert [(each.name, each.way, each.decrypted_by) for each in listed] == [
        ("plain", "plain", ""),
        ("hidden", "sops", "Secret/flux-system/sops-age"),
    ]
