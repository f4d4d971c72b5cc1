"""What the rendered root of every cloud is, in every variant; no provider is needed for it."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from karrots.adapters import terraform
from karrots.render import terraform as rendering
from tests.support.variants import VARIANTS

if TYPE_CHECKING:
    from pathlib import Path

OUTPUTS = {"eks": {"vpc_id"}}
COMMON_OUTPUTS = {"cluster_id", "cluster_name", "endpoint", "ca_data"}
BLOCK = re.compile(r'^(variable|output) "(\w+)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.parametrize("name", sorted(VARIANTS))


def _code(name: str) -> str:
    return "\n".join(text for path, text in VARIANTS[name].files().items() if path.endswith(".tf"))


def _blocks(name: str, kind: str) -> dict[str, str]:
    return {label: body for found, label, body in BLOCK.findall(_code(name)) if found == kind}


def _given(name: str) -> dict[str, object]:
    content: dict[str, object] = json.loads(VARIANTS[name].files()[rendering.VARIABLES_FILE])
    return {**content, **VARIANTS[name].identity()}


def test_it_is_formatted(name: str, tmp_path: Path) -> None:
    folder = VARIANTS[name].write(tmp_path)
    argv: list[str] = [str(terraform.locate().path), "fmt", "-check", "-diff"]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_variable_is_typed_and_has_its_value(name: str) -> None:
    declared = _blocks(name, "variable")
    assert set(declared) == set(_given(name))
    assert all(re.search(r"^  type +=", body, re.MULTILINE) for body in declared.values())
    assert not any(re.search(r"^  default +=", body, re.MULTILINE) for body in declared.values())


def test_it_tells_what_the_contract_lists(name: str) -> None:
    assert set(_blocks(name, "output")) == COMMON_OUTPUTS | OUTPUTS[VARIANTS[name].provider]


def test_nothing_of_the_template_language_is_left(name: str) -> None:
    assert not re.search(r"\{[{%]|[%}]\}(?!\")", re.sub(r"\$\{[^}]*\}", "", _code(name)))
    assert "\n\n\n" not in _code(name).replace("\n\n\n#", "")


def test_no_value_of_cluster_yaml_is_in_the_code(name: str) -> None:
    code = _code(name)
    for pool, value in VARIANTS[name].spec.nodes.items():
        words = {pool, *value.labels, *(taint.key for taint in value.taints)} - {"default"}
        assert not {word for word in words if f'"{word}"' in code}


def test_the_backend_is_the_fleet_s_and_has_no_settings(name: str) -> None:
    variant = VARIANTS[name]
    assert f'  backend "{variant.providers.backend(variant.provider)}" {{}}\n' in _code(name)
    assert "example-states" not in _code(name)


def test_everything_is_named_after_the_cluster(name: str) -> None:
    """No name is fixed, so that clusters of one account never meet."""
    fixed = re.findall(r'^  name +=\s*"([^"$]*)"$', _code(name), re.MULTILINE)
    assert fixed == []
