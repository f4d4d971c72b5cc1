from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karrots.errors import Failed, PreflightFailed, UsageError
from karrots.fleet.addresses import lease, overlapping

POOL = "10.64.0.0/16"


def test_the_first_free_range_is_leased() -> None:
    assert lease(POOL, 20, []) == "10.64.0.0/20"
    assert lease(POOL, 20, ["10.64.0.0/20"]) == "10.64.16.0/20"
    assert lease(POOL, 20, ["10.64.16.0/20"]) == "10.64.0.0/20"


def test_ranges_of_other_sizes_elsewhere_and_none_are_respected() -> None:
    taken = ["10.64.0.128/25", "", "192.168.0.0/16", "2001:db8::/32", "10.64.16.0/22"]
    assert lease(POOL, 20, taken) == "10.64.32.0/20"


def test_a_wide_range_that_covers_the_pool_leaves_nothing() -> None:
    with pytest.raises(PreflightFailed):
        lease(POOL, 20, ["10.0.0.0/8"])


def test_a_used_up_pool_says_how_many_are_leased() -> None:
    taken = [str(each) for each in ip_network(POOL).subnets(new_prefix=20)]
    with pytest.raises(PreflightFailed) as caught:
        lease(POOL, 20, taken)
    assert caught.value.message == "the address pool '10.64.0.0/16' is used up"
    assert caught.value.why == "16 ranges are leased, and none of /20 is left"
    assert "karrots.yaml" in caught.value.hint


@pytest.mark.parametrize(
    ("pool", "prefix"), [("10.64.0.1/16", 20), ("ten", 20), (POOL, 15), (POOL, 33), (POOL, -1), ("", 20)]
)
def test_a_pool_that_makes_no_sense_is_refused(pool: str, prefix: int) -> None:
    with pytest.raises(UsageError) as caught:
        lease(pool, prefix, [])
    assert "karrots.yaml" in caught.value.hint


def test_a_broken_range_in_the_ledger_is_named() -> None:
    with pytest.raises(Failed, match=r"'10\.x'"):
        lease(POOL, 20, ["10.x"])


def test_ipv6_pools_work_too() -> None:
    assert lease("fd00:64::/48", 64, ["fd00:64::/64", "10.0.0.0/8"]) == "fd00:64:0:1::/64"


@given(sizes=st.lists(st.integers(18, 26), max_size=80))
def test_leases_lie_in_the_pool_and_never_overlap(sizes: list[int]) -> None:
    taken: list[str] = []
    for size in sizes:
        try:
            taken.append(lease(POOL, size, taken))
        except PreflightFailed:
            blocks = ip_network(POOL).subnets(new_prefix=size)
            assert all(any(overlapping(str(block), each) for each in taken) for block in blocks)
    networks = [ip_network(each) for each in taken]
    assert all(each.subnet_of(ip_network(POOL)) for each in networks)  # type: ignore[arg-type]
    assert not any(a.overlaps(b) for place, a in enumerate(networks) for b in networks[:place])


@given(freed=st.integers(0, 15))
def test_a_range_given_back_is_leased_again(freed: int) -> None:
    blocks = [str(each) for each in ip_network(POOL).subnets(new_prefix=20)]
    assert lease(POOL, 20, blocks[:freed] + blocks[freed + 1 :]) == blocks[freed]


def test_overlap_is_about_addresses() -> None:
    assert overlapping("10.0.0.0/8", "10.64.0.0/20")
    assert not overlapping("10.64.0.0/20", "10.64.16.0/20")
    assert not overlapping("", "10.64.16.0/20")
    assert not overlapping("2001:db8::/32", "10.0.0.0/8")
