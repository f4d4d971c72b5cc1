"""Whether somebody answers for the cluster's domain before services are to write records below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from karrots.providers.base import Check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from karrots.fleet.record import Record
    from karrots.spec.cluster import ClusterSpec

WRITERS = ("external-dns", "cert-manager")


def zone_rows(
    spec: ClusterSpec, record: Record, zones: Callable[[], Iterable[str]], account: str, make: str
) -> list[Check]:
    """None where no service writes records. `make` is the command that makes a zone, NAME its name."""
    writers = [name for name in WRITERS if name in spec.services.on]
    if not writers:
        return []
    there = list(zones())
    holds = [zone for zone in there if f".{record.domain}".endswith(f".{zone}")]
    if holds:
        return [Check("DNS zone", ok=True, found=f"{max(holds, key=len)} holds {record.domain}")]
    found = f"no zone of {account} holds {record.domain}, below which {' and '.join(writers)} write records"
    listed = f" (there: {', '.join(sorted(there))})" if there else ""
    parent = record.domain.partition(".")[2]
    hint = (
        f"correct domain in karrots.yaml{listed}\nor: {make.replace('NAME', parent)}, and have {parent} delegated to it"
    )
    return [Check("DNS zone", ok=False, found=found, hint=hint)]
