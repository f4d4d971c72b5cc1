"""What is planted as a cluster's controllers would make it is found and deleted, and nothing else."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from karrots.fleet.record import Record, new_id
from karrots.providers import gke
from karrots.providers.base import Footprint
from tests.support.gke_account.account import PROJECT, REGION
from tests.support.gke_account.planted import EVERY_KIND, Planted
from tests.support.records import record as made_up

if TYPE_CHECKING:
    from tests.support.gke_account.account import Account

NEVER = Footprint()


def record(name: str = "qa", **changes: object) -> Record:
    plain = made_up(name, provider="gke", region=REGION, account=PROJECT, domain=f"{name}.example.com")
    return replace(plain, **changes)  # type: ignore[arg-type]


def left(of: Record, footprint: Footprint = NEVER) -> Counter[str]:
    return Counter(item.kind for item in gke.sweep(of, footprint, None).left)


def test_exactly_ours_are_found_and_deleted(account: Account) -> None:
    """Beside us: a cluster of the same name-prefix, and one of the same name with another id."""
    ours = record()
    for other in (record("qa-two"), record(domain="other.example.com")):
        Planted(account, other).all()
    others = account.inventory()
    Planted(account, ours).all()
    assert left(ours) == EVERY_KIND
    gke.reclaim(ours, NEVER, None)
    assert left(ours) == {}
    assert account.inventory() == others
