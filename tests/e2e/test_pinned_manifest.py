"""Flux's pinned components in a directory that comes up on the engine, where Flux is there already."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from karrots.adapters import flux
from karrots.engine import components
from karrots.spec import flux_components
from tests.support import flux_manifest, golang

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import World

pytestmark = pytest.mark.engine

COUNT = "jsonpath={.items[*].metadata.name}"


@pytest.fixture(scope="module", autouse=True)
def pinned(world: World, engine_bin: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """As karrots writes it, and then listed, as `flux bootstrap` does and nobody should."""
    made = flux_manifest.build(golang.of_this_computer(), engine_bin, tmp_path_factory.mktemp("flux"))
    (world.root / "gotk.yaml").write_text(made)
    world.karrots("flux", "pin", flux_manifest.VERSION, "--from", str(world.root / "gotk.yaml"))
    folder = world.directory / flux_components.FOLDER
    (folder / "kustomization.yaml").write_text("resources: [gotk-components.yaml]\n")
    top = world.directory / "flux/kustomization.yaml"
    top.write_text(top.read_text() + "  - flux-system\n")
    world.git("add", ".")
    world.git("commit", "-qm", "Flux, pinned")


def controllers(world: World) -> set[str]:
    """Those that have a Deployment in the cluster."""
    found = world.kubectl("qa", "-n", flux.NAMESPACE, "get", "deployments", "-o", COUNT).split()
    return set(found) & set(components.FLUX)


def test_lint_says_that_it_is_not_flux_who_applies_it(world: World) -> None:
    found = world.karrots("lint", "-o", "json").document["findings"]
    assert {(f["rule"], f["severity"], f["path"]) for f in found} == {
        ("flux-components", "warning", flux_components.FILE)
    }


def test_the_directory_comes_up_with_the_engines_own_flux(world: World) -> None:
    world.karrots("create")
    assert world.image("qa") == "shop/front:1.5.0"
    assert controllers(world) == set()
    path = "jsonpath={.status.inventory.entries[*].id}"
    inventory = world.kubectl("qa", "-n", flux.NAMESPACE, "get", "kustomization", flux.ROOT, "-o", path)
    assert inventory
    assert "CustomResourceDefinition" not in inventory
    assert "source-controller" not in inventory


def test_without_the_patch_flux_would_apply_itself(world: World) -> None:
    """The control: what the root's patch prevents does happen without it."""
    patch = '{"spec":{"patches":[],"suspend":false}}'
    world.kubectl("qa", "-n", flux.NAMESPACE, "patch", "kustomization", flux.ROOT, "--type=merge", "-p", patch)
    there = ("wait", "deployment/source-controller", "--for=create", "--timeout=120s")
    world.kubectl("qa", "-n", flux.NAMESPACE, *there)
    assert controllers(world)


def test_apply_mends_it_and_the_kinds_stay(world: World) -> None:
    """A root that drops what it had applied prunes it: the namespace, its own kind, itself. So they are kept before."""
    world.karrots("apply", "qa")
    world.commit("flux/apps/front/deployment.yaml", "shop/front:1.5.0", "shop/front:1.6.0")
    world.karrots("sync", "qa")
    assert world.image("qa") == "shop/front:1.6.0"
    namespace = world.kubectl("qa", "get", "namespace", flux.NAMESPACE, "-o", "jsonpath={.status.phase}")
    assert namespace == "Active"
    kinds = world.kubectl("qa", "get", "crd", "-o", COUNT).split()
    assert "kustomizations.kustomize.toolkit.fluxcd.io" in kinds


def test_destroy(world: World) -> None:
    world.karrots("destroy", "qa", "--yes")
    assert world.processes() == []
