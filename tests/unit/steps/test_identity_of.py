"""Which identity a cluster is told when Terraform was, and was not, asked for its outputs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from karrots.steps.syncing import identity_of
from tests.support.records import record

if TYPE_CHECKING:
    from karrots.adapters.kube import Kube
    from karrots.steps.context import Context


class Told:
    """An API server that holds the map as it was written before."""

    def __init__(self, data: dict[str, str] | None) -> None:
        self.data = data

    def get(self, path: str) -> dict[str, Any] | None:
        assert path.endswith("/configmaps/karrots-identity")
        return None if self.data is None else {"data": self.data}


def _found(outputs: dict[str, str], told: dict[str, str] | None) -> dict[str, str]:
    ctx = SimpleNamespace(record=record("qa"), spec=SimpleNamespace(variables={}), outputs=outputs)
    return identity_of(cast("Context", ctx), cast("Kube", Told(told)))


def test_outputs_win() -> None:
    assert _found({"vpc_id": "vpc-2"}, {"cluster_vpc": "vpc-1"})["cluster_vpc"] == "vpc-2"
    assert _found({"endpoint": "x"}, {"cluster_vpc": "vpc-1"})["cluster_vpc"] == ""


def test_without_outputs_the_cluster_keeps_what_it_was_told() -> None:
    found = _found({}, {"cluster_vpc": "vpc-1", "cluster_dns_identity": "dns", "cluster_name": "another"})
    assert (found["cluster_vpc"], found["cluster_dns_identity"]) == ("vpc-1", "dns")
    assert found["cluster_name"] == "qa"


def test_a_cluster_that_was_told_nothing() -> None:
    assert _found({}, None)["cluster_vpc"] == ""
