from __future__ import annotations

import pytest

from karrots.providers.dns_zone import zone_rows
from tests.support.records import record
from tests.support.services import bare_cluster, cluster

MAKE = "aws route53 create-hosted-zone --name NAME"
QA = record("qa", domain="qa.dev.example.com")


@pytest.mark.parametrize("zone", ["example.com", "dev.example.com", "qa.dev.example.com"])
def test_a_zone_that_holds_the_domain(zone: str) -> None:
    (row,) = zone_rows(cluster("eks", ["external-dns"]), QA, lambda: ["other.org", zone], "account 1", MAKE)
    assert (row.ok, row.found) == (True, f"{zone} holds qa.dev.example.com")


@pytest.mark.parametrize("there", [[], ["xdev.example.com"], ["shop.qa.dev.example.com"]])
def test_a_zone_that_is_not_ours(there: list[str]) -> None:
    (row,) = zone_rows(cluster("eks", ["external-dns", "cert-manager"]), QA, lambda: there, "account 1", MAKE)
    assert not row.ok
    assert row.found == (
        "no zone of account 1 holds qa.dev.example.com, below which external-dns and cert-manager write records"
    )
    assert "aws route53 create-hosted-zone --name dev.example.com" in row.hint
    assert all(zone in row.hint for zone in there)


def test_where_no_service_writes_nobody_is_asked() -> None:
    def asked() -> list[str]:
        raise AssertionError

    assert zone_rows(bare_cluster("eks"), QA, asked, "account 1", MAKE) == []
