"""A zone in an imitated Route 53, as controllers write to it and as everybody else sees it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from karrots.adapters import aws_dns
from karrots.adapters.aws import Aws
from tests.support import aws as account
from tests.support.aws_planted import hosted_zone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from karrots.adapters.aws_dns import Entry

GIVEN = ("NS", "SOA")


@dataclass(frozen=True)
class Zone:
    """`environment` is what programs are told to reach it."""

    aws: Aws
    environment: dict[str, str]
    domain: str
    id: str

    def entries(self) -> list[Entry]:
        """But for what every zone has."""
        pages = self.aws.pages("route53", "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=self.id)
        found = [aws_dns.Entry(self.id, str(it["Name"]), str(it["Type"]), it) for it in pages]
        return [each for each in found if each.kind not in GIVEN]

    def records(self) -> dict[str, list[str]]:
        return {each.title: each.values for each in self.entries()}

    def under(self, domain: str) -> dict[str, list[str]]:
        return {title: values for title, values in self.records().items() if title.endswith(f".{domain}")}

    def of(self, owner: str) -> list[Entry]:
        """What karrots itself takes for a cluster's, when it destroys one in an account."""
        return list(aws_dns.entries(self.aws, owner, self.domain))

    def remove(self, entries: list[Entry]) -> None:
        """As karrots does there."""
        for entry in entries:
            aws_dns.remove(self.aws, entry)


@contextmanager
def opened(domain: str) -> Iterator[Zone]:
    for cloud in account.opened():
        environment = {**account.environment(cloud.address), "AWS_REGION": account.REGION}
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            aws = Aws(account.REGION)
            yield Zone(aws, environment, domain, hosted_zone(aws, domain))
