"""Sealed values are exchanged by a real API server, as they are admitted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from karrots.adapters import flux
from karrots.adapters.kube import ApiRefused
from karrots.secrets import admission
from karrots.steps import keys
from karrots.steps.fencing import served
from tests.support.engine import Fleet, eventually, reach, remove_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from karrots.adapters.kube import Kube

pytestmark = pytest.mark.engine

CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "sealedsecrets.bitnami.com"},
    "spec": {
        "group": "bitnami.com",
        "scope": "Namespaced",
        "names": {"kind": "SealedSecret", "plural": "sealedsecrets"},
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                    }
                },
            }
        ],
    },
}
SHOP = "/apis/bitnami.com/v1alpha1/namespaces/default/sealedsecrets"
TEXTS = {"password": ("sealed-for-the-parent", "sealed-for-the-copy"), "a.b-c_D": ("x", "y")}


@pytest.fixture(scope="module")
def kube(tmp_path_factory: pytest.TempPathFactory, engine_bin: Path) -> Iterator[Kube]:
    with pytest.MonkeyPatch.context() as patch:
        root = tmp_path_factory.mktemp("exchange")
        patch.setenv("KARROTS_HOME", str(root / "karrots"))
        patch.setenv("KARROTS_ENGINE_BIN", str(engine_bin))
        Fleet(root).up(bare=True)
        found = reach()
        try:
            yield found
        finally:
            found.close()
            remove_all()


def sealed(name: str, **values: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default"}
    spec = {"encryptedData": values, "template": {"metadata": metadata}}
    return {"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "metadata": metadata, "spec": spec}


def put_up(kube: Kube, *maps: dict[str, Any]) -> None:
    kube.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": flux.NAMESPACE}})
    for each in maps:
        kube.apply(keys.MAPS, each)
    for each in admission.policy(served(kube)):
        kube.apply(keys._collection(each), each)
    terms = admission.probe_terms(maps)
    kube.apply(keys.MAPS, terms)
    eventually(lambda: keys.exchanges(kube, terms))


def known(ask: Callable[[], bool]) -> bool:
    """A new kind is refused for some seconds, until the API server knows the form of what it is to exchange."""
    try:
        return ask()
    except ApiRefused as error:
        if error.status != 503:
            raise
        return False


def values(kube: Kube, name: str) -> dict[str, str]:
    found = kube.get(f"{SHOP}/{name}")
    assert found is not None
    data: dict[str, str] = found["spec"]["encryptedData"]
    return data


def test_what_is_known_is_exchanged_and_nothing_else(kube: Kube) -> None:
    kube.apply("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", CRD)
    assert list(keys.unsettled(kube, {})) == [], "also of a kind that is only coming"
    eventually(lambda: kube.request("GET", SHOP)[0] == 200)
    before = sealed("db", password="sealed-for-the-parent")
    kube.create(SHOP, before)
    put_up(kube, admission.exchanged("default", "db", TEXTS))
    assert values(kube, "db") == {"password": "sealed-for-the-parent"}, "it came in before"
    eventually(lambda: known(lambda: keys.settle(kube)))
    assert values(kube, "db") == {"password": "sealed-for-the-copy"}
    kube.apply(SHOP, sealed("db", **{"password": "changed", "a.b-c_D": "x"}))
    assert values(kube, "db") == {"password": "changed", "a.b-c_D": "y"}
    kube.apply(SHOP, sealed("other", password="sealed-for-the-parent"))
    assert values(kube, "other") == {"password": "sealed-for-the-parent"}, "it is of another name"


def test_more_of_them_and_one_that_is_of_the_probes_name(kube: Kube) -> None:
    maps = [admission.exchanged("default", f"n{number}", {"k": (f"{number}", "y" * 4000)}) for number in range(40)]
    put_up(kube, *maps)
    kube.apply(SHOP, sealed("n39", k="39"))
    assert values(kube, "n39") == {"k": "y" * 4000}
    probe = {**admission.probe(), "metadata": {"name": admission.PROBE, "namespace": "default"}}
    kube.create("/api/v1/namespaces/default/configmaps", probe)
    found = kube.get(f"/api/v1/namespaces/default/configmaps/{admission.PROBE}")
    assert found is not None
    assert found["data"] == admission.probe()["data"], "only in flux-system it is the probe"
