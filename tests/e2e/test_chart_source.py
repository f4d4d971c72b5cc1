"""A chart's source that does not answer, on a real cluster: what Flux says is the error, and stands in the status."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import World

pytestmark = pytest.mark.engine

# Nothing listens on port 1.
ADDRESS = "http://127.0.0.1:1/charts"
RELEASE = f"""\
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {{name: away, namespace: flux-system}}
spec: {{interval: 1m, url: "{ADDRESS}"}}
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {{name: away, namespace: flux-system}}
spec:
  interval: 1h
  chart: {{spec: {{chart: away, version: 1.2.3, sourceRef: {{kind: HelmRepository, name: away}}}}}}
"""


def test_it_is_the_error_and_in_the_status(world: World) -> None:
    services = world.directory / "flux/services"
    (services / "away.yaml").write_text(RELEASE)
    world.git("add", "-A", ".")
    world.commit("flux/services/kustomization.yaml", "resources:\n", "resources:\n  - away.yaml\n")
    told = world.karrots("create", "qa", expect=8)
    assert "HelmRepository/flux-system/away" in told.err
    assert "connection refused" in told.err
    assert f"can the cluster reach {ADDRESS}?" in told.err
    assert "karrots sync qa" in told.err
    row = world.karrots("status", "-o", "json").document["clusters"][0]
    assert row["flux"]["trouble"].startswith("HelmRepository/flux-system/away: ")
    assert "HelmRepository/flux-system/away: " in world.karrots("status").out
