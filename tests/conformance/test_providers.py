"""What every provider must do; a new one is added to PROVIDERS and nowhere here."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from karrots.adapters import terraform
from karrots.errors import UsageError
from karrots.providers import PROVIDERS
from karrots.render import terraform as rendering
from tests.conformance.roots import NODES, REFUSED, record_of, root_of, spec_of

if TYPE_CHECKING:
    from pathlib import Path

LONGEST = "q" * 28

pytestmark = pytest.mark.parametrize("name", sorted(PROVIDERS))


@pytest.mark.parametrize("nodes", sorted(NODES))
def test_it_renders_formatted(name: str, nodes: str, tmp_path: Path) -> None:
    if (name, nodes) in REFUSED:
        with pytest.raises(UsageError) as caught:
            root_of(tmp_path, name, spec_of(name, NODES[nodes]), record_of(name))
        assert caught.value.hint
        return
    folder = root_of(tmp_path, name, spec_of(name, NODES[nodes]), record_of(name))
    argv: list[str] = [str(terraform.locate().path), "fmt", "-check", "-diff"]
    formatted = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    assert formatted.returncode == 0, formatted.stdout


def test_every_variable_it_gives_is_declared(name: str, tmp_path: Path) -> None:
    folder = root_of(tmp_path, name, spec_of(name), record_of(name, LONGEST))
    declared = "\n".join(path.read_text() for path in folder.glob("*.tf"))
    for file in (rendering.IDENTITY_FILE, rendering.VARIABLES_FILE):
        for variable in json.loads((folder / file).read_text()):
            assert f'variable "{variable}"' in declared


def test_the_resources_that_are_the_cluster_exist(name: str, tmp_path: Path) -> None:
    folder = root_of(tmp_path, name, spec_of(name), record_of(name))
    declared = "\n".join(path.read_text() for path in folder.glob("*.tf"))
    assert PROVIDERS[name].CLUSTER_RESOURCES
    for address in PROVIDERS[name].CLUSTER_RESOURCES:
        kind, label = address.split(".")
        assert f'resource "{kind}" "{label}"' in declared


def test_preflight_rows_say_what_was_found_and_what_to_type(name: str) -> None:
    checks = PROVIDERS[name].preflight(spec_of(name), record_of(name), None, None)
    assert checks
    assert all(check.what and check.found for check in checks)
    assert all(check.hint for check in checks if not check.ok)
