from __future__ import annotations

import pytest

from karrots.errors import UsageError
from karrots.spec import flux_components
from tests.support.flux_manifest import VERSION, small

SYNC = (
    "---\napiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\n"
    "metadata: {name: flux-system, namespace: flux-system}\n"
)
ROOT = SYNC.replace("source.", "kustomize.").replace("GitRepository", "Kustomization")


def read(text: str) -> flux_components.Components:
    return flux_components.read(text.encode(), "gotk.yaml")


def test_what_is_in_it() -> None:
    found = read(small())
    assert found.version == VERSION
    assert found.controllers == ("kustomize-controller", "source-controller")
    assert found.images == ("ghcr.io/fluxcd/kustomize-controller:v1.9.4", "ghcr.io/fluxcd/source-controller:v1.9.4")
    assert found.digest == flux_components.digest_of(small().encode())
    assert [flux_components.collection(each) for each in found.objects][-1] == (
        "/apis/apps/v1/namespaces/flux-system/deployments"
    )
    assert all(map(flux_components.is_component, found.objects))


def test_the_head_says_the_version_where_labels_do_not() -> None:
    text = "---\n# Flux Version: v2.8.1\n" + small(labelled=False)
    assert read(text).version == flux_components.stated_version(text.encode()) == "2.8.1"


@pytest.mark.parametrize(("asked", "fits"), [("2.9", True), ("2.9.5", True), ("2.9.4", False), ("2.8", False)])
def test_which_versions_fit(asked: str, fits: bool) -> None:
    assert flux_components.fits("2.9.5", asked) is fits
    assert not flux_components.fits("2.90.5", "2.9")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "it has no Namespace 'flux-system'"),
        ("- 1\n", "line 1 begins something that is no Kubernetes object"),
        ("kind: List\nitems: [1]\n", "something in it is no Kubernetes object"),
        ("kind: Deployment\n", "something in it is no Kubernetes object"),
        (small(more=SYNC), "it holds the GitRepository 'flux-system', which says what to sync"),
        (small(more=ROOT), "it holds the Kustomization 'flux-system', which says what to sync"),
        (
            small(more="---\napiVersion: v1\nkind: Secret\nmetadata: {name: x, namespace: flux-system}\n"),
            "it holds the Secret 'x' (v1), which is no part of Flux",
        ),
        (
            small(more="---\napiVersion: v1\nkind: Service\nmetadata: {name: x, namespace: shop}\n"),
            "the Service 'x' is not in the namespace 'flux-system'",
        ),
        (small(more="---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"), "it holds the Namespace 'shop'"),
        (small().replace("name: source-controller", "name: other"), "it has no Deployment 'source-controller'"),
        ("---\n# Flux Version: v2.8.1\n" + small(), "it names more than one version: 2.8.1, 2.9.5"),
    ],
)
def test_what_is_not_flux(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=r"'gotk\.yaml' is not Flux's components") as caught:
        read(text)
    assert says in caught.value.why
    assert caught.value.hint == "karrots flux pin VERSION"


def test_one_that_does_not_say_its_version() -> None:
    with pytest.raises(UsageError, match="does not say which version of Flux it is") as caught:
        read(small(labelled=False))
    assert "flux install --export" in caught.value.hint
