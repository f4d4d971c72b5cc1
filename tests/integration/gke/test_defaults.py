"""The version a GKE cluster begins with: its parent's, when that is to be had."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from karrots.providers import gke
from karrots.providers.base import Origin
from tests.integration.gke.test_preflight import of_parent, rows, spec
from tests.integration.gke.test_sweep import record
from tests.support.gke_account.account import refused
from tests.support.gke_account.planted import Planted

if TYPE_CHECKING:
    from karrots.fleet.record import Record
    from tests.support.gke_account.account import Account

VERSION = "1.36.2-gke.1004000"
PARENT = record("main", network="10.99.0.0/20")
CHILD = of_parent(PARENT)


@pytest.fixture
def account(account: Account) -> Account:
    Planted(account, PARENT).cluster()
    return account


def defaults(text: str = "", *, parent: Record | None = PARENT, version: str = "1.36", **more: Any) -> dict[str, str]:
    origin = Origin(parent, spec(text, version=version), **more)
    return dict(gke.variables(CHILD, None, Path(), origin)["defaults"])


def test_it_is_the_parents(account: Account) -> None:
    assert defaults() == {"kubernetes": VERSION}


def test_of_another_minor_version_it_is_not(account: Account) -> None:
    assert defaults(version="1.35") == {}


def test_a_version_that_the_channel_has_no_more_is_not_taken(account: Account) -> None:
    assert defaults("gke: {channel: RAPID}\n") == {}


def test_once_the_cluster_is_there_its_state_keeps_it(account: Account) -> None:
    Planted(account, CHILD).cluster()
    assert defaults() == {}


@pytest.mark.parametrize(
    "changes", [{"id": record("x").id}, {"name": "gone"}, {"region": "us-east1"}, {"account": "other-project"},
                {"provider": "eks"}]
)  # fmt: skip
def test_a_parent_that_is_not_there_gives_nothing(account: Account, changes: dict[str, Any]) -> None:
    assert defaults(parent=replace(PARENT, **changes)) == {}
    assert defaults(parent=None) == {}


def test_where_nothing_will_be_made_nobody_is_asked(account: Account) -> None:
    assert defaults(removing=True) == {}
    assert account.asked == []


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_parent_that_cannot_be_asked_is_no_error(account: Account, status: int) -> None:
    account.script = lambda _: refused(status, "no")
    assert defaults() == {}


def test_preflight_says_what_is_taken(account: Account) -> None:
    row = rows(of=CHILD, parent=PARENT)["from the parent"]
    assert (row.ok, row.found) == (True, f"kubernetes {VERSION}")
    assert "from the parent" not in rows()
    none = rows(spec(version="1.35"), of=CHILD, parent=PARENT)["from the parent"]
    assert none.ok
    assert none.found.startswith("nothing of 'main' fits")
