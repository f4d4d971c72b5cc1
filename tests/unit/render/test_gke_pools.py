"""How the nodes of a pool are spread over zones, asked of Terraform: GKE counts them per zone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from karrots.adapters import process
from tests.support.variants import VARIANTS

ZONES = (1, 2, 3)
SCALED = [(least, most) for most in range(1, 8) for least in range(most + 1)]
POOLS: dict[str, dict[str, int]] = {
    **{f"fixed-{count}": {"count": count} for count in range(8)},
    **{f"scaled-{least}-{most}": {"min": least, "max": most} for least, most in SCALED},
}

Spread = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def spread(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Spread]:
    """The pools that are made, by name, for each number of zones."""
    folder = tmp_path_factory.mktemp("spread")
    rendered = VARIANTS["gke-plain"].write(folder / "root")
    variables = (rendered / "variables.tf").read_text()
    locals_alone = (rendered / "nodes.tf").read_text().partition("\nresource ")[0]
    (folder / "module").mkdir()
    (folder / "module" / "main.tf").write_text(
        variables[variables.index('variable "nodes"') :].partition('\nvariable "network"')[0]
        + 'variable "zones" {}\nlocals {\n  zones = slice(["a", "b", "c"], 0, var.zones)\n}\n'
        + locals_alone
        + 'output "pools" {\n  value = { for name, pool in local.pools : name => '
        + "merge(pool, { start = try(local.starts[name], null) }) }\n}\n"
    )
    (folder / "main.tf").write_text(
        'variable "nodes" {}\nmodule "one" {\n  source   = "./module"\n  for_each = toset(["1", "2", "3"])\n'
        '  zones = tonumber(each.key)\n  nodes = var.nodes\n}\noutput "all" {\n  value = module.one\n}\n'
    )
    (folder / "nodes.auto.tfvars.json").write_text(json.dumps({"nodes": POOLS}))
    environment = process.environment(inherit=["TF_CLI_CONFIG_FILE"])
    for argv in (["init"], ["apply", "-auto-approve"]):
        process.run(["terraform", *argv], cwd=folder, env=environment)
    said = json.loads(process.run(["terraform", "output", "-json", "all"], cwd=folder, env=environment).text)
    return {zones: said[str(zones)]["pools"] for zones in ZONES}


@pytest.mark.parametrize("zones", ZONES)
@pytest.mark.parametrize("count", range(8))
def test_a_pool_has_the_nodes_it_says_and_they_are_in_all_zones(
    zones: int, count: int, spread: dict[int, Spread]
) -> None:
    parts = [pool for pool in spread[zones].values() if pool["pool"] == f"fixed-{count}"]
    per_zone = {zone: sum(part["count"] for part in parts if zone in part["zones"]) for zone in "abc"[:zones]}
    assert sum(per_zone.values()) == count
    assert max(per_zone.values()) - min(per_zone.values()) <= 1


@pytest.mark.parametrize("zones", ZONES)
@pytest.mark.parametrize(("least", "most"), SCALED)
def test_a_pool_that_scales_starts_with_its_minimum(
    zones: int, least: int, most: int, spread: dict[int, Spread]
) -> None:
    pool = spread[zones][f"scaled-{least}-{most}"]
    start = pool["start"] * len(pool["zones"])
    assert start <= most
    # GKE starts with as many in one zone as in another: a minimum between two multiples may not be met at once.
    assert start >= least or start + len(pool["zones"]) > most
    assert start > 0 or least == 0
