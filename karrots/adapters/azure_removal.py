"""Deleting what azure_inventory proved to be a cluster's own, in the order in which Azure lets things go."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from karrots.adapters import azure_dns
from karrots.adapters.azure_errors import AzureRejected
from karrots.adapters.azure_inventory import ORDER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from karrots.adapters.azure import Azure
    from karrots.adapters.azure_inventory import Thing, Whose

# It goes once something else has gone, or somebody locked it: it is asked for again.
HELD = (400, 409)
AT_ONCE = 8


def remove(azure: Azure, whose: Whose, things: Iterable[Thing]) -> tuple[Thing, ...]:
    """Have Azure take them away and wait for it; gives those that do not go yet.

    What lies in a group of ours goes with the group. A group in which something is another's is not taken away.
    """
    wanted = [it for it in things if it.kind == "resource group" or it.group not in whose.groups]
    held: list[Thing] = []
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        for kind in ORDER:
            these = [it for it in wanted if it.kind == kind]
            gone = pool.map(lambda it: _removed(azure, it), these)
            held += [it for it, is_gone in zip(these, gone, strict=True) if not is_gone]
    return tuple(held)


def _removed(azure: Azure, thing: Thing) -> bool:
    try:
        if thing.entry is not None:
            azure_dns.remove(azure, thing.entry)
        elif thing.version:
            azure.delete(thing.key, thing.version)
    except AzureRejected as error:
        if error.status in HELD:
            return False
        raise
    return bool(thing.version or thing.entry)
