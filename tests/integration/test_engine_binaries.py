"""The real programs of the engine, and the Go module that is our own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from karrots.adapters import process
from karrots.engine import assets, binaries, probe, recipe
from tests.support import golang

if TYPE_CHECKING:
    from pathlib import Path

    from karrots.engine import toolchain

pytestmark = pytest.mark.engine
go = golang.go


def ask(program: Path, *arguments: str) -> str:
    return process.run([str(program), *arguments]).text


def test_the_named_engine_is_whole_and_works(with_engine: Path) -> None:
    found = binaries.ensure()
    assert found.folder == with_engine
    assert set(recipe.MODULES) <= found.versions.keys()
    probe.probe(with_engine, recipe.PROGRAMS)


def test_the_programs_say_the_versions_of_go_mod(with_engine: Path) -> None:
    versions = recipe.versions(recipe.engine().modules)
    for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler"):
        assert ask(with_engine / name, "--version") == f"Kubernetes v{versions['kubernetes']}\n"
    client = json.loads(ask(with_engine / "kubectl", "version", "--client", "-o", "json"))["clientVersion"]
    assert client["gitVersion"] == f"v{versions['kubernetes']}"
    assert f"{client['major']}.{client['minor']}" == versions["kubernetes"].rsplit(".", 1)[0]
    assert f"etcd Version: {versions['etcd']}\n" in ask(with_engine / "etcd", "--version")
    assert f"v{versions['kwok']}" in ask(with_engine / "kwok", "--version")


def test_the_assets_are_those_of_the_controllers(with_engine: Path) -> None:
    found = assets.load(with_engine)
    kinds = {crd["spec"]["names"]["kind"] for crd in found.crds}
    assert {"GitRepository", "Kustomization", "HelmRelease", "HelmChart", "Receiver", "Alert"} <= kinds
    assert len(kinds) == len(found.crds)
    for crd in found.crds:
        assert crd["apiVersion"] == "apiextensions.k8s.io/v1"
        assert any(version["storage"] for version in crd["spec"]["versions"])
    stages = found.stages.read_text()
    assert stages.count("kind: Stage") == len(assets.STAGE_FILES)


def test_the_prose_is_gone_and_a_property_is_not(with_engine: Path) -> None:
    text = (with_engine / assets.CRDS).read_text()
    assert len(text) < 100_000
    receiver = next(crd for crd in assets.load(with_engine).crds if crd["spec"]["names"]["kind"] == "GitRepository")
    schema = receiver["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert "description" not in schema
    assert schema["properties"]["spec"]["properties"]["url"]["type"] == "string"


def test_the_artifact_store_passes_its_own_tests(go: toolchain.Go) -> None:
    environment = go.environment(recipe.BUILD_FLAGS)
    modules = recipe.engine().modules
    for verb in (("vet",), ("test", "-count=1")):
        process.run(
            [go.program, *verb, "github.com/fluxcd/pkg/artifact/..."], cwd=modules, env=environment, timeout=600.0
        )


def test_the_go_sources_are_formatted(go: toolchain.Go) -> None:
    modules = recipe.engine().modules
    formatter = process.run([go.program, "env", "GOROOT"], env=go.environment(())).text.strip()
    assert ask_lines(f"{formatter}/bin/gofmt", "-l", str(modules / "artifact")) == []


def test_go_mod_and_go_sum_are_whole(go: toolchain.Go) -> None:
    """With -mod=readonly Go refuses when either lacks something."""
    what = recipe.engine()
    listing = process.run(
        [go.program, "list", "-deps", "-f", "{{.ImportPath}}", *(program.package for program in what.programs)],
        cwd=what.modules,
        env=go.environment(recipe.BUILD_FLAGS),
        timeout=600.0,
    )
    packages = listing.text.split()
    assert "github.com/fluxcd/pkg/artifact/storage" in packages
    assert len(packages) > 3000


def test_the_cache_holds_what_the_recipe_names(go: toolchain.Go) -> None:
    folders = assets.module_folders(go, recipe.engine().modules)
    assert set(folders) == set(recipe.MODULES)
    assert all(folder.is_dir() for folder in folders.values())


def ask_lines(program: str, *arguments: str) -> list[str]:
    return process.run([program, *arguments]).text.splitlines()
