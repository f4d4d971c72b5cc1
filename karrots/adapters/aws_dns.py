"""Records in Route 53 that external-dns made for one cluster (karrots.adapters.heritage tells them)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from karrots.adapters.aws import Answer, Aws, items, understood
from karrots.adapters.heritage import of_owner, touching

if TYPE_CHECKING:
    from collections.abc import Iterator


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
    def values(self) -> list[str]:
        return [str(it.get("Value", "")) for it in items(self.record, "ResourceRecords")]

    @property
    def title(self) -> str:
        return f"{self.kind} {self.name.replace(chr(92) + '052', '*').rstrip('.')}"


def entries(aws: Aws, owner: str, domain: str) -> Iterator[Entry]:
    """Of every zone that `domain` lies in or that lies in it: TXT records of that owner, and what they stand for."""
    for zone in touching(zones(aws), domain):
        pages = aws.pages("route53", "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone)
        with understood("route53 ListResourceRecordSets"):
            found = [Entry(zone, str(it["Name"]), str(it["Type"]), it) for it in pages]
            yield from of_owner(found, owner)


def zones(aws: Aws) -> dict[str, str]:
    """Name by id."""
    pages = aws.pages("route53", "list_hosted_zones", "HostedZones")
    with understood("route53 ListHostedZones"):
        return {str(it["Id"]).removeprefix("/hostedzone/"): str(it["Name"]).rstrip(".") for it in pages}


def remove(aws: Aws, entry: Entry) -> None:
    """Fine when it is gone. Raises AwsRejected when somebody changed it meanwhile: then it is not ours any more."""
    from karrots.adapters.aws_errors import AwsRejected

    change = {"Action": "DELETE", "ResourceRecordSet": entry.record}
    try:
        aws.call("route53", "change_resource_record_sets", HostedZoneId=entry.zone, ChangeBatch={"Changes": [change]})
    except AwsRejected as error:
        if error.reason != "InvalidChangeBatch" or "not found" not in error.why:
            raise
