"""The root of every provider under Terraform itself; a cloud's provider is played from its recorded schema."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from karrots.adapters import terraform
from karrots.providers import PROVIDERS
from karrots.replay import folder as folders
from karrots.replay import mirror, program
from tests.conformance.roots import NODES, REFUSED, record_of, root_of, spec_of
from tests.replay.versions import PROVIDERS as RECORDED
from tests.replay.versions import recorded

if TYPE_CHECKING:
    from pathlib import Path

# Whose provider needs no playing, or is recorded in a version that the root asks for (tests.replay.versions).
PLAYED = [name for name in sorted(PROVIDERS) if name not in RECORDED or recorded(name)]

pytestmark = [pytest.mark.parametrize("name", PLAYED), pytest.mark.usefixtures("with_replay")]


def opened(folder: Path, name: str) -> terraform.Root:
    """Ready for a plan, with a state in the folder."""
    (folder / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
    played = recorded(name)[-1:] if name in RECORDED else []
    asked = list(folders.constraints(folder))
    environment = mirror.lay_out(folder.parent / "played", program.ensure(), played, asked) if played else {}
    root = terraform.Root(folder, terraform.locate(), environment)
    root.init()
    return root


@pytest.mark.parametrize("nodes", sorted(NODES))
def test_it_is_valid(name: str, nodes: str, tmp_path: Path) -> None:
    if (name, nodes) in REFUSED:
        return  # tests/conformance looks at the refusal
    opened(root_of(tmp_path / "root", name, spec_of(name, NODES[nodes]), record_of(name)), name).validate()


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
    record = replace(record_of(name), branch=word, owner=word, domain=word, expires=word)
    spec = spec_of(name, f"count: 2\n    size: {json.dumps(word)}")
    folder = root_of(tmp_path / "root", name, spec, record)
    # A probe beside the root's own files: what the provider's templates make of the values is in the plan below.
    (folder / "probe.tf").write_text(
        'resource "terraform_data" "probe" {\n  input = [var.cluster_branch, var.cluster_owner, var.cluster_domain, '
        'var.cluster_expires, var.nodes["default"].size]\n}\n'
    )
    (folder / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
    root = opened(folder, name)
    shown = json.dumps(root.show(root.plan()))
    assert shown.count(json.dumps(word)) >= 5
    assert "hush" not in shown
