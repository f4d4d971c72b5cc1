"""What every provider must do; a new one is added to PROVIDERS and nowhere here."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from karrots import clock, computer, places
from karrots.adapters import terraform
from karrots.fleet import identity
from karrots.fleet.record import Record, new_id
from karrots.providers import PROVIDERS
from karrots.providers.base import Footprint
from karrots.render import terraform as rendering
from karrots.spec.cluster import load_cluster

if TYPE_CHECKING:
    from pathlib import Path

    from karrots.spec.cluster import ClusterSpec

LONGEST = "q" * 28
NODES = {"fixed": "count: 3", "scaled": "min: 1\n    max: 4", "none": "count: 0"}

pytestmark = pytest.mark.parametrize("name", sorted(PROVIDERS))


def _spec(provider: str, nodes: str = "count: 2") -> ClusterSpec:
    text = (
        f"apiVersion: karrots.dev/v1\nkind: Cluster\nprovider: {provider}\nkubernetes: '1.36'\n"
        f"nodes:\n  default:\n    {nodes}\n"
    )
    return load_cluster(text, "cluster.yaml")


def _record(provider: str, name: str = "qa") -> Record:
    return Record(
        id=new_id(),
        name=name,
        directory="clusters/qa",
        branch='feature/${file("/etc/passwd")}',
        provider=provider,
        created=clock.stamp(),
        domain=f"{name}.example.com",
        network="10.64.0.0/20",
        owner="ada@example.com",
        host="elsewhere",
    )


def _root(folder: Path, provider: str, spec: ClusterSpec, record: Record) -> Path:
    folder.mkdir(exist_ok=True)
    for path, text in rendering.render(spec, places.templates() / provider).items():
        (folder / path).write_text(text)
    variables: dict[str, Any] = {
        **identity.terraform_variables(record),
        **PROVIDERS[provider].variables(record, None, folder),
    }
    (folder / rendering.IDENTITY_FILE).write_text(json.dumps(variables))
    return folder


@pytest.mark.parametrize("nodes", sorted(NODES))
def test_it_renders_formatted_and_valid(name: str, nodes: str, tmp_path: Path) -> None:
    folder = _root(tmp_path, name, _spec(name, NODES[nodes]), _record(name))
    tool = terraform.locate()
    formatted = subprocess.run(
        [tool.path, "fmt", "-check", "-diff"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert formatted.returncode == 0, formatted.stdout
    root = terraform.Root(folder, tool)
    subprocess.run([tool.path, "init", "-backend=false", "-input=false"], cwd=folder, capture_output=True, check=True)
    root.validate()


TEMPLATES = (
    '${file("FILE")}',
    "%{ if true }yes%{ endif }",
    "$${cluster_name}",
    '"} locals { x = file("FILE") }',
    "${var.engine_home}",
)


@pytest.mark.parametrize("text", TEMPLATES)
def test_values_travel_as_data_and_are_never_evaluated(name: str, text: str, tmp_path: Path) -> None:
    """Terraform itself is asked what each variable holds."""
    secret = tmp_path / "secret"
    secret.write_text("hush")
    word = text.replace("FILE", str(secret))
    record = replace(_record(name), branch=word, owner=word, domain=word, expires=word)
    spec = _spec(name, f"count: 2\n    size: {json.dumps(word)}")
    folder = _root(tmp_path / "root", name, spec, record)
    # A probe beside the root's own files: what the provider's templates make of the values is in the plan below.
    (folder / "probe.tf").write_text(
        'resource "terraform_data" "probe" {\n  input = [var.cluster_branch, var.cluster_owner, var.cluster_domain, '
        'var.cluster_expires, var.nodes["default"].size]\n}\n'
    )
    (folder / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
    root = terraform.Root(folder, terraform.locate())
    root.init()
    shown = json.dumps(root.show(root.plan()))
    assert shown.count(json.dumps(word)) >= 5
    assert "hush" not in shown


def test_every_variable_it_gives_is_declared(name: str, tmp_path: Path) -> None:
    folder = _root(tmp_path, name, _spec(name), _record(name, LONGEST))
    declared = "\n".join(path.read_text() for path in folder.glob("*.tf"))
    for file in (rendering.IDENTITY_FILE, rendering.VARIABLES_FILE):
        for variable in json.loads((folder / file).read_text()):
            assert f'variable "{variable}"' in declared


def test_the_resources_that_are_the_cluster_exist(name: str, tmp_path: Path) -> None:
    folder = _root(tmp_path, name, _spec(name), _record(name))
    declared = "\n".join(path.read_text() for path in folder.glob("*.tf"))
    assert PROVIDERS[name].CLUSTER_RESOURCES
    for address in PROVIDERS[name].CLUSTER_RESOURCES:
        kind, label = address.split(".")
        assert f'resource "{kind}" "{label}"' in declared


def test_nothing_is_left_of_what_never_was(name: str) -> None:
    swept = PROVIDERS[name].sweep(_record(name), Footprint(), None)
    assert swept.left == ()
    assert all(count == 0 for count in swept.looked_for.values())


def test_there_is_nothing_to_reclaim_of_what_never_was(name: str) -> None:
    never = dataclasses.replace(_record(name), host=computer.name())
    PROVIDERS[name].reclaim(never, Footprint(), None)
    assert PROVIDERS[name].sweep(never, Footprint(), None).left == ()


def test_a_cluster_that_never_was_has_no_footprint(name: str) -> None:
    assert PROVIDERS[name].footprint(_record(name), None).held == {}


def test_preflight_rows_say_what_was_found_and_what_to_type(name: str) -> None:
    checks = PROVIDERS[name].preflight(_spec(name), _record(name), None, None)
    assert checks
    assert all(check.what and check.found for check in checks)
    assert all(check.hint for check in checks if not check.ok)
