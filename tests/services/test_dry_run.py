"""What the catalogue renders, asked of a real API server with the real definitions: would it be taken?

Definitions of kinds come out of published Go modules. Nothing is kept (dryRun=All), a field nobody knows is a fault.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.services import published
from tests.support import engine
from tests.support.engine import Fleet, eventually, reach
from tests.support.services import PROVIDERS, cluster, objects, offered, rendered

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from karrots.adapters.kube import Kube

pytestmark = [pytest.mark.engine, pytest.mark.services, pytest.mark.usefixtures("with_engine")]

IDENTITY = {
    "cluster_name": "qa-story",
    "cluster_id": "01k5",
    "cluster_domain": "qa-story.example.com",
    "cluster_region": "eu-central-1",
    "cluster_account": "123456789012",
    "cluster_vpc": "vpc-0a1b",
    "cluster_node_role": "qa-story-nodes",
    "cluster_node_subnets": "subnet-0a,subnet-0b",
    "cluster_dns_identity": "dns@example.iam.gserviceaccount.com",
}
STRICT = "fieldManager=dry-run&force=true&fieldValidation=Strict"
APPLY = "application/apply-patch+yaml"


@pytest.fixture(scope="module")
def kube(engine_bin: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kube]:
    """Of a cluster that knows all those kinds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KARROTS_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("KARROTS_ENGINE_BIN", str(engine_bin))
        Fleet(tmp_path_factory.mktemp("fleet")).up()
        found = reach()
        try:
            for name in published.DEFINITIONS:
                define(found, published.kinds(name))
            yield found
        finally:
            found.close()
            engine.remove_all()


def define(kube: Kube, definitions: list[dict[str, Any]]) -> None:
    assert definitions
    for each in definitions:
        each["spec"].pop("conversion", None)  # by a webhook that is not here
        kept(kube, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", each)
    for each in definitions:
        served = next(one["name"] for one in each["spec"]["versions"] if one["served"])
        path = f"/apis/{each['spec']['group']}/{served}/{each['spec']['names']['plural']}?limit=1"
        eventually(lambda path=path: kube.request("GET", path)[0] == 200)  # type: ignore[misc]


def kept(kube: Kube, collection: str, value: dict[str, Any]) -> None:
    told = kube.request("PATCH", f"{collection}/{value['metadata']['name']}?{STRICT}", value, APPLY)
    assert told[0] in (200, 201), told[1].get("message")


def collection(kube: Kube, value: dict[str, Any]) -> str:
    """Where objects of this kind are; '' for a kind nobody knows."""
    version = value["apiVersion"]
    base = f"/apis/{version}" if "/" in version else f"/api/{version}"
    listed = (kube.get(base) or {}).get("resources", [])
    known = next((each for each in listed if each["kind"] == value["kind"] and "/" not in each["name"]), None)
    if known is None:
        return ""
    within = f"/namespaces/{value['metadata']['namespace']}" if known["namespaced"] else ""
    return f"{base}{within}/{known['name']}"


def complaint(kube: Kube, value: dict[str, Any]) -> str:
    """Why the API server would not take it, '' when it would."""
    place = collection(kube, value)
    if not place:
        return "nobody knows this kind"
    status, answer = kube.request("PATCH", f"{place}/{value['metadata']['name']}?{STRICT}&dryRun=All", value, APPLY)
    return "" if status in (200, 201) else str(answer["message"])


def substituted(value: Any) -> Any:
    """As Flux does; a variable nobody defines stays, and is found."""
    if isinstance(value, dict):
        return {key: substituted(each) for key, each in value.items()}
    if isinstance(value, list):
        return [substituted(each) for each in value]
    return re.sub(r"\$\{(\w+)\}", lambda m: IDENTITY[m[1]], value) if isinstance(value, str) else value


def catalogue(provider: str) -> list[dict[str, Any]]:
    """All that can be on, with either way in."""
    names = offered(provider)
    other = ["emissary-ingress", "cert-manager"]
    found = [*objects(rendered(cluster(provider, names))), *objects(rendered(cluster(provider, other)))]
    return [substituted(each) for each in found]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_all_that_is_rendered_is_taken(provider: str, kube: Kube) -> None:
    found = catalogue(provider)
    for each in found:
        if each["kind"] == "Namespace":
            kept(kube, "/api/v1/namespaces", each)
    told = {f"{each['kind']} {each['metadata']['name']}": complaint(kube, each) for each in found}
    assert {name: why for name, why in told.items() if why} == {}
    assert {"HelmRelease external-dns", "ClusterIssuer staging", "GatewayClass envoy", "Host cluster"} <= set(told)


@pytest.mark.parametrize(
    ("kind", "change", "says"),
    [
        ("Certificate", {"dnsName": ["a"]}, ".spec.dnsName: field not declared in schema"),
        ("Gateway", {"listeners": [{"name": "x", "port": 0, "protocol": "HTTP"}]}, "spec.listeners[0].port"),
        ("HelmRelease", {"interval": "soon"}, "spec.interval"),
    ],
)
def test_what_is_wrong_is_found(kind: str, change: dict[str, Any], says: str, kube: Kube) -> None:
    each = next(one for one in catalogue("eks") if one["kind"] == kind)
    assert says in complaint(kube, {**each, "spec": {**each["spec"], **change}})
    assert complaint(kube, {**each, "kind": "Unheard"}) == "nobody knows this kind"
