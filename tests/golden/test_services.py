"""Each provider with each set, and with what no set has; of a service, one file with all of its files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from karrots.ops.services import members
from karrots.render import services
from karrots.spec.services import CATALOGUE, SETS, why_not
from tests.support.services import PROVIDERS, bare_cluster, cluster, rendered

if TYPE_CHECKING:
    from karrots.spec.cluster import ClusterSpec
    from tests.golden.conftest import Golden


def _together(spec: ClusterSpec) -> dict[str, str]:
    """By service; each of its files under its path."""
    found: dict[str, str] = {}
    for path, text in rendered(spec).items():
        name, _, below = path.removeprefix(f"{services.FOLDER}/").partition("/")
        found[f"{name}.yaml"] = found.get(f"{name}.yaml", "") + f"#### {below}\n{text}"
    return found


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("chosen", SETS)
def test_a_set(provider: str, chosen: str, golden: Golden) -> None:
    names = members(chosen, bare_cluster(provider))
    golden(f"services/{provider}-{chosen}", _together(cluster(provider, names)))


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_no_set_has(provider: str, golden: Golden) -> None:
    bare = bare_cluster(provider)
    names = [entry.name for entry in CATALOGUE.values() if not entry.sets and not why_not(entry, bare)]
    golden(f"services/{provider}-other", _together(cluster(provider, names)))


def test_auto_mode(golden: Golden) -> None:
    names = ["envoy-gateway", "storage-class"]
    golden("services/eks-auto", _together(cluster("eks", names, "eks: {auto_mode: true}\n")))
