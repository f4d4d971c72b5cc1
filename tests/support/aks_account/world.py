"""A subscription in which clusters of AKS can be looked for."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from karrots.adapters import azure
from karrots.providers import waiting
from karrots.spec.fleet import Aks
from tests.support.aks_account import server
from tests.support.aks_account.account import CA_DATA, REGION, SUBSCRIPTION, TENANT, Account
from tests.support.aks_account.planted import Planted, surroundings
from tests.support.records import record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pytest

    from karrots.fleet.record import Record
    from karrots.spec.fleet import Cloud


class AzureWorld:
    def __init__(self, account: Account) -> None:
        self.account = account
        self.settings: Cloud | None = Aks(subscription=SUBSCRIPTION, tenant=TENANT, region=REGION)
        surroundings(account)

    def record(self, name: str = "qa") -> Record:
        return record(name, provider="aks", region=REGION, account=SUBSCRIPTION)

    def log_out(self) -> None:
        self.account.logged_in = False

    def plant(self, record: Record) -> Mapping[str, int]:
        made = Planted(self.account, record)
        made.all()
        return made.made

    def plant_others(self, record: Record) -> None:
        self.plant(self.record(f"{record.name}-two"))
        self.plant(self.record(record.name))

    def inventory(self) -> Mapping[str, int]:
        kinds = Counter(str(it["type"]) for it in self.account.kept.values())
        return {**kinds, "groups": len(self.account.groups)}

    def outputs(self, record: Record) -> Mapping[str, Any]:
        return {"endpoint": "https://qa-0a1b2c.hcp.westeurope.azmk8s.io:443", "ca_data": CA_DATA}


@contextmanager
def open_world(monkeypatch: pytest.MonkeyPatch) -> Iterator[AzureWorld]:
    with server.served() as account:
        for name, value in server.environment(account).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(azure, "LOOK_SECONDS", 0)
        monkeypatch.setattr(waiting, "LOOK_SECONDS", 0)
        yield AzureWorld(account)
