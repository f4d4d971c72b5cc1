"""The root of the local provider under the real Terraform, with a recording program in the engine's place."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from karrots import places
from karrots.adapters import process
from karrots.errors import ToolFailed
from karrots.render import files, terraform
from karrots.spec.cluster import load_cluster

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = """
apiVersion: karrots.dev/v1
kind: Cluster
provider: local
kubernetes: "1.36"
nodes:
  default: {count: 2}
  batch: {min: 1, max: 4}
"""

IDENTITY = {
    "cluster_id": "01jdexample",
    "cluster_name": "qa-feature",
    "cluster_domain": "qa-feature.dev.example.com",
    "cluster_network": "10.64.0.0/16",
    "cluster_branch": "feature/JIRA-1234",
    "cluster_parent": "qa",
    "cluster_owner": "Ada Example <ada@example.com>",
    "cluster_expires": "",
    "repository": "/tmp/a b/$(touch hacked)/.git",
    "engine_home": "/tmp/engine",
}


class Root:
    """A rendered root whose engine appends its arguments to a file, and fails while a file named `broken` is there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls = folder / "calls"
        engine = folder / "engine.sh"
        engine.write_text(
            f'#!/bin/sh\nprintf "%s|" "$@" >> {self.calls}\necho >> {self.calls}\n! test -e {folder}/broken\n'
        )
        engine.chmod(0o755)
        self.environment = process.environment({"KARROTS_PYTHON": str(engine)}, inherit=["TF_CLI_CONFIG_FILE"])
        self.render()
        (folder / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
        (folder / "identity.auto.tfvars.json").write_text(json.dumps(IDENTITY))
        self.terraform("init")

    def render(self, **overrides: str) -> None:
        changed = {path.replace("__", "."): value for path, value in overrides.items()}
        files.write(terraform.render(load_cluster(CONTENT, "c", changed), places.templates() / "local"), self.folder)

    def terraform(self, *argv: str) -> str:
        return process.run(["terraform", *argv, "-no-color"], cwd=self.folder, env=self.environment).text

    def engine_calls(self) -> list[str]:
        lines = self.calls.read_text().splitlines() if self.calls.exists() else []
        self.calls.unlink(missing_ok=True)
        return [line.rstrip("|") for line in lines]


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path)


UP = f"-m|karrots.engine|up|--id|01jdexample|--name|qa-feature|--repository|{IDENTITY['repository']}|--nodes|"
DOWN = "-m|karrots.engine|down|--id|01jdexample"


def test_life_of_a_cluster(root: Root) -> None:
    said = root.terraform("apply", "-auto-approve")
    assert "Warning" not in said
    assert root.engine_calls() == [f"{UP}3"]
    assert root.terraform("output", "-raw", "access_file") == "/tmp/engine/01jdexample/access.json"

    assert "No changes" in root.terraform("plan")

    root.render(nodes__default__count="4")
    assert "1 to add, 0 to change, 1 to destroy" in root.terraform("apply", "-auto-approve")
    assert root.engine_calls() == [f"{UP}5"]

    root.terraform("destroy", "-auto-approve")
    assert root.engine_calls() == [DOWN]


def test_destroy_takes_down_a_cluster_that_never_came_up(root: Root) -> None:
    (root.folder / "broken").touch()
    with pytest.raises(ToolFailed):
        root.terraform("apply", "-auto-approve")
    assert root.engine_calls() == [f"{UP}3"]
    (root.folder / "broken").unlink()
    root.terraform("destroy", "-auto-approve")
    assert root.engine_calls() == [DOWN]


def test_a_failed_start_goes_on_with_the_next_apply(root: Root) -> None:
    (root.folder / "broken").touch()
    with pytest.raises(ToolFailed):
        root.terraform("apply", "-auto-approve")
    (root.folder / "broken").unlink()
    root.engine_calls()
    root.terraform("apply", "-auto-approve")
    assert root.engine_calls() == [f"{UP}3"]


def test_a_missing_identity_is_an_error(root: Root) -> None:
    (root.folder / "identity.auto.tfvars.json").unlink()
    with pytest.raises(ToolFailed, match="ended with status 1"):
        root.terraform("plan", "-input=false")
