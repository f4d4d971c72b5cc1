from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from karrots import places
from karrots.render import terraform
from tests.support.variants_gke_aks import VARIANTS

if TYPE_CHECKING:
    from tests.golden.conftest import Golden
    from tests.support.variants_gke_aks import Variant

CASES = {"gke-pools", "gke-autopilot-shared", "aks-pools", "aks-private-shared"}


@pytest.mark.parametrize("variant", [each for each in VARIANTS if str(each) in CASES], ids=str)
def test_rendered_root(variant: Variant, golden: Golden) -> None:
    golden(str(variant), terraform.render(variant.spec, places.templates() / variant.provider))
