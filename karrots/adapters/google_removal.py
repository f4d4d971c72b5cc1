"""Deleting what google_inventory proved to be a cluster's own, in the order in which Google lets things go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from karrots.adapters import google_dns
from karrots.adapters.google_errors import GoogleRejected
from karrots.adapters.google_inventory import ORDER, Thing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from karrots.adapters.google import Google

GONE = 404  # somebody else was faster
# It goes once something else has gone, or is on its way: it is asked for again.
HELD = ("resourceInUseByAnotherResource", "resourceNotReady", "resourceInUse", "alreadyInProgress")
# Collections that rights name otherwise where they lie in a region, or in none.
REGIONAL = ("backendServices", "healthChecks", "urlMaps", "targetHttpProxies", "targetHttpsProxies",
            "targetTcpProxies", "sslCertificates", "networkEndpointGroups")  # fmt: skip
GLOBAL = ("addresses", "forwardingRules", "networkEndpointGroups")


# These bear no id themselves: only others say whose they are. As long as one is there, those others stay, so that a
# removal that is cut short can be taken up again.
UNMARKED = (
    "forwarding rule", "target proxy", "URL map", "certificate", "backend service", "target pool", "health check",
    "network endpoint group", "address", "instance group manager", "instance group",
)  # fmt: skip
ANY_TIME = ("DNS record",)


def remove(google: Google, things: Iterable[Thing]) -> tuple[Thing, ...]:
    """Ask Google to take them away; gives those that cannot go yet."""
    order = sorted(things, key=lambda it: ORDER.index(it.kind))
    unmarked = [it for it in order if it.kind in UNMARKED]
    now = [it for it in order if not unmarked or it.kind in (*UNMARKED, *ANY_TIME)]
    held = {it.path for it in now if not _removed(google, it)}
    return tuple(it for it in order if it.path in held or it not in now)


def _removed(google: Google, thing: Thing) -> bool:
    try:
        _remove(google, thing)
    except GoogleRejected as error:
        if error.reason in HELD or error.status == 409:
            return False
        if error.status != GONE:
            raise
    return True


def _remove(google: Google, thing: Thing) -> None:
    if thing.entry is not None:
        google_dns.remove(google, thing.entry)
    elif thing.kind == "service account":
        google.call("iam", "serviceAccounts.delete", "DELETE", thing.path)
    else:
        collection = thing.path.split("/")[-2]
        google.call(
            "compute", f"{collection}.delete", "DELETE", thing.path, permission=f"compute.{_named(thing.path)}.delete"
        )


def _named(path: str) -> str:
    """A collection as rights name it."""
    place, collection = path.split("/")[2], path.split("/")[-2]
    first = {"regions": "region" if collection in REGIONAL else "", "global": "global" if collection in GLOBAL else ""}
    prefix = first.get(place, "")
    return f"{prefix}{collection[0].upper()}{collection[1:]}" if prefix else collection
