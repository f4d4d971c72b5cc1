"""Where an import may lead: the addresses are those that Terraform itself finds in a root of that shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from karrots.providers import aks_strangers, eks_strangers, gke_strangers
from tests.integration.test_provider_roots import opened
from tests.support.variants import VARIANTS

if TYPE_CHECKING:
    from pathlib import Path

RENDERED = {"eks": eks_strangers.rendered, "gke": gke_strangers.rendered, "aks": aks_strangers.rendered}
SHAPES = (
    "eks-main", "eks-auto", "eks-services", "eks-karpenter",
    "gke-three-zones", "gke-shared", "gke-no-nat", "gke-autopilot",
    "aks-three-zones", "aks-longest", "aks-shared", "aks-no-nat",
)  # fmt: skip


@pytest.mark.usefixtures("with_replay")
@pytest.mark.parametrize("name", SHAPES)
def test_an_import_leads_to_where_the_root_has_it(name: str, tmp_path: Path) -> None:
    shape = VARIANTS[name]
    plan = opened(shape.write(tmp_path / "root"), shape.provider).plan()
    wanted = RENDERED[shape.provider](shape.spec)
    types = {address.partition(".")[0] for address in wanted}
    made = {change.address for change in plan.changes if change.address.partition(".")[0] in types}
    assert wanted == {address for address in made if not address.startswith(aks_strangers.DNS_ROLES)}
