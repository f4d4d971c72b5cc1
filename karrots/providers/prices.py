"""What the clouds' estimates have in common: pools of nodes, and what a list price leaves out. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from karrots.providers.base import Price

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from karrots.spec.cluster import NodePool


def of_pools(pools: Mapping[str, NodePool], price: Callable[[NodePool], float | None]) -> tuple[list[Price], list[str]]:
    """The price of each pool that has one, and what is to be said beside it. `price` is None for an unknown machine."""
    prices: list[Price] = []
    unpriced: list[str] = []
    for name, pool in pools.items():
        found = price(pool)
        prices += [Price(f"nodes {name}", found)] if found is not None else []
        unpriced += _unpriced(name, pool, found)
    return prices, unpriced


def _unpriced(name: str, pool: NodePool, found: float | None) -> list[str]:
    if found is None:
        return [f"nodes {name}: {pool.size} is not in the price list"]
    if pool.spot:
        return [f"nodes {name} are spot machines, which cost less than that"]
    return [f"nodes {name} may grow to {pool.max}"] if pool.max is not None and pool.max > pool.initial else []


def elsewhere(region: str, priced: str) -> list[str]:
    """`priced` is the region of the price list."""
    return [] if region == priced else [f"what {region} costs more or less than {priced}"]
