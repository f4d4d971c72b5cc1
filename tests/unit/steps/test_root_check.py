"""What preflight says of a root that a person keeps, with Terraform itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from karrots.steps import root_check
from tests.support import repositories

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from karrots.providers.base import Check
    from karrots.steps.context import Context

GOOD = """\
terraform {
  backend "s3" {}
}

variable "size" {
  type = number
}

resource "terraform_data" "x" {}
"""


def looked_at(folder: Path, files: Mapping[str, str], *, kept: str = "ejected", place: str = "local") -> list[Check]:
    at_their_place = {f"clusters/qa/terraform/{path}": text for path, text in files.items()}
    repo = repositories.repository(folder / "fleet", {"README.md": "", **at_their_place})
    known = {
        "workspace": SimpleNamespace(repo=repo),
        "content": "HEAD",
        "content_directory": "clusters/qa",
        "spec": SimpleNamespace(terraform=kept, provider="local"),
        "provider": SimpleNamespace(NAME=place, MEMORY=0),
        "run": SimpleNamespace(folder=folder / "run", progress=print),
    }
    return root_check.valid(cast("Context", SimpleNamespace(**known)))


def test_a_good_one_is_well_without_its_state_and_its_values(tmp_path: Path) -> None:
    (row,) = looked_at(tmp_path, {"main.tf": GOOD})
    assert (row.what, row.ok, row.found) == ("Terraform root", True, "'clusters/qa/terraform' is valid")


@pytest.mark.parametrize(
    ("broken", "line", "said"),
    [
        (GOOD + '\noutput "x" {\n  value = var.siez\n}\n', 12, "Reference to undeclared input variable"),
        (GOOD.replace('"x" {}', '"x" {\n  inptu = 1\n}'), 10, "Unsupported argument"),
        (GOOD + 'resource "x" {\n', 10, "Unclosed configuration block"),
    ],
    ids=["a name", "an argument", "what is no HCL"],
)
def test_a_bad_one_is_told_with_its_place_and_what_to_do(tmp_path: Path, broken: str, line: int, said: str) -> None:
    (row,) = looked_at(tmp_path, {"main.tf": broken})
    place = f"clusters/qa/terraform/main.tf:{line}"
    assert not row.ok
    assert row.found.startswith(f"{place}: {said}")
    assert row.hint == f"edit {place}, then: git commit -a"


def test_more_than_one_error_is_counted(tmp_path: Path) -> None:
    wrong = "".join(f'output "{name}" {{\n  value = var.{name}\n}}\n' for name in "ab")
    (row,) = looked_at(tmp_path, {"main.tf": GOOD + wrong})
    assert row.found.endswith("(and 1 more)")


def test_a_module_that_is_not_to_be_had_is_told(tmp_path: Path) -> None:
    (row,) = looked_at(tmp_path, {"main.tf": GOOD + 'module "net" {\n  source = "./gone"\n}\n'})
    assert not row.ok
    assert "gone" in row.found
    assert row.hint


def test_one_that_is_not_in_the_commit_is_told(tmp_path: Path) -> None:
    (row,) = looked_at(tmp_path, {})
    assert not row.ok
    assert "'clusters/qa/terraform' is not in the commit" in row.found
    assert row.hint.startswith("git add clusters/qa/terraform && git commit")


@pytest.mark.parametrize(("kept", "place"), [("rendered", "local"), ("ejected", "eks")], ids=["rendered", "elsewhere"])
def test_what_karrots_renders_is_not_asked_for(
    tmp_path: Path, kept: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("karrots.adapters.process.spawn", None)
    assert looked_at(tmp_path, {"main.tf": "no HCL"}, kept=kept, place=place) == []


def test_without_terraform_another_row_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KARROTS_TERRAFORM", "no-such-program")
    assert looked_at(tmp_path, {"main.tf": GOOD}) == []
