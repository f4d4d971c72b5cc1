"""What a run's own Terraform root is made of."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from karrots.fleet.record import State
from karrots.steps.content import committed, errors_of, findings
from karrots.steps.infrastructure import rendered_files
from tests.support import repositories
from tests.support.variants import EKS

if TYPE_CHECKING:
    from pathlib import Path

    from karrots.steps.context import Context

LOCK = "clusters/qa/terraform/.terraform.lock.hcl"
LOCKED = 'provider "registry.terraform.io/hashicorp/aws" {\n  version = "5.100.0"\n}\n'
MAIN = EKS["eks-main"]


def _context(folder: Path, files: dict[str, str], provider: str = "eks", **record: Any) -> Context:
    known: dict[str, Any] = {
        "workspace": SimpleNamespace(repo=repositories.repository(folder, {"karrots.yaml": "", **files})),
        "content": "HEAD",
        "content_directory": "clusters/qa",
        "spec": MAIN.spec,
        "provider": SimpleNamespace(NAME=provider),
        "record": dataclasses.replace(MAIN.record, **record),
    }
    return cast("Context", SimpleNamespace(**known))


def test_versions_of_providers_come_with_the_content(tmp_path: Path) -> None:
    texts = rendered_files(_context(tmp_path, {LOCK: LOCKED}))
    assert texts == {**MAIN.files(), ".terraform.lock.hcl": LOCKED}


def test_without_them_terraform_chooses(tmp_path: Path) -> None:
    assert rendered_files(_context(tmp_path, {})) == MAIN.files()


def test_on_another_provider_they_say_nothing(tmp_path: Path) -> None:
    assert ".terraform.lock.hcl" not in rendered_files(_context(tmp_path, {LOCK: LOCKED}, "local"))


def test_the_state_stays_where_the_record_says(tmp_path: Path) -> None:
    """Also when karrots.yaml has moved on since the cluster was made."""
    texts = rendered_files(_context(tmp_path, {}, state=State(backend="s3", key="k")))
    assert 'backend "s3" {}' in texts["versions.tf"]


def test_a_lock_file_is_no_stale_terraform(tmp_path: Path) -> None:
    """`karrots render` does not write one, and does not miss or mind one either."""
    head = "apiVersion: karrots.dev/v1\nkind: Cluster\nprovider: eks\n"
    rendered = {f"clusters/qa/terraform/{path}": text for path, text in MAIN.files().items()}
    files = {**rendered, LOCK: LOCKED, "clusters/qa/cluster.yaml": head + MAIN.cluster}
    repo = repositories.repository(tmp_path, files)
    found = findings(committed(repo, "HEAD", "clusters/qa"), "clusters/qa", MAIN.spec)
    assert [f for f in errors_of(found) if f.path.startswith("terraform/")] == []
