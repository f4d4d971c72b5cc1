"""Which files count as a cluster directory's content, and whether its rendered Terraform is fresh."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from karrots import places
from karrots.render.fleet import FleetOptions, render
from karrots.spec.cluster import load_cluster
from karrots.spec.edit import set_key
from karrots.steps.content import committed, errors_of, findings, on_disk, stale_terraform
from tests.support import repositories

if TYPE_CHECKING:
    from pathlib import Path

DIRECTORY = "clusters/qa"


@pytest.fixture
def files() -> dict[str, bytes]:
    """A new cluster directory, by path from there."""
    whole = render(FleetOptions(), places.templates())
    start = f"{DIRECTORY}/"
    return {path.removeprefix(start): text.encode() for path, text in whole.items() if path.startswith(start)}


def test_a_new_directory_is_clean(files: dict[str, bytes]) -> None:
    assert findings(files, DIRECTORY, load_cluster(files["cluster.yaml"], "cluster.yaml")) == []


def test_terraform_that_is_not_what_it_renders_to(files: dict[str, bytes]) -> None:
    spec = load_cluster(files["cluster.yaml"], "cluster.yaml")
    stale = files | {"terraform/main.tf": b"# by hand\n"}
    del stale["terraform/outputs.tf"]
    found = errors_of(stale_terraform(stale, spec))
    assert [(f.path, f.message) for f in found] == [
        ("terraform/main.tf", "is not what cluster.yaml renders to"),
        ("terraform/outputs.tf", "is missing"),
    ]
    assert all(f.fix_hint.startswith("karrots render") for f in found)


def test_an_ejected_root_is_its_owner_s(files: dict[str, bytes]) -> None:
    text = set_key(files["cluster.yaml"].decode(), "terraform", "ejected")
    changed = files | {"terraform/main.tf": b"# by hand\n"}
    assert stale_terraform(changed, load_cluster(text, "cluster.yaml")) == []


def test_a_directory_without_terraform_is_rendered_at_each_run(files: dict[str, bytes]) -> None:
    bare = {path: data for path, data in files.items() if not path.startswith("terraform/")}
    assert stale_terraform(bare, load_cluster(files["cluster.yaml"], "cluster.yaml")) == []


def test_links_and_terraform_s_own_folder_are_left_out(tmp_path: Path) -> None:
    top = tmp_path / "fleet"
    repo = repositories.repository(
        top, {f"{DIRECTORY}/cluster.yaml": "a: b\n", f"{DIRECTORY}/terraform/.terraform/x": ""}
    )
    (top / DIRECTORY / "link").symlink_to("/etc/passwd")
    repositories.commit(top, {})
    assert set(on_disk(top, DIRECTORY)) == {"cluster.yaml"}
    assert set(committed(repo, "HEAD", DIRECTORY)) == {"cluster.yaml", "terraform/.terraform/x"}
