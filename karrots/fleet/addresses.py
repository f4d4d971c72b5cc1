"""Address ranges for clusters, leased from the pool in karrots.yaml."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING

from karrots.errors import Failed, PreflightFailed, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Range = IPv4Network | IPv6Network
POOL_HINT = "edit addresses in karrots.yaml"


def lease(pool: str, prefix: int, taken: Iterable[str]) -> str:
    """The first range of this prefix length in `pool` that overlaps nothing in `taken`.

    Raises PreflightFailed when the pool is used up, UsageError when pool and prefix do not fit each other.
    """
    whole = _pool(pool, prefix)
    size = 1 << (whole.max_prefixlen - prefix)
    used = sorted(_spans(taken, whole.version))
    start, end = int(whole.network_address), int(whole.broadcast_address)
    for first, last in used:
        if last < start:
            continue
        if first > start + size - 1:
            break
        start = -(-(last + 1) // size) * size
    if start + size - 1 > end:
        raise _used_up(pool, prefix, used, whole)
    return f"{type(whole.network_address)(start)}/{prefix}"


def overlapping(one: str, other: str) -> bool:
    first, second = _span(one), _span(other)
    if first is None or second is None or first[0] != second[0]:
        return False
    return first[1] <= second[2] and second[1] <= first[2]


def _pool(pool: str, prefix: int) -> Range:
    try:
        whole = ip_network(pool)
    except ValueError as error:
        raise UsageError(f"the address pool '{pool}' is not a range", why=str(error), hint=POOL_HINT) from error
    if not whole.prefixlen <= prefix <= whole.max_prefixlen:
        raise UsageError(
            f"ranges of /{prefix} cannot be taken from the address pool '{pool}'",
            why=f"a prefix from {whole.prefixlen} to {whole.max_prefixlen} fits",
            hint=POOL_HINT,
        )
    return whole


def _spans(networks: Iterable[str], version: int) -> Iterator[tuple[int, int]]:
    for span in map(_span, networks):
        if span is not None and span[0] == version:
            yield span[1:]


@lru_cache(maxsize=1 << 14)  # a claim looks at every range of the fleet twice
def _span(network: str) -> tuple[int, int, int] | None:
    """IP version, first and last address; clusters without a range of their own have ''."""
    if not network:
        return None
    try:
        parsed = ip_network(network, strict=False)
    except ValueError as error:
        raise Failed(f"'{network}' in the ledger is not an address range", hint="karrots ls -o json") from error
    return parsed.version, int(parsed.network_address), int(parsed.broadcast_address)


def _used_up(pool: str, prefix: int, used: list[tuple[int, int]], whole: Range) -> PreflightFailed:
    end = int(whole.broadcast_address)
    within = [span for span in used if span[0] <= end and span[1] >= int(whole.network_address)]
    return PreflightFailed(
        f"the address pool '{pool}' is used up",
        why=f"{len(within)} ranges are leased, and none of /{prefix} is left",
        hint=f"destroy clusters that are not needed (karrots ls), or {POOL_HINT}",
    )
