"""Names that clouds take, whatever a cluster or a pool is called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karrots.spec.limits import LIMITS, fitted

LONGEST = "q" * 28


@pytest.mark.parametrize("kind", LIMITS)
def test_what_a_cloud_takes_stays_as_it_is(kind: str) -> None:
    assert fitted(kind, "story1") == "story1"


@pytest.mark.parametrize("kind", LIMITS)
@given(wanted=st.from_regex(r"[a-z]([a-z0-9-]{0,60}[a-z0-9])?", fullmatch=True))
def test_every_name_fits(kind: str, wanted: str) -> None:
    assert LIMITS[kind].allows(fitted(kind, wanted))


def test_what_is_too_long_keeps_its_beginning_and_stays_apart() -> None:
    one, other = (fitted("gcp-service-account", f"{LONGEST}-{end}-nodes") for end in ("1a", "1b"))
    assert one != other
    assert one.startswith("q" * 20)
    assert len(one) == 30


def test_what_may_not_hold_dashes_holds_none() -> None:
    assert fitted("aks-node-pool", "high-memory").startswith("highme")


def test_a_name_that_is_too_short_becomes_longer() -> None:
    assert LIMITS["gcp-service-account"].allows(fitted("gcp-service-account", "qa"))


@pytest.mark.parametrize(("kind", "name"), [("aks-node-pool", "Upper"), ("gke-cluster", "ends-"), ("iam-role", "a b")])
def test_what_a_cloud_refuses(kind: str, name: str) -> None:
    assert not LIMITS[kind].allows(name)
