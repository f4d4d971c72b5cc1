"""What the services render to, under the real kustomize and the definitions of Flux's own kinds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from karrots import places
from karrots.adapters import process
from karrots.engine import assets
from karrots.render import files, fleet
from karrots.spec.services import CATALOGUE
from karrots.spec.yaml_file import documents
from tests.support.services import PROVIDERS, cluster, objects, offered, rendered

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

pytestmark = pytest.mark.engine


def _built(engine: Path, folder: Path) -> list[tuple[str, str]]:
    built = process.run([str(engine / "kubectl"), "kustomize", str(folder)], env=process.environment())
    return sorted(
        (str(each.value["kind"]), each.value["metadata"]["name"]) for each in documents(built.stdout, "built")
    )


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_folder_builds(provider: str, with_engine: Path, tmp_path: Path) -> None:
    others = ["emissary-ingress", "cert-manager", *(["karpenter"] if provider == "eks" else [])]
    for number, names in enumerate((offered(provider), others)):
        root = tmp_path / str(number)
        files.write(rendered(cluster(provider, names)), root)
        for name in names:
            folder = root / "flux/services" / name
            installed = _built(with_engine, folder / "install")
            assert ("HelmRelease", name) in installed or name == "storage-class"
            has_namespace = CATALOGUE[name].namespace != "kube-system"
            assert (("Namespace", CATALOGUE[name].namespace) in installed) == has_namespace
            if (folder / "config").is_dir():
                assert {kind for kind, _ in _built(with_engine, folder)} == {"Kustomization"}
                assert _built(with_engine, folder / "config")
            else:
                assert _built(with_engine, folder) == installed


def test_a_list_that_only_terraform_knows_takes_its_place_in_what_kustomize_builds(
    with_engine: Path, tmp_path: Path
) -> None:
    """Flux fills what kustomize has written, and reads it anew."""
    files.write(rendered(cluster("eks", ["karpenter"])), tmp_path)
    folder = tmp_path / "flux/services/karpenter/config"
    built = process.run(
        [str(with_engine / "kubectl"), "kustomize", str(folder)], env=process.environment()
    ).stdout.decode()
    filled = built.replace("${cluster_node_subnets}", '[{"id":"subnet-1"},{"id":"subnet-2"}]')
    found = {each.value["kind"]: each.value["spec"] for each in documents(filled, "built")}
    assert found["EC2NodeClass"]["subnetSelectorTerms"] == [{"id": "subnet-1"}, {"id": "subnet-2"}]
    assert found["NodePool"]["template"]["spec"]["nodeClassRef"]["name"] == "default"


def test_the_root_of_the_services_builds_with_all_of_them(with_engine: Path, tmp_path: Path) -> None:
    files.write(fleet.render(fleet.FleetOptions(), places.templates()), tmp_path)
    names = offered("local")
    files.write(rendered(cluster("local", names)), tmp_path / "clusters/qa")
    listing = tmp_path / "clusters/qa/flux/services/kustomization.yaml"
    listing.write_text(listing.read_text() + "".join(f"  - {name}\n" for name in names))
    found = _built(with_engine, listing.parent)
    synced = {name for kind, name in found if kind == "Kustomization"}
    assert synced == {f"service-{name}{part}" for name in ("cert-manager", "envoy-gateway") for part in ("", "-config")}
    assert {name for kind, name in found if kind == "HelmRelease"} > {"external-dns", "kyverno", "sealed-secrets"}


def _schemas(engine: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """What the API server would hold Flux's objects against, by apiVersion and kind; unknown fields are mistakes."""
    found = {}
    for definition in json.loads((engine / assets.CRDS).read_text()):
        spec = definition["spec"]
        for version in spec["versions"]:
            key = (f"{spec['group']}/{version['name']}", spec["names"]["kind"])
            found[key] = _strict(version["schema"]["openAPIV3Schema"])
    return found


def _strict(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {key: _strict(value) for key, value in schema.items()}
    is_closed = "properties" in schema and "x-kubernetes-preserve-unknown-fields" not in schema
    return {**strict, "additionalProperties": False} if is_closed else strict


def _mistakes(schemas: Mapping[tuple[str, str], dict[str, Any]], found: Iterable[dict[str, Any]]) -> list[str]:
    told = []
    for each in found:
        schema = schemas.get((each["apiVersion"], each["kind"]))
        if schema is not None:
            body = {**each, "metadata": {}}
            told += [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(body)]
    return told


FLUX = ("HelmRelease", "HelmRepository", "OCIRepository", "Kustomization")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_flux_knows_every_field_of_its_own_objects(provider: str, with_engine: Path) -> None:
    schemas = _schemas(with_engine)
    content = {**rendered(cluster(provider, offered(provider))), **rendered(cluster(provider, ["emissary-ingress"]))}
    found = [each for each in objects(content) if each["kind"] in FLUX]
    assert {each["kind"] for each in found} == set(FLUX)
    assert {(each["apiVersion"], each["kind"]) for each in found} <= set(schemas)
    assert _mistakes(schemas, found) == []
    release = next(each for each in found if each["kind"] == "HelmRelease")
    assert _mistakes(schemas, [{**release, "spec": {**release["spec"], "interwal": "1h"}}])
    assert _mistakes(schemas, [{**release, "spec": {**release["spec"], "interval": "soon"}}])
