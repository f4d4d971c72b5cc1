"""What the cloud providers have in common: the variables of identity.auto.tfvars.json."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from karrots.fleet.cloud_names import names
from karrots.fleet.tags import tags

if TYPE_CHECKING:
    from collections.abc import Mapping

    from karrots.fleet.record import Record
    from karrots.spec.fleet import Cloud


def identity_variables(
    record: Record, settings: Cloud | None, shared_network: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Beside the cluster's own: where it is, what its things are called, and the parent's network when it is shared.

    Region and account are the record's: karrots.yaml may have moved on since the cluster was made.
    """
    return {
        "region": record.region,
        "account": record.account,
        "api_access": list(settings.api_access) if settings else [],
        "names": names(record),
        "tags": tags(record),
        "shared_network": dict(shared_network) if shared_network is not None else None,
    }
