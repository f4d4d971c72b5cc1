"""The proof that a cluster is gone, as it stands in the ledger (docs/ledger.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from karrots import clock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from karrots.fleet.record import Record


def receipt(record: Record, seen: Mapping[str, Any], *, removed: int = 0, seconds: float = 0.0) -> dict[str, Any]:
    """`seen` is what was looked for and found gone; `removed` counts Flux's objects that were deleted first."""
    lease = record.operation
    return {
        "cluster": record.name,
        "id": record.id,
        "directory": record.directory,
        "branch": record.branch,
        "provider": record.provider,
        "host": record.host,
        "created": record.created,
        "destroyed": clock.stamp(),
        "by": lease.holder if lease else "",
        "operation": lease.id if lease else "",
        "flux_objects_removed": removed,
        "seconds": round(seconds, 3),
        "left": [],
        **seen,
    }
