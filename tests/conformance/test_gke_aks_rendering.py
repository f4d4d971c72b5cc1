"""What every root of GKE and AKS must be, whatever cluster.yaml says; no provider is needed for it."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from karrots import places
from karrots.fleet import cloud_names
from karrots.render import terraform as rendering
from karrots.spec.limits import LIMITS, fitted
from tests.support.variants_gke_aks import RICH, VARIANTS, Variant

if TYPE_CHECKING:
    from pathlib import Path

LONGEST = "q" * 28
HOSTILE = '"} locals { x = file("/etc/passwd") } ${file("/etc/passwd")} %{ if true }yes%{ endif }'
# What is named with a suffix in HCL: the kind of the longest thing that is.
SUFFIXED = {"prefix": "gcp-network", "identity": "azure-identity"}
CLOUDS = ("gke", "aks")

every_variant = pytest.mark.parametrize("variant", VARIANTS, ids=str)


@every_variant
def test_terraform_finds_it_formatted(variant: Variant, tmp_path: Path) -> None:
    variant.write(tmp_path)
    said = subprocess.run(
        ["terraform", "fmt", "-check", "-diff"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stdout


@every_variant
def test_what_is_declared_is_given_and_what_is_given_is_declared(variant: Variant, tmp_path: Path) -> None:
    variant.write(tmp_path)
    given = {
        name
        for file in (rendering.IDENTITY_FILE, rendering.VARIABLES_FILE)
        for name in json.loads((tmp_path / file).read_text())
    }
    declared = set(re.findall(r'^variable "(\w+)"', _hcl(tmp_path), re.MULTILINE))
    assert declared == given


@every_variant
def test_a_shape_has_its_blocks_and_no_others(variant: Variant, tmp_path: Path) -> None:
    text = _hcl(variant.write(tmp_path))
    spec = variant.spec
    own = spec.network.mode == "own"
    nat, network, pools = {
        "gke": ("google_compute_router_nat", "google_compute_network", "google_container_node_pool"),
        "aks": ("azurerm_nat_gateway", "azurerm_virtual_network", "azurerm_kubernetes_cluster_node_pool"),
    }[variant.provider]
    assert (f'resource "{network}"' in text) == own
    assert (f'resource "{nat}"' in text) == (own and spec.network.nat != "none")
    assert (f'resource "{pools}"' in text) == (variant.provider == "aks" or not spec.gke.autopilot)
    assert "{%" not in text
    assert not re.search(r"\n{3}", text)


@pytest.mark.parametrize("provider", CLOUDS)
def test_no_value_of_cluster_yaml_is_in_the_code(provider: str) -> None:
    """Only the file of variables may differ between two clusters of one shape."""
    hostile = RICH.replace("SIZE", json.dumps(HOSTILE)).replace("example.com/tier: batch", "example.com/tier: other")
    plain, changed = (
        rendering.render(Variant("x", provider, content).spec, places.templates() / provider)
        for content in (RICH, hostile)
    )
    assert {path for path, text in plain.items() if changed[path] != text} == {rendering.VARIABLES_FILE}


@pytest.mark.parametrize("provider", CLOUDS)
def test_names_fit_with_what_the_code_puts_behind_them(provider: str) -> None:
    made = cloud_names.names(Variant("x", provider).record(LONGEST))
    text = "".join(path.read_text() for path in (places.templates() / provider).glob("*.tf*"))
    suffixed = re.findall(r'= "\$\{var\.names\.(\w+)\}([a-z-]+)"', text)
    assert suffixed
    for name, suffix in suffixed:
        assert LIMITS[SUFFIXED[name]].allows(made[name] + suffix), (name, suffix)


def test_the_code_knows_all_names_and_asks_for_no_others(tmp_path: Path) -> None:
    for provider in CLOUDS:
        variant = Variant("x", provider)
        text = _hcl(variant.write(tmp_path / provider))
        assert set(re.findall(r"var\.names\.(\w+)", text)) == set(cloud_names.names(variant.record()))


@pytest.mark.parametrize("length", [11, 12, 13, 28])
def test_pools_of_gke_and_aks_have_names_that_fit(length: int) -> None:
    pool = "p" * length
    assert LIMITS["gke-node-pool"].allows(f"{pool}-rest")
    given = rendering.variables(Variant("x", "aks", f"nodes:\n  {pool}: {{count: 1}}\n").spec, "aks")
    assert given["pool_names"] == {pool: fitted("aks-node-pool", pool)}
    assert LIMITS["aks-node-pool"].allows(given["pool_names"][pool])


@pytest.mark.parametrize("provider", CLOUDS)
def test_no_secret_leaves_by_an_output(provider: str) -> None:
    text = (places.templates() / provider / "outputs.tf").read_text()
    assert {"cluster_id", "cluster_name", "endpoint", "ca_data"} <= set(re.findall(r'output "(\w+)"', text))
    assert not re.search(r"client_key|client_certificate|password|token|kube_config_raw", text)


def _hcl(folder: Path) -> str:
    return "".join(path.read_text() for path in sorted(folder.glob("*.tf")))
