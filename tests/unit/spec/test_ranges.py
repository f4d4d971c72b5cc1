"""The division of a leased range: in Python, and by Terraform from the templates."""

from __future__ import annotations

import dataclasses
import ipaddress
import json
from typing import TYPE_CHECKING

import pytest

from karrots import places
from karrots.adapters import process
from karrots.errors import UsageError
from karrots.spec import ranges
from karrots.spec.cluster import ClusterSpec, load_cluster

if TYPE_CHECKING:
    from pathlib import Path

PREFIXES = range(16, 23)
LEASES = [f"10.64.{'64' if prefix > 17 else '0'}.0/{prefix}" for prefix in PREFIXES] + ["100.64.16.0/20"]
LOCALS = {
    "gke": {"pods": "pods_cidr", "services": "services_cidr", "nodes": "nodes_cidr", "proxies": "proxies_cidr"},
    "aks": {"nodes": "nodes_cidr", "pods": "pods_cidr", "services": "services_cidr"},
}


def _spec(content: str, provider: str) -> ClusterSpec:
    head = f"apiVersion: karrots.dev/v1\nkind: Cluster\nprovider: {provider}\nkubernetes: '1.36'\n"
    return load_cluster(head + content, "cluster.yaml")


@pytest.mark.parametrize("lease", LEASES)
def test_gke_divides_all_of_a_lease_and_no_more(lease: str) -> None:
    made = ranges.gke(lease)
    parts = [made.pods, made.services, made.nodes, made.proxies]
    assert list(ipaddress.collapse_addresses(parts)) == [ipaddress.IPv4Network(lease)]
    assert sum(part.num_addresses for part in parts) == ipaddress.IPv4Network(lease).num_addresses


@pytest.mark.parametrize(
    ("prefix", "nodes", "pods"),
    [(16, 256, 16384), (17, 128, 8192), (18, 64, 4096), (19, 32, 2048), (20, 16, 1024), (21, 8, 512), (22, 4, 256)],
)
def test_how_many_nodes_and_pods_of_gke_a_lease_holds(prefix: int, nodes: int, pods: int) -> None:
    made = ranges.gke(f"10.64.0.0/{prefix}")
    assert (made.most_nodes, made.most_pods) == (nodes, pods)
    assert made.nodes.num_addresses > nodes  # and internal load balancers


@pytest.mark.parametrize("lease", LEASES)
def test_only_nodes_of_aks_have_addresses_of_the_lease(lease: str) -> None:
    made, whole = ranges.aks(lease), ipaddress.IPv4Network(lease)
    assert made.nodes.subnet_of(whole)
    assert not made.pods.overlaps(whole)
    assert not made.services.overlaps(whole)
    assert not made.pods.overlaps(made.services)
    assert made.most_nodes <= made.pods.num_addresses // 256


@pytest.mark.parametrize("provider", sorted(LOCALS))
def test_terraform_divides_a_lease_in_the_same_way(provider: str, tmp_path: Path) -> None:
    module = tmp_path / "module"
    module.mkdir()
    text = (places.templates() / provider / "ranges.tf").read_text()
    outputs = "".join(f'output "{part}" {{\n  value = local.{name}\n}}\n' for part, name in LOCALS[provider].items())
    (module / "ranges.tf").write_text(f'variable "cluster_network" {{}}\n{text}{outputs}')
    (tmp_path / "main.tf").write_text(
        'variable "leases" {}\nmodule "one" {\n  source = "./module"\n  for_each = toset(var.leases)\n'
        '  cluster_network = each.key\n}\noutput "all" {\n  value = module.one\n}\n'
    )
    (tmp_path / "leases.auto.tfvars.json").write_text(json.dumps({"leases": LEASES}))
    environment = process.environment(inherit=["TF_CLI_CONFIG_FILE"])
    for argv in (["init"], ["apply", "-auto-approve"]):
        process.run(["terraform", *argv], cwd=tmp_path, env=environment)
    said = json.loads(process.run(["terraform", "output", "-json", "all"], cwd=tmp_path, env=environment).text)
    divide = ranges.gke if provider == "gke" else ranges.aks
    assert said == {lease: {name: str(part) for name, part in vars(divide(lease)).items()} for lease in LEASES}


def test_pods_of_a_node_are_the_number_the_template_gives() -> None:
    text = (places.templates() / "gke" / "ranges.tf").read_text()
    assert f"pods_per_node = {ranges.GKE_PODS_PER_NODE}" in text
    assert set(LOCALS["gke"]) == {each.name for each in dataclasses.fields(ranges.Gke)}


@pytest.mark.parametrize(
    ("provider", "lease"), [("gke", "10.0.0.0/23"), ("gke", "10.0.0.0/13"), ("aks", "10.0.0.0/27")]
)
def test_a_lease_of_another_size_is_refused(provider: str, lease: str) -> None:
    with pytest.raises(UsageError, match=r"too (small|large)"):
        ranges.check(_spec("nodes:\n  default: {count: 1}\n", provider), provider, lease)


@pytest.mark.parametrize(
    ("provider", "lease", "most"),
    [("gke", "10.64.0.0/20", 16), ("gke", "10.64.0.0/22", 4), ("aks", "10.64.0.0/26", 27)],
)
def test_pools_that_may_outgrow_the_lease_are_refused(provider: str, lease: str, most: int) -> None:
    """Each pool has one node more while it is upgraded."""
    fits = _spec(f"nodes:\n  a: {{count: 1}}\n  b: {{min: 0, max: {most - 3}}}\n  c: {{count: 0}}\n", provider)
    ranges.check(fits, provider, lease)
    grown = _spec(f"nodes:\n  a: {{count: 1}}\n  b: {{min: 0, max: {most - 2}}}\n", provider)
    with pytest.raises(UsageError) as caught:
        ranges.check(grown, provider, lease)
    assert f"room for {most} nodes" in caught.value.message
    assert f"grow to {most + 1}" in caught.value.why


@pytest.mark.parametrize(
    ("provider", "content"),
    [("gke", "network: {mode: shared}"), ("gke", "gke: {autopilot: true}"), ("local", ""), ("eks", "")],
)
def test_where_the_lease_does_not_bound_the_nodes(provider: str, content: str) -> None:
    ranges.check(_spec(f"nodes:\n  default: {{count: 1000}}\n{content}\n", provider), provider, "10.64.0.0/20")
