"""What a cluster makes for itself is no part of a comparison, and everything else is."""

from __future__ import annotations

import pytest

from karrots.diff.left_out import KINDS, OBJECTS, is_left_out, reason


@pytest.mark.parametrize(
    ("group", "plural"),
    [
        ("", "events"),
        ("coordination.k8s.io", "leases"),
        ("discovery.k8s.io", "endpointslices"),
        ("metrics.k8s.io", "pods"),
    ],
)
def test_kinds_of_the_moment(group: str, plural: str) -> None:
    assert reason(group, plural)


@pytest.mark.parametrize(
    ("group", "plural"),
    [("", "pods"), ("", "secrets"), ("apps", "deployments"), ("", "services"), ("shop.io", "events")],
)
def test_all_others_are_compared(group: str, plural: str) -> None:
    assert reason(group, plural) is None


def test_every_entry_says_why() -> None:
    assert all([*KINDS.values(), *OBJECTS.values()])


def test_single_objects() -> None:
    assert is_left_out("", "secrets", "flux-system", "karrots-git")
    assert not is_left_out("", "secrets", "shop", "karrots-git")
