"""A second opinion on the clouds' roots: what checkov finds has a reason beside it, and nothing else is found."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import environment
from tests.support.variants import VARIANTS

ACCEPTED = Path(__file__).parents[1] / "data" / "checkov.yaml"
ARGUMENTS = ("--framework", "terraform", "--quiet", "--compact", "--skip-download", "-o", "json")
# Between them they have every block of the templates.
READ = {
    "eks": ("eks-main", "eks-no-nat", "eks-auto", "eks-pools", "eks-services", "eks-karpenter"),
    "gke": ("gke-pools", "gke-no-nat-narrowed", "gke-autopilot", "gke-private-shared"),
    "aks": ("aks-pools", "aks-no-nat-narrowed", "aks-private-shared", "aks-permanent"),
}


@dataclass(frozen=True)
class Fault:
    """Planted in a root of its own; checkov calls it `code`."""

    variant: str
    file: str
    good: str
    bad: str
    code: str

    def plant(self, folder: Path) -> None:
        file = VARIANTS[self.variant].write(folder) / self.file
        text = file.read_text()
        assert self.good in text
        file.write_text(text.replace(self.good, self.bad))


PLANTED = {
    "eks": Fault("eks-main", "nodes.tf", '"required"', '"optional"', "CKV_AWS_79"),
    "gke": Fault(
        "gke-pools", "cluster.tf", "issue_client_certificate = false", "issue_client_certificate = true", "CKV_GCP_13"
    ),
    "aks": Fault(
        "aks-pools", "cluster.tf", "local_account_disabled = true", "local_account_disabled = false", "CKV_AZURE_141"
    ),
}

every_cloud = pytest.mark.parametrize("cloud", READ)


def accepted(cloud: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = yaml.safe_load(ACCEPTED.read_text())[cloud]
    return found


@every_cloud
def test_each_accepted_finding_has_its_reason(cloud: str) -> None:
    assert accepted(cloud)
    assert all(set(it) == {"says", "why"} and len(it["why"]) > 20 for it in accepted(cloud).values())


@pytest.fixture
def checkov() -> str:
    program = environment.REAL.get("KARROTS_TEST_CHECKOV")
    if not program:
        pytest.skip("checkov is not named in KARROTS_TEST_CHECKOV (CONTRIBUTING.md, Which tests to run)")
    return program


@every_cloud
def test_nothing_else_is_found(cloud: str, checkov: str, tmp_path: Path) -> None:
    for name in READ[cloud]:
        VARIANTS[name].write(tmp_path / name)
    PLANTED[cloud].plant(tmp_path / "planted")
    failed = _failed(checkov, tmp_path)
    assert PLANTED[cloud].code in {each["check_id"] for each in failed if _root(each) == "planted"}
    assert sorted({each["check_id"] for each in failed if _root(each) != "planted"}) == sorted(accepted(cloud))


def _failed(checkov: str, folder: Path) -> list[dict[str, Any]]:
    done = subprocess.run([checkov, "-d", folder, *ARGUMENTS], capture_output=True, text=True, check=False)
    found: list[dict[str, Any]] = json.loads(done.stdout)["results"]["failed_checks"]
    return found


def _root(check: dict[str, Any]) -> str:
    return str(check["file_path"]).split("/")[1]
