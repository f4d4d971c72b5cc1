"""Records in Cloud DNS that external-dns made for one cluster (karrots.adapters.heritage tells them)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from karrots.adapters.google import understood, unless
from karrots.adapters.heritage import of_owner, touching

if TYPE_CHECKING:
    from collections.abc import Iterator

    from karrots.adapters.google import Answer, Google


@dataclass(frozen=True)
class Entry:
    """`record` is as Cloud DNS gave it, which is how it has to be deleted."""

    zone: str
    name: str
    kind: str
    record: Answer

    @property
    def key(self) -> str:
        return f"{self.zone}/{self.name}/{self.kind}"

    @property
    def values(self) -> list[str]:
        return [str(it) for it in self.record.get("rrdatas") or ()]

    @property
    def title(self) -> str:
        return f"{self.kind} {self.name.rstrip('.')}"


def entries(google: Google, owner: str, domain: str) -> Iterator[Entry]:
    """Of every zone that `domain` lies in or that lies in it: TXT records of that owner, and what they stand for."""
    for zone in touching(zones(google), domain):
        path = f"projects/{google.project}/managedZones/{zone}/rrsets"
        pages = google.pages("dns", "resourceRecordSets.list", path, "rrsets")
        with understood("dns resourceRecordSets.list"):
            found = [Entry(zone, str(it["name"]), str(it["type"]), it) for it in pages]
        yield from of_owner(found, owner)


def zones(google: Google) -> dict[str, str]:
    """Domain by the zone's name."""
    pages = google.pages("dns", "managedZones.list", f"projects/{google.project}/managedZones", "managedZones")
    with understood("dns managedZones.list"):
        return {str(it["name"]): str(it["dnsName"]).rstrip(".") for it in pages}


def remove(google: Google, entry: Entry) -> None:
    """Fine when it is gone. Raises GoogleRejected when somebody changed it meanwhile: then it is not ours any more."""
    path = f"projects/{google.project}/managedZones/{entry.zone}/changes"
    with unless(404):
        google.call("dns", "changes.create", "POST", path, document={"deletions": [entry.record]})
