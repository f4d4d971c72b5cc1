"""The providers, by the name cluster.yaml uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from karrots.errors import UsageError
from karrots.providers import aks, eks, gke, local

if TYPE_CHECKING:
    from karrots.providers.base import Provider

PROVIDERS: dict[str, Provider] = {"aks": aks, "eks": eks, "gke": gke, "local": local}


def provider(name: str) -> Provider:
    """Raises UsageError for a provider that this version has no part for."""
    found = PROVIDERS.get(name)
    if found is None:
        raise UsageError(
            f"this version of karrots cannot make clusters of provider '{name}'",
            why=f"it has: {', '.join(sorted(PROVIDERS))}",
            hint="add --on local to bring the same directory up on the local engine\n"
            "or, when a newer version made the cluster: pip install --upgrade karrots",
        )
    return found
