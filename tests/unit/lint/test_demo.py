"""The demo fleet and a new fleet are what lint asks of others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from karrots import places
from karrots.lint import fix, lint
from karrots.render import fleet, terraform
from karrots.spec.cluster import load_cluster
from karrots.spec.fleet import load_fleet
from karrots.spec.identity import IDENTITY_VARIABLES

if TYPE_CHECKING:
    from karrots.lint import Finding


def _findings(files: dict[str, bytes], directory: str) -> list[Finding]:
    spec = load_cluster(files["cluster.yaml"], "cluster.yaml")
    return lint(files, directory, {*IDENTITY_VARIABLES, *spec.variables})


def _demo(name: str) -> dict[str, bytes]:
    folder = places.data() / "clusters" / name
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["qa", "prod"])
def test_the_demo_fleet_is_clean(name: str) -> None:
    files = _demo(name)
    assert _findings(files, f"clusters/{name}") == []
    assert fix(files, f"clusters/{name}") == {}


@pytest.mark.parametrize("name", ["qa", "prod"])
def test_the_demo_fleets_terraform_is_what_it_renders_to(name: str) -> None:
    files = _demo(name)
    wanted = terraform.render(load_cluster(files["cluster.yaml"], "cluster.yaml"), places.templates() / "local")
    assert {path: text.encode() for path, text in wanted.items()} == {
        path.removeprefix("terraform/"): data for path, data in files.items() if path.startswith("terraform/")
    }


def test_the_demo_fleets_settings() -> None:
    settings = load_fleet((places.data() / "karrots.yaml").read_bytes(), "karrots.yaml")
    assert settings.policies.protected == ["prod"]


def test_the_two_directories_differ_in_settings_only() -> None:
    qa, prod = _demo("qa"), _demo("prod")
    assert set(qa) == set(prod)
    differing = {path for path in qa if qa[path].replace(b"clusters/qa/", b"clusters/prod/") != prod[path]}
    assert differing == {
        "cluster.yaml",
        "terraform/cluster.auto.tfvars.json",
        "flux/apps/catalogue/deployment.yaml",
        "flux/apps/catalogue/settings.yaml",
        "flux/apps/front/deployment.yaml",
        "flux/apps/orders/release.yaml",
    }


def test_no_identity_is_in_the_content() -> None:
    domain = load_fleet((places.data() / "karrots.yaml").read_bytes(), "karrots.yaml").domain.encode()
    for name in ("qa", "prod"):
        for path, data in _demo(name).items():
            assert domain not in data, path


def test_a_new_fleet_is_clean() -> None:
    files = fleet.render(fleet.FleetOptions(cluster="dev"), places.templates())
    directory = {
        path.removeprefix("clusters/dev/"): text.encode()
        for path, text in files.items()
        if path.startswith("clusters/dev/")
    }
    assert _findings(directory, "clusters/dev") == []
