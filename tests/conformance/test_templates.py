"""What the rendered root of every cloud is, in every variant; no provider is needed for it."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from karrots import places
from karrots.adapters import terraform
from karrots.fleet import cloud_names
from karrots.render import terraform as rendering
from karrots.spec.limits import LIMITS, fitted
from tests.support.variants import LONGEST, SIZES, VARIANTS, made, rich

if TYPE_CHECKING:
    from pathlib import Path

CLOUDS = ("eks", "gke", "aks")
COMMON_OUTPUTS = {"cluster_id", "cluster_name", "endpoint", "ca_data"}
OUTPUTS = {
    "eks": {"vpc_id", "node_role", "node_subnets"},
    "gke": {"network", "location", "dns_identity", "shared_network"},
    "aks": {"resource_group", "node_resource_group", "dns_identity", "shared_network"},
}
# NAT, network and pools.
OPTIONAL = {
    "eks": ("aws_nat_gateway", "aws_vpc", "aws_eks_node_group"),
    "gke": ("google_compute_router_nat", "google_compute_network", "google_container_node_pool"),
    "aks": ("azurerm_nat_gateway", "azurerm_virtual_network", "azurerm_kubernetes_cluster_node_pool"),
}
# What is in something that bears the cluster's name needs no such name itself.
INSIDE = {"eks": set[str](), "gke": set[str](), "aks": {"nodes", "nat"}}
# What is named with a suffix in HCL: the kind of the longest thing that is.
SUFFIXED = {("eks", "prefix"): "iam-role", ("gke", "prefix"): "gcp-network", ("aks", "identity"): "azure-identity"}
BLOCK = re.compile(r'^(variable|output) "(\w+)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)
HOSTILE = '"} locals { x = file("/etc/passwd") } ${file("/etc/passwd")} %{ if true }yes%{ endif }'

every_variant = pytest.mark.parametrize("name", sorted(VARIANTS))
every_cloud = pytest.mark.parametrize("cloud", CLOUDS)


def _code(name: str) -> str:
    return "\n".join(text for path, text in VARIANTS[name].files().items() if path.endswith(".tf"))


def _blocks(name: str, kind: str) -> dict[str, str]:
    return {label: body for found, label, body in BLOCK.findall(_code(name)) if found == kind}


def _given(name: str) -> dict[str, object]:
    content: dict[str, object] = json.loads(VARIANTS[name].files()[rendering.VARIABLES_FILE])
    return {**content, **VARIANTS[name].identity()}


def _template(cloud: str) -> str:
    return "".join(path.read_text() for path in (places.templates() / cloud).glob("*.tf*"))


@every_variant
def test_it_is_formatted(name: str, tmp_path: Path) -> None:
    folder = VARIANTS[name].write(tmp_path)
    argv: list[str] = [str(terraform.locate().path), "fmt", "-check", "-diff"]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@every_variant
def test_every_variable_is_typed_and_has_its_value(name: str) -> None:
    declared = _blocks(name, "variable")
    assert set(declared) == set(_given(name))
    assert all(re.search(r"^  type +=", body, re.MULTILINE) for body in declared.values())
    assert not any(re.search(r"^  default +=", body, re.MULTILINE) for body in declared.values())


@every_variant
def test_it_tells_what_the_contract_lists(name: str) -> None:
    assert set(_blocks(name, "output")) == COMMON_OUTPUTS | OUTPUTS[VARIANTS[name].provider]


@every_variant
def test_a_shape_has_its_blocks_and_no_others(name: str) -> None:
    code, spec, cloud = _code(name), VARIANTS[name].spec, VARIANTS[name].provider
    own = spec.network.mode == "own"
    nat, network, pools = OPTIONAL[cloud]
    without_pools = {"eks": spec.eks.auto_mode, "gke": spec.gke.autopilot, "aks": False}[cloud]
    assert (f'resource "{network}"' in code) == own
    assert (f'resource "{nat}"' in code) == (own and spec.network.nat != "none")
    assert (f'resource "{pools}"' in code) == (not without_pools)


@every_variant
def test_nothing_of_the_template_language_is_left(name: str) -> None:
    assert not re.search(r"\{[{%]|[%}]\}(?!\")", re.sub(r"\$\{[^}]*\}", "", _code(name)))
    assert not any("\n\n\n" in text for text in VARIANTS[name].files().values())


@every_variant
def test_no_value_of_cluster_yaml_is_in_the_code(name: str) -> None:
    code = _code(name)
    for pool, value in VARIANTS[name].spec.nodes.items():
        words = {pool, *value.labels, *(taint.key for taint in value.taints)} - {"default"}
        assert not {word for word in words if f'"{word}"' in code}


@every_cloud
def test_only_the_file_of_variables_differs_between_clusters_of_one_shape(cloud: str) -> None:
    pools = rich(cloud)
    hostile = pools.replace(SIZES[cloud], json.dumps(HOSTILE)).replace("example.com/tier: batch", "example.com/x: y")
    plain, changed = made(cloud, pools).files(), made(cloud, hostile).files()
    assert {path for path, text in plain.items() if changed[path] != text} == {rendering.VARIABLES_FILE}


@every_variant
def test_the_backend_is_the_fleet_s_and_has_no_settings(name: str) -> None:
    variant = VARIANTS[name]
    assert f'  backend "{variant.providers.backend(variant.provider)}" {{}}\n' in _code(name)
    assert "example-states" not in _code(name)


@every_variant
def test_everything_is_named_after_the_cluster(name: str) -> None:
    """No name is fixed, so that clusters of one account never meet."""
    fixed = re.findall(r'^  name +=\s*"([^"$]*)"$', _code(name), re.MULTILINE)
    assert set(fixed) <= INSIDE[VARIANTS[name].provider]


@every_cloud
def test_names_fit_with_what_the_code_puts_behind_them(cloud: str) -> None:
    names = cloud_names.names(replace(made(cloud), name=LONGEST).record)
    suffixed = re.findall(r'^  \w*name +?= "\$\{var\.names\.(\w+)\}([a-z-]+)"', _template(cloud), re.MULTILINE)
    assert suffixed
    for name, suffix in suffixed:
        assert LIMITS[SUFFIXED[cloud, name]].allows(names[name] + suffix), (name, suffix)


@every_cloud
def test_the_code_knows_all_names_and_asks_for_no_others(cloud: str) -> None:
    assert set(re.findall(r"var\.names\.(\w+)", _template(cloud))) == set(cloud_names.names(made(cloud).record))


@pytest.mark.parametrize("length", [11, 12, 13, 28])
def test_pools_of_gke_and_aks_have_names_that_fit(length: int) -> None:
    pool = "p" * length
    assert LIMITS["gke-node-pool"].allows(f"{pool}-rest")
    given = rendering.variables(made("aks", f"kubernetes: '1.36'\nnodes:\n  {pool}: {{count: 1}}\n").spec, "aks")
    assert given["pool_names"] == {pool: fitted("aks-node-pool", pool)}
    assert LIMITS["aks-node-pool"].allows(given["pool_names"][pool])


@every_cloud
def test_no_secret_leaves_by_an_output(cloud: str) -> None:
    text = (places.templates() / cloud / "outputs.tf").read_text()
    assert not re.search(r"client_key|client_certificate|password|token|kube_config_raw", text)
