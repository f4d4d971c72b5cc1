"""Reaching a cluster, what a stopped run left of it, and which rights all of it needs."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from google.cloud import container_v1

from karrots.adapters import google_errors
from karrots.adapters.google import Google
from karrots.adapters.google_errors import GoogleDenied, GoogleGarbled
from karrots.adapters.google_inventory import COLLECTIONS
from karrots.providers import gke
from karrots.providers.base import Footprint, Origin
from tests.integration.gke.test_preflight import of_parent, section, spec
from tests.integration.gke.test_sweep import record
from tests.support.gke_account.account import ZONES, refused
from tests.support.gke_account.planted import CA_DATA, Planted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from karrots.fleet.record import Record
    from karrots.providers.base import Provider
    from tests.support.gke_account.account import Account

Status = container_v1.Cluster.Status
PLACE: Provider = gke  # the type checker compares them
POLICY = Path(__file__).parents[3] / "docs" / "policies" / "gcp.json"
PEM = "-----BEGIN CERTIFICATE-----\n"
NAME = "gke-1a2b.europe-west3.gke.goog"


def made(account: Account, **fields: Any) -> Record:
    ours = record()
    Planted(account, ours).cluster(**fields)
    return ours


@pytest.mark.parametrize(
    ("ca_data", "ca"), [(CA_DATA, PEM), ("", "")], ids=["address", "name that every computer trusts"]
)
def test_it_is_reached_by_terraforms_outputs_without_asking(account: Account, ca_data: str, ca: str) -> None:
    access = gke.access(record(), {"endpoint": f"https://{NAME}", "ca_data": ca_data}, None)
    assert access is not None
    assert (access.server, access.ca) == (f"https://{NAME}", ca)
    assert account.asked == []
    assert access.tokens is not None
    assert access.tokens.now().text in account.tokens


def test_outputs_that_are_none_are_told(account: Account) -> None:
    with pytest.raises(GoogleGarbled):
        gke.access(record(), {"endpoint": "https://x", "ca_data": "%"}, None)


def test_it_is_reached_by_asking_gke(account: Account) -> None:
    ours = made(account)
    access = gke.access(ours, {}, None)
    assert access is not None
    assert (access.server, access.ca) == ("https://203.0.113.7", PEM)
    assert gke.access(record(), {}, None) is None
    assert gke.access(record("none"), {}, None) is None


@pytest.mark.parametrize("status", ["PROVISIONING", "STOPPING", "ERROR"])
def test_a_cluster_that_does_not_answer_yet_is_not_reached(account: Account, status: str) -> None:
    assert gke.access(made(account, status=status), {}, None) is None


def test_its_parts_are_told(account: Account) -> None:
    ours = made(account, conditions=[{"message": "a webhook is in the way"}])
    found = {part.name: (part.state, part.detail) for part in gke.parts(ours, None)}
    assert found == {
        "control plane": ("running", "a webhook is in the way"),
        "nodes default": ("running", "e2-standard-4"),
    }
    assert [part.state for part in gke.parts(record("none"), None)] == ["not there"]


def test_a_branch_gets_the_network_of_its_parent(account: Account) -> None:
    parent = record("main")
    theirs = Planted(account, parent)
    theirs.own_network()
    subnet = next(path for path in theirs.made if "subnetworks" in path)
    theirs.cluster(
        network_config={"network": theirs.network, "subnetwork": subnet},
        ip_allocation_policy={"cluster_secondary_range_name": "pods"},
    )
    shared = spec("network:\n  mode: shared\n")
    given = gke.variables(record(), None, Path(), Origin(parent, shared))["shared_network"]
    assert given == {
        "network": theirs.network, "subnetwork": subnet, "pods_range": "pods", "services_range": None,
    }  # fmt: skip
    assert gke.variables(record(), None, Path())["shared_network"] is None
    assert gke.variables(record(), None, Path(), Origin(record("gone"), shared))["shared_network"]["network"] == ""


def state(status: str = "tainted", kind: str = "google_container_cluster", **instance: Any) -> dict[str, Any]:
    one = {"status": status, "attributes": {"name": "qa"}, **instance}
    name = "cluster" if kind == "google_container_cluster" else "pool"
    return {"resources": [{"mode": "managed", "type": kind, "name": name, "instances": [one]}]}


def test_a_tainted_cluster_that_runs_is_whole(account: Account) -> None:
    assert gke.untaint(made(account), state(), None) == ("google_container_cluster.cluster",)


def test_nothing_tainted_asks_nobody(account: Account) -> None:
    assert gke.untaint(record(), state(status=""), None) == ()
    assert gke.untaint(record(), {}, None) == ()
    assert account.asked == []


def test_one_that_gke_still_makes_is_waited_for(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its create goes on without Terraform."""
    ours = made(account, status="PROVISIONING")
    looks: Iterator[Any] = iter([Status.PROVISIONING, Status.RECONCILING, Status.RUNNING])

    def slept(_: float) -> None:
        next(iter(account.clusters.values())).status = next(looks)

    monkeypatch.setattr("karrots.providers.waiting.time.sleep", slept)
    assert gke.untaint(ours, state(), None) == ("google_container_cluster.cluster",)
    assert list(looks) == []


@pytest.mark.parametrize("status", ["ERROR", "STOPPING", "DEGRADED"])
def test_one_that_failed_is_made_again(account: Account, status: str) -> None:
    assert gke.untaint(made(account, status=status), state(), None) == ()


def test_anothers_of_the_same_name_stays_tainted(account: Account) -> None:
    made(account)
    assert gke.untaint(record(), state(), None) == ()


def test_node_pools_have_addresses_with_keys(account: Account) -> None:
    ours = made(account)

    def pool(name: str) -> dict[str, Any]:
        return state(kind="google_container_node_pool", index_key=name, attributes={"name": name})

    assert gke.untaint(ours, pool("default"), None) == ('google_container_node_pool.pool["default"]',)
    assert gke.untaint(ours, pool("gone"), None) == ()


def test_the_role_in_the_documentation_is_what_is_called(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """What each call needs is noted where it is made, as a denial would name it."""
    needed: set[str] = set()
    asked = google_errors.Call.__init__

    def noted(self: google_errors.Call, *args: Any, **more: Any) -> None:
        asked(self, *args, **more)
        if self.service not in {"credentials", "oauth2"}:
            needed.update(self.rights)

    monkeypatch.setattr(google_errors.Call, "__init__", noted)
    ours, parent = surrounded(account)
    looked(ours, parent)
    taken_away(ours, gke.footprint(ours, None))
    assert set(json.loads(POLICY.read_text(encoding="utf-8"))["includedPermissions"]) == needed
    deleted = {it.path.split("/")[-2] for it in account.asked if (it.service, it.method) == ("compute", "DELETE")}
    assert deleted == {name for collections in COLLECTIONS.values() for name in collections}


def surrounded(account: Account) -> tuple[Record, Record]:
    """A cluster with all there can be of it, and a parent that lives."""
    ours = record(network="10.64.0.0/20")
    mine = Planted(account, ours)
    mine.all()
    group = mine.make(f"zones/{ZONES[0]}/instanceGroupManagers/gke-qa-old-grp")
    by = {"items": [{"key": "created-by", "value": group}]}
    mine.make(f"zones/{ZONES[0]}/instances/one-of-it", labels=mine.labels, metadata=by)
    mine.make(f"zones/{ZONES[0]}/instanceGroups/k8s-ig--{mine.uid}")
    for collection in ("backendServices", "healthChecks", "urlMaps", "networkEndpointGroups", "addresses",
                       "forwardingRules", "targetHttpProxies", "targetHttpsProxies", "targetTcpProxies",
                       "sslCertificates"):  # fmt: skip
        for place in ("global", f"regions/{ours.region}"):
            mine.make(f"{place}/{collection}/k8s2-{mine.second}-shop-{place[:6]}-x")
    mine.cluster()
    parent = record("main", network="10.99.0.0/20")
    theirs = Planted(account, parent)
    theirs.own_network()
    theirs.cluster(network_config={"network": theirs.network, "subnetwork": theirs.made[1]})
    return ours, parent


def looked(ours: Record, parent: Record) -> str:
    """All questions; what is said to a person of a new cluster."""
    gke.parts(ours, None)
    gke.footprint(ours, None)
    gke.unknown(ours, {}, None)
    rows = gke.preflight(spec(), of_parent(parent), section(), parent)
    return " ".join(f"{row.found} {row.hint}" for row in rows)


def taken_away(ours: Record, footprint: Footprint) -> None:
    gke.drain(ours, None, None)
    gke.reclaim(ours, footprint, None)
    assert gke.sweep(ours, Footprint(), None).left == ()


# Google does not refuse without it: it leaves the authority out.
NOT_REFUSED = "container.clusters.getCredentials"


class Denied:
    """The project without some rights: a call that needs one of them is refused, by which door it may come."""

    def __init__(self, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rights: set[str] = set()
        one, asked = threading.RLock(), Google._asked

        def asking(google: Google, call: google_errors.Call, method: str, ask: Any) -> Any:
            with one:  # so that what is asked just now is of this call
                lacking = " and ".join(sorted(self.rights & {*call.rights}))
                no = refused(403, f"Required {lacking} permission", "forbidden") if lacking else None
                account.script = lambda _: no
                try:
                    return asked(google, call, method, ask)
                finally:
                    account.script = lambda _: None

        monkeypatch.setattr(Google, "_asked", asking)


def written() -> set[str]:
    return set(json.loads(POLICY.read_text(encoding="utf-8"))["includedPermissions"])


def test_each_right_to_look_is_missed_by_its_name(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Taken away one by one."""
    ours, parent = surrounded(account)
    denied, unnoticed = Denied(account, monkeypatch), []
    told = looked(ours, parent)
    assert not [right for right in written() if right in told]
    for right in sorted(it for it in written() - {NOT_REFUSED} if it.endswith((".get", ".list"))):
        denied.rights = {right}
        try:
            noticed = right in looked(ours, parent)
        except GoogleDenied as error:
            noticed = right == error.permission
        if not noticed:
            unnoticed.append(right)
    assert unnoticed == []


def test_each_right_to_take_away_is_missed_by_its_name(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """None is there at first; each is given once it was asked for, and what it was for is then gone."""
    ours, _ = surrounded(account)
    seen = gke.footprint(ours, None)
    denied = Denied(account, monkeypatch)
    denied.rights = {it for it in written() if not it.endswith((".get", ".list"))} - {NOT_REFUSED}
    while denied.rights:
        with pytest.raises(GoogleDenied) as raised:
            taken_away(ours, seen)
        by_google = {right for right in denied.rights if right in raised.value.why}
        named = {raised.value.permission} & denied.rights or by_google
        assert named
        denied.rights -= named
    taken_away(ours, seen)
