from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import pytest

from karrots import places
from karrots.adapters import process
from karrots.render import files, terraform
from karrots.spec.cluster import load_cluster
from tests.support.variants import VARIANTS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.golden.conftest import Golden

CASES = {
    "local-one-pool": """
apiVersion: karrots.dev/v1
kind: Cluster
provider: local
kubernetes: "1.36"
nodes:
  default:
    count: 2
""",
    "local-two-pools": """
apiVersion: karrots.dev/v1
kind: Cluster
provider: local
kubernetes: "1.36"
nodes:
  default:
    count: 1
  batch:
    size: '${file("/etc/passwd")}'
    min: 2
    max: 9
""",
}

CLOUD_CASES = (
    "eks-main",
    "eks-pools",
    "eks-auto",
    "gke-pools",
    "gke-autopilot-shared",
    "aks-pools",
    "aks-private-shared",
)


# Of these only what services ask for.
WITH_SERVICES = ("eks-services", "eks-karpenter")
VARIABLES = terraform.VARIABLES_FILE


def _render(case: str) -> dict[str, str]:
    return terraform.render(load_cluster(CASES[case], "cluster.yaml"), places.templates() / "local")


@pytest.mark.parametrize("case", CASES)
def test_rendered_root(case: str, golden: Golden) -> None:
    golden(case, _render(case))


@pytest.mark.parametrize("case", CASES)
def test_terraform_finds_it_formatted_and_valid(case: str, tmp_path: Path) -> None:
    files.write(_render(case), tmp_path)
    environment = process.environment(inherit=["TF_CLI_CONFIG_FILE"])
    for argv in (["fmt", "-check", "-diff"], ["init", "-backend=false", "-input=false"], ["validate"]):
        process.run(["terraform", *argv], cwd=tmp_path, env=environment)


@pytest.mark.parametrize("case", CLOUD_CASES)
def test_rendered_root_of_a_cloud(case: str, golden: Golden) -> None:
    golden(case, VARIANTS[case].files())


def _added(case: str) -> str:
    """Lines of the roles that a root without services does not have."""
    plain, asked = (VARIANTS[name].files()["roles.tf"].splitlines() for name in ("eks-main", case))
    lines = [
        line for line in difflib.unified_diff(plain, asked, n=0, lineterm="") if line[:2] not in ("--", "++", "@@")
    ]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("case", WITH_SERVICES)
def test_what_services_ask_of_a_cloud(case: str, golden: Golden) -> None:
    golden(case, {"roles.tf.diff": _added(case), VARIABLES: VARIANTS[case].files()[VARIABLES]})
