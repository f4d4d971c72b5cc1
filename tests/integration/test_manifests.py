"""The demo fleet and a new fleet under the real kustomize."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from karrots import places
from karrots.adapters import process
from karrots.render import files, fleet
from karrots.spec.yaml_file import documents

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.engine


def kinds(engine: Path, folder: Path) -> list[str]:
    built = process.run([str(engine / "kubectl"), "kustomize", str(folder)], env=process.environment())
    return sorted(str(document.value["kind"]) for document in documents(built.stdout, "kustomize"))


@pytest.mark.parametrize("name", ["qa", "prod"])
def test_the_demo_fleet_builds(name: str, with_engine: Path) -> None:
    flux = places.data() / "clusters" / name / "flux"
    assert kinds(with_engine, flux) == ["Kustomization", "Kustomization"]
    assert kinds(with_engine, flux / "services") == [
        "ConfigMap",
        "LimitRange",
        "Namespace",
        "NetworkPolicy",
        "NetworkPolicy",
        "Role",
        "RoleBinding",
        "ServiceAccount",
    ]
    assert kinds(with_engine, flux / "apps") == [
        "ConfigMap",
        "ConfigMap",
        "Deployment",
        "Deployment",
        "HelmRelease",
        "Ingress",
        "PodDisruptionBudget",
        "Service",
        "Service",
    ]


def test_a_new_fleet_builds(with_engine: Path, tmp_path: Path) -> None:
    files.write(fleet.render(fleet.FleetOptions(), places.templates()), tmp_path)
    flux = tmp_path / "clusters/qa/flux"
    assert kinds(with_engine, flux) == ["Kustomization", "Kustomization"]
    assert kinds(with_engine, flux / "services") == ["Namespace"]
    assert kinds(with_engine, flux / "apps") == ["ConfigMap", "Deployment", "Ingress", "Service"]
