from __future__ import annotations

import pytest

from karrots.lint.tree import Tree
from karrots.lint.walk import walk
from karrots.ops.rehearse import steps_of
from karrots.rehearsal.places import Places
from karrots.spec.cluster import load_cluster
from karrots.steps.rehearsing import Content

HEAD = b"apiVersion: karrots.dev/v1\nkind: Cluster\nprovider: local\nkubernetes: '1.36'\n"
CLUSTER = HEAD + b"nodes: {default: {count: 1}}\nflux: {version: '2.9'}\n"
CONTENT = Content("c" * 40, "clusters/qa", load_cluster(CLUSTER, "cluster.yaml", {}))
PLACES = Places.of("clusters/qa", walk(Tree({}, "clusters/qa")), [])


@pytest.mark.parametrize("before", [CONTENT, None], ids=["on top of another side", "alone"])
def test_flux_is_given_nothing_before_the_fence_and_its_own_policy_hold(before: Content | None) -> None:
    names = [step.name for step in steps_of(CONTENT, before, PLACES)]
    plays = [names.index(name) for name in ("before", "after") if name in names]
    assert max(names.index("keep to itself"), names.index("fence")) < min(plays)
