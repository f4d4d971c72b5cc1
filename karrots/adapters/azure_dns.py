"""Records in Azure DNS that external-dns made for one cluster (karrots.adapters.heritage tells them)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from karrots.adapters.azure import Answer, Azure, understood
from karrots.adapters.heritage import of_owner, touching

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION = "2018-05-01"


@dataclass(frozen=True)
class Entry:
    """All records of one name and kind; `etag` is of what they were when they were seen."""

    key: str
    name: str
    kind: str
    etag: str
    values: tuple[str, ...]

    @property
    def title(self) -> str:
        return f"{self.kind} {self.name}"


def entries(azure: Azure, owner: str, domain: str) -> Iterator[Entry]:
    """Of every zone that `domain` lies in or that lies in it: TXT records of that owner, and what they stand for."""
    for zone in touching(zones(azure), domain):
        with understood("GET recordsets"):
            found = [_entry(it) for it in azure.pages(f"{zone}/recordsets", VERSION)]
        yield from of_owner(found, owner)


def zones(azure: Azure) -> dict[str, str]:
    """Name by id."""
    pages = azure.pages(f"{azure.path}/providers/Microsoft.Network/dnsZones", VERSION)
    with understood("GET dnsZones"):
        return {str(it["id"]): str(it["name"]) for it in pages}


def _entry(found: Answer) -> Entry:
    properties = found["properties"]
    texts = tuple("".join(map(str, it["value"])) for it in properties.get("TXTRecords") or ())
    kind = str(found["type"]).rpartition("/")[2].upper()
    return Entry(str(found["id"]), str(properties["fqdn"]).rstrip("."), kind, str(found["etag"]), texts)


def remove(azure: Azure, entry: Entry) -> None:
    """Fine when it is gone. Raises AzureRejected when somebody changed it meanwhile: then it is not ours any more."""
    azure.delete(entry.key, VERSION, {"If-Match": entry.etag})
