"""The budget of Let's Encrypt, counted from a fleet's own ledger."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from karrots import clock
from karrots.fleet.receipt import receipt
from karrots.fleet.workspace import Workspace
from karrots.steps import certificates
from tests.support.records import record

if TYPE_CHECKING:
    from karrots.fleet.record import Record
    from karrots.providers.base import Check
    from karrots.steps.context import Context
    from tests.cli.conftest import CommandLine, Fleet

SIGNED = ("*.qa.example.com", "qa.example.com")
ISSUERS = "clusters/qa/flux/services/cert-manager/config/issuers.yaml"


@pytest.fixture
def signing(fleet: Fleet, karrots: CommandLine) -> Fleet:
    """A directory whose clusters ask production for a certificate."""
    karrots("services", "enable", "cert-manager", "--option", "issuer=production", cwd=fleet.qa)
    local = (fleet.root / ISSUERS).read_text()
    server = "acme: {server: https://acme-v02.api.letsencrypt.org/directory}"
    fleet.commit({ISSUERS: local.replace("selfSigned: {}", server)})
    return fleet


def recent(name: str, days: int = 1, **more: Any) -> dict[str, Any]:
    when = clock.stamp(clock.now() - timedelta(days=days))
    return {"provider": "eks", "created": when, "domain": f"{name}.example.com", **more}


def ask(fleet: Fleet, of: Record) -> list[Check]:
    workspace = Workspace.open(fleet.root)
    commit = fleet.git("rev-parse", "HEAD").strip()
    ctx = SimpleNamespace(workspace=workspace, record=of, commit=commit)
    return certificates.budget(cast("Context", ctx))


def gone(fleet: Fleet, name: str, days: int, signed: tuple[str, ...] = SIGNED) -> None:
    made = fleet.known(name, **recent(name, days))
    fleet.ledger.retire(made, receipt(made, {"certificates": [signed]}))


def test_a_first_cluster(signing: Fleet) -> None:
    (row,) = ask(signing, record("qa", **recent("qa")))
    assert (row.what, row.ok) == ("Let's Encrypt", True)
    assert row.found == "1 certificate more; 0 of 50 below example.com in 7 days by this fleet"


def test_where_nothing_is_asked_for_nothing_is_said(fleet: Fleet, signing: Fleet) -> None:
    assert ask(signing, record("qa", provider="local")) == []
    fleet.edit(
        "clusters/qa/flux/services/cert-manager/config/issuers.yaml", "    name: production\n", "    name: none\n"
    )
    assert ask(fleet, record("qa", **recent("qa"))) == []


def test_those_of_the_last_week_count_and_no_others(signing: Fleet) -> None:
    signing.known("one", **recent("one", 2))
    signing.known("old", **recent("old", 8))
    signing.known("here", **recent("here", 1, provider="local"))
    gone(signing, "two", 3, ("*.two.example.com", "two.example.com"))
    gone(signing, "older", 9, ("*.older.example.com", "older.example.com"))
    (row,) = ask(signing, record("qa", **recent("qa")))
    assert "2 of 50 below example.com" in row.found


def test_a_name_that_was_used_five_times(signing: Fleet) -> None:
    for _ in range(4):
        gone(signing, "qa", 2)
    assert ask(signing, record("qa", **recent("qa")))[0].ok
    gone(signing, "qa", 2)
    (row,) = ask(signing, record("qa", **recent("qa")))
    assert not row.ok
    assert "was asked for 5 times in 7 days, and 5 are signed" in row.found
    assert "karrots services enable cert-manager --option issuer=staging" in row.hint
    assert ask(signing, record("other", **recent("other")))[0].ok


def test_a_domain_that_is_full(signing: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificates, "MOST_OF_A_DOMAIN", 2)
    gone(signing, "one", 1, ("one.example.com",))
    assert ask(signing, record("qa", **recent("qa")))[0].ok
    gone(signing, "two", 1, ("two.example.com",))
    (row,) = ask(signing, record("qa", **recent("qa")))
    assert (row.ok, row.found) == (False, "2 certificates below example.com in 7 days by this fleet, 2 are signed")


def test_a_cluster_that_has_it_asks_for_none(signing: Fleet) -> None:
    assert ask(signing, signing.known("qa", **recent("qa"))) == []
