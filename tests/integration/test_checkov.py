"""A second opinion on the roots of EKS: what checkov finds has a reason beside it, and nothing else is found."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import REAL_ENVIRONMENT
from tests.support.variants import EKS

ACCEPTED = Path(__file__).parents[1] / "data" / "checkov-eks.yaml"
READ = ("eks-main", "eks-no-nat", "eks-auto", "eks-pools")


def accepted() -> dict[str, dict[str, str]]:
    document: Any = yaml.safe_load(ACCEPTED.read_text())
    found: dict[str, dict[str, str]] = document["accepted"]
    return found


def test_each_accepted_finding_has_its_reason() -> None:
    assert accepted()
    assert all(set(it) == {"says", "why"} and len(it["why"]) > 20 for it in accepted().values())


@pytest.fixture
def checkov() -> str:
    program = REAL_ENVIRONMENT.get("KARROTS_TEST_CHECKOV")
    if not program:
        pytest.skip("checkov is not named in KARROTS_TEST_CHECKOV (CONTRIBUTING.md, Which tests to run)")
    return program


def test_nothing_else_is_found(checkov: str, tmp_path: Path) -> None:
    found: set[str] = set()
    for name in READ:
        folder = EKS[name].write(tmp_path / name)
        argv = [
            checkov,
            "-d",
            str(folder),
            "--framework",
            "terraform",
            "--quiet",
            "--compact",
            "--skip-download",
            "-o",
            "json",
        ]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        results = json.loads(done.stdout)["results"]
        found |= {it["check_id"] for it in results["failed_checks"]}
    assert sorted(found) == sorted(accepted())
