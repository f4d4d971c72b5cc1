"""What providers say of an API server that may be private, before anything is paid for and before it is talked to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from karrots.adapters.endpoint import SECONDS, reachable
from karrots.providers.base import Check

if TYPE_CHECKING:
    from collections.abc import Mapping

    from karrots.adapters.endpoint import Reach
    from karrots.spec.cluster import ClusterSpec

WHAT = "API server"
# How one gets to where a private endpoint can be seen, in the cloud's own terms.
WAYS_IN: Mapping[str, str] = {
    "eks": "run karrots where the VPC can be reached (a VPN, Direct Connect, a computer in it)",
    "gke": "run karrots where the VPC can be reached, or use the cluster's DNS endpoint (it needs only Google's APIs)",
    "aks": "run karrots where the virtual network and its private DNS zone can be reached (a VPN, a computer in it)",
}
PUBLIC = "or set 'network.api: public' in cluster.yaml, narrowed by api_access in karrots.yaml"
HINTS: Mapping[str, str] = {
    "name": "a private cluster's name is known only inside of its network",
    "timeout": "look at api_access in karrots.yaml: does it hold the address you come from?",
    "refused": "look whether the cluster still starts",
    "certificate": "look for a proxy that opens TLS on the way; karrots trusts the cluster's own authority only",
    "tls": "look for a proxy on the way",
    "network": "look at the route to it",
}


def endpoint_check(provider: str, server: str, ca: str, *, private: bool, timeout: float = SECONDS) -> Check:
    """Of a cluster that is there. `private`: content says that its API server is not on the internet."""
    found = reachable(server, ca, timeout=timeout)
    if found.ok:
        return Check(WHAT, ok=True, found=f"{server} answers from {found.address}")
    return Check(WHAT, ok=False, found=f"{server}: {found.why}", hint=_hint(provider, found, private=private))


def _hint(provider: str, found: Reach, *, private: bool) -> str:
    if found.problem in ("name", "timeout", "network") and (private or found.private):
        return f"{WAYS_IN[provider]}\n{PUBLIC}"
    return HINTS[found.problem]


def private_check(provider: str, spec: ClusterSpec, probe: str = "") -> list[Check]:
    """Before a private cluster is made: `probe` is an address of its network that is there already, such as the API
    server of the parent whose network it shares. Without one nobody can know whether it will be reached: refused.
    """
    if spec.network.api != "private":
        return []
    if not probe:
        found = "it will be private, and there is nothing yet to try the way to it with"
        return [Check(WHAT, ok=False, found=found, hint=f"{WAYS_IN[provider]}\n{PUBLIC}")]
    seen = reachable(probe, "")
    # Its authority is not known here: a certificate that is shown at all has come the whole way.
    if seen.ok or seen.problem == "certificate":
        return [Check(WHAT, ok=True, found=f"private, and {probe} can be reached from here")]
    return [Check(WHAT, ok=False, found=f"private, and {probe}: {seen.why}", hint=f"{WAYS_IN[provider]}\n{PUBLIC}")]
