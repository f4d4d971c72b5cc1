"""Records in Route 53 that external-dns made for one cluster.

Beside each record it keeps a TXT record `heritage=external-dns,external-dns/owner=<owner>,…`; karrots has it use the
cluster's id as owner. Its present form is named after the record's type (`a-shop.example.com`), the older one after the
record alone. Names with a prefix or suffix of a fleet's own are not taken apart: the TXT record goes, and the record it
stands for is told.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from karrots.adapters.aws import Answer, Aws, items, understood

if TYPE_CHECKING:
    from collections.abc import Iterator

HERITAGE = re.compile(r'"?heritage=external-dns,external-dns/owner=([^,"]+)(?:,|"|$)')
TYPES = ("a", "aaaa", "cname", "ns", "srv", "mx", "naptr", "txt")


@dataclass(frozen=True)
class Entry:
    """`record` is as Route 53 gave it, which is how it has to be deleted."""

    zone: str
    name: str
    kind: str
    record: Answer

    @property
    def key(self) -> str:
        identifier = self.record.get("SetIdentifier", "")
        return f"{self.zone}/{self.name}/{self.kind}" + (f"/{identifier}" if identifier else "")

    @property
    def title(self) -> str:
        return f"{self.kind} {self.name.replace(chr(92) + '052', '*').rstrip('.')}"


def entries(aws: Aws, owner: str, domain: str) -> Iterator[Entry]:
    """Of every zone that `domain` lies in or that lies in it: TXT records of that owner, and what they stand for."""
    for zone in _zones(aws, domain):
        pages = aws.pages("route53", "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone)
        with understood("route53 ListResourceRecordSets"):
            found = [Entry(zone, str(it["Name"]), str(it["Type"]), it) for it in pages]
            yield from of_owner(found, owner)


def _zones(aws: Aws, domain: str) -> list[str]:
    pages = aws.pages("route53", "list_hosted_zones", "HostedZones")
    with understood("route53 ListHostedZones"):
        return [str(it["Id"]).removeprefix("/hostedzone/") for it in pages if _touches(str(it["Name"]), domain)]


def _touches(zone: str, domain: str) -> bool:
    one, other = f".{zone.rstrip('.')}", f".{domain.rstrip('.')}"
    return bool(domain) and (one.endswith(other) or other.endswith(one))


def of_owner(found: list[Entry], owner: str) -> Iterator[Entry]:
    """A record is the owner's when the TXT record that stands for it says so, and none says otherwise."""
    owners: dict[tuple[str, str], set[str]] = {}
    for entry in found:
        for vouched in _vouched(entry):
            owners.setdefault(vouched, set()).update(_owners(entry))
    for entry in found:
        if owner in _owners(entry) or owners.get((entry.name, entry.kind)) == {owner}:
            yield entry


def _owners(entry: Entry) -> set[str]:
    if entry.kind != "TXT":
        return set()
    values = (str(it.get("Value", "")) for it in items(entry.record, "ResourceRecords"))
    return {match[1] for value in values if (match := HERITAGE.match(value))}


def _vouched(entry: Entry) -> Iterator[tuple[str, str]]:
    """Names and types that this TXT record may stand for."""
    if not _owners(entry):
        return
    first, dash, rest = entry.name.partition("-")
    if dash and first in TYPES:
        yield rest, first.upper()
    for kind in ("A", "AAAA", "CNAME"):
        yield entry.name, kind


def remove(aws: Aws, entry: Entry) -> None:
    """Fine when it is gone. Raises AwsRejected when somebody changed it meanwhile: then it is not ours any more."""
    from karrots.adapters.aws_errors import AwsRejected

    change = {"Action": "DELETE", "ResourceRecordSet": entry.record}
    try:
        aws.call("route53", "change_resource_record_sets", HostedZoneId=entry.zone, ChangeBatch={"Changes": [change]})
    except AwsRejected as error:
        if error.reason != "InvalidChangeBatch" or "not found" not in error.why:
            raise
