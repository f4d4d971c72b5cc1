"""A project for the conformance suite (tests.conformance.worlds.World)."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from karrots.providers import gke, waiting
from karrots.spec.fleet import Gke
from tests.support.gke_account import server
from tests.support.gke_account.account import PROJECT, REGION
from tests.support.gke_account.planted import CA_DATA, EVERY_KIND, Planted
from tests.support.records import record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pytest

    from karrots.fleet.record import Record
    from karrots.spec.fleet import Cloud
    from tests.support.gke_account.account import Account


class GoogleProject:
    def __init__(self, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        self.settings: Cloud | None = Gke(project=PROJECT, region=REGION)
        self._account = account
        self._monkeypatch = monkeypatch

    def record(self, name: str = "qa") -> Record:
        return record(name, provider="gke", region=REGION, account=PROJECT)

    def log_out(self) -> None:
        self._monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")

    def plant(self, record: Record) -> Mapping[str, int]:
        Planted(self._account, record).all()
        return EVERY_KIND

    def plant_others(self, record: Record) -> None:
        self.plant(self.record(f"{record.name}-two"))
        self.plant(replace(self.record(record.name), domain=f"other.{record.domain.partition('.')[2]}"))

    def inventory(self) -> Mapping[str, int]:
        return self._account.inventory()

    def outputs(self, record: Record) -> Mapping[str, Any]:
        return {"endpoint": "https://203.0.113.7", "ca_data": CA_DATA}


@contextmanager
def open_world(monkeypatch: pytest.MonkeyPatch) -> Iterator[GoogleProject]:
    with server.served() as (account, address):
        account.managed_zone("fleet", "example.com")
        server.log_in(address, Path.home(), monkeypatch)
        monkeypatch.setattr(waiting, "LOOK_SECONDS", 0)
        monkeypatch.setattr(gke, "STILL_LOOKS", 4)
        yield GoogleProject(account, monkeypatch)
