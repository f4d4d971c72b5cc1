"""What the services render to, under the real kustomize."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from karrots import places
from karrots.adapters import process
from karrots.render import files, fleet
from karrots.spec.services import CATALOGUE
from karrots.spec.yaml_file import documents
from tests.support.services import PROVIDERS, cluster, offered, rendered

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.engine


def _built(engine: Path, folder: Path) -> list[tuple[str, str]]:
    built = process.run([str(engine / "kubectl"), "kustomize", str(folder)], env=process.environment())
    return sorted(
        (str(each.value["kind"]), each.value["metadata"]["name"]) for each in documents(built.stdout, "built")
    )


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_folder_builds(provider: str, with_engine: Path, tmp_path: Path) -> None:
    ways_in = ["emissary-ingress", "cert-manager"]
    for number, names in enumerate((offered(provider), ways_in)):
        root = tmp_path / str(number)
        files.write(rendered(cluster(provider, names)), root)
        for name in names:
            folder = root / "flux/services" / name
            synced = {kind for kind, _ in _built(with_engine, folder)}
            assert synced == {"Kustomization"}
            installed = _built(with_engine, folder / "install")
            assert ("HelmRelease", name) in installed or name == "storage-class"
            has_namespace = CATALOGUE[name].namespace != "kube-system"
            assert (("Namespace", CATALOGUE[name].namespace) in installed) == has_namespace
            if (folder / "config").is_dir():
                assert _built(with_engine, folder / "config")


def test_the_root_of_the_services_builds_with_all_of_them(with_engine: Path, tmp_path: Path) -> None:
    files.write(fleet.render(fleet.FleetOptions(), places.templates()), tmp_path)
    names = offered("local")
    files.write(rendered(cluster("local", names)), tmp_path / "clusters/qa")
    listing = tmp_path / "clusters/qa/flux/services/kustomization.yaml"
    listing.write_text(listing.read_text() + "".join(f"  - {name}\n" for name in names))
    found = _built(with_engine, listing.parent)
    assert {f"service-{name}" for name in names} <= {name for kind, name in found if kind == "Kustomization"}
