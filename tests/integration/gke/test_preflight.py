"""Everything that can be known before the first paid minute, and each way in which it can be bad."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from karrots.fleet.record import Parent
from karrots.providers import gke
from karrots.spec.cluster import load_cluster
from karrots.spec.fleet import Gke
from tests.integration.gke.test_account import except_login, logged_out
from tests.integration.gke.test_sweep import record
from tests.support.gke_account.account import (
    PROJECT,
    REGION,
    ZONES,
    Account,
    Asked,
    Said,
    refused,
    switched_off,
)
from tests.support.gke_account.planted import Planted

if TYPE_CHECKING:
    from karrots.fleet.record import Record
    from karrots.providers.base import Check
    from karrots.spec.cluster import ClusterSpec


def spec(text: str = "", *, version: str = "1.36", size: str = "e2-standard-4", count: int = 2) -> ClusterSpec:
    return load_cluster(
        f"apiVersion: karrots.dev/v1\nkind: Cluster\nprovider: gke\nkubernetes: '{version}'\n"
        f"nodes:\n  default:\n    size: {size}\n    count: {count}\n{text}",
        "cluster.yaml",
    )


def section(**changes: Any) -> Gke:
    return Gke(**{"project": PROJECT, "region": REGION, **changes})


def ours(**changes: Any) -> Record:
    return record("qa", network="10.64.0.0/20", **changes)


def rows(
    content: ClusterSpec | None = None,
    of: Record | None = None,
    settings: Gke | None = None,
    parent: Record | None = None,
) -> dict[str, Check]:
    found = gke.preflight(content or spec(), of or ours(), settings or section(), parent)
    return {row.what: row for row in found}


def bad(found: dict[str, Check]) -> dict[str, Check]:
    return {what: row for what, row in found.items() if not row.ok}


def test_a_project_where_all_is_well(account: Account) -> None:
    found = rows()
    assert bad(found) == {}
    assert set(found) == {
        "Google login", "Google credentials", "project", "Google APIs", "region", "cluster name", "Kubernetes version",
        "zones", "machine type e2-standard-4", "address range", "quota CPUS", "quota IN_USE_ADDRESSES",
        "quota SSD_TOTAL_GB", "quota NETWORKS", "quota SUBNETWORKS", "quota FIREWALLS",
    }  # fmt: skip
    assert all(row.found for row in found.values())
    assert found["Kubernetes version"].found == "1.36.2-gke.1004000 of the regular channel"


def test_without_settings_it_says_what_to_write() -> None:
    (row,) = gke.preflight(spec(), ours(), None, None)
    assert not row.ok
    assert "karrots.yaml" in row.hint


def test_the_extra_is_named_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.auth", None)
    (row,) = gke.preflight(spec(), ours(), section(), None)
    assert (row.what, row.ok, row.hint) == ("Google SDK", False, "pip install 'karrots[gcp]'")


def test_nobody_logged_in_is_one_row(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    logged_out(monkeypatch)
    found = rows()
    assert set(found) == {"Google login"}
    assert "gcloud auth application-default login" in found["Google login"].hint


def test_a_log_in_that_has_ended_is_one_row(account: Account) -> None:
    account.script = except_login(refused(401, "Request had invalid authentication credentials."))
    found = bad(rows())
    assert set(found) == {"project"}
    assert "has ended" in found["project"].found
    assert "login" in found["project"].hint


def test_a_project_that_is_not_ours_is_one_row(account: Account) -> None:
    found = rows(of=ours(account="someone-elses"))
    assert set(bad(found)) == {"project"}
    assert set(found) == {"Google login", "Google credentials", "project"}
    assert "someone-elses" in found["project"].found


def test_credentials_that_end_soon_are_told(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    account.tokens.add("ya29.given")
    monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", "ya29.given")
    assert bad(rows()) == {}
    account.lasts = 900
    row = bad(rows())["Google credentials"]
    assert row.found == "an access token, ends in 15 min"
    assert "login" in row.hint


def test_an_api_that_is_off_is_told_once(account: Account) -> None:
    account.apis.discard("container")
    account.script = lambda asked: switched_off("container") if asked.service == "container" else None
    found = bad(rows())
    assert set(found) == {"Google APIs"}
    assert "container" in found["Google APIs"].found
    assert f"gcloud services enable container.googleapis.com --project {PROJECT}" in found["Google APIs"].hint


def test_a_region_that_does_not_exist(account: Account) -> None:
    found = rows(of=ours(region="europe-nowhere1"))
    assert set(bad(found)) == {"region"}
    assert set(found) == {"Google login", "Google credentials", "project", "Google APIs", "region"}
    assert "no region 'europe-nowhere1'" in found["region"].found
    assert REGION in found["region"].hint


def test_a_zone_in_place_of_a_region(account: Account) -> None:
    row = rows(of=ours(region=ZONES[0]))["region"]
    assert row.found == f"there is no region '{ZONES[0]}', did you mean '{REGION}'?"


def test_a_region_that_is_closed_to_the_project(account: Account) -> None:
    """Google lists it all the same, and allows nothing in it."""
    account.quotas = dict.fromkeys(account.quotas, (0, 0))
    found = bad(rows())
    assert set(found) == {"quota CPUS", "quota IN_USE_ADDRESSES", "quota SSD_TOTAL_GB"}
    assert f"ask for more CPUS in {REGION}" in found["quota CPUS"].hint


def test_a_region_that_is_down(account: Account) -> None:
    found = bad(rows(of=ours(region="europe-west4")))
    assert set(found) == {"region"}
    assert "is down" in found["region"].found


@pytest.mark.parametrize("version", ["1.29", "1.37"])
def test_a_version_that_the_channel_does_not_have(account: Account, version: str) -> None:
    row = bad(rows(spec(version=version)))["Kubernetes version"]
    assert f"the regular channel has no {version}" in row.found
    assert "1.36, 1.35" in row.hint
    assert bad(rows(spec("gke: {channel: RAPID}\n", version="1.37"))) == {}


def test_a_made_cluster_may_be_older_than_the_channel(account: Account) -> None:
    of = ours()
    Planted(account, of).cluster()
    assert bad(rows(spec(version="1.34"), of=of)) == {}


@pytest.mark.parametrize(
    ("quota", "limit", "content"),
    [
        ("CPUS", 7, ""),
        ("IN_USE_ADDRESSES", 0, ""),
        ("IN_USE_ADDRESSES", 1, "network: {nat: none}\n"),
        ("SSD_TOTAL_GB", 199, ""),
    ],
)
def test_a_quota_of_the_region_that_is_used_up(account: Account, quota: str, limit: int, content: str) -> None:
    """Two e2-standard-4 have eight cores and 200 GiB of disk."""
    account.quotas[quota] = (limit, 0)
    found = bad(rows(spec(content)))
    assert set(found) == {f"quota {quota}"}
    assert f"0 of {limit} used" in found[f"quota {quota}"].found
    assert "iam-admin/quotas" in found[f"quota {quota}"].hint
    assert "karrots ls" in found[f"quota {quota}"].hint
    account.quotas[quota] = (limit + 1, 0)
    assert bad(rows(spec(content))) == {}


@pytest.mark.parametrize("quota", ["NETWORKS", "SUBNETWORKS", "FIREWALLS"])
def test_a_quota_of_the_project_that_is_used_up(account: Account, quota: str) -> None:
    account.global_quotas[quota] = (5, 5)
    assert set(bad(rows())) == {f"quota {quota}"}
    assert bad(rows(spec("network: {mode: shared}\n"), parent=None)).keys() == {"network"}


def test_a_family_of_machines_has_a_quota_of_its_own(account: Account) -> None:
    account.quotas["CPUS"] = (0, 0)
    content = spec("network: {zones: 1}\n", size="n2-standard-8", count=9)
    assert bad(rows(content)).keys() == {"quota SSD_TOTAL_GB"}
    account.quotas["N2_CPUS"] = (71, 0)
    assert bad(rows(content)).keys() == {"quota SSD_TOTAL_GB", "quota N2_CPUS"}


def test_spot_machines_count_as_others_where_the_project_has_no_quota_for_them(account: Account) -> None:
    account.quotas["CPUS"] = (0, 0)
    content = spec("    spot: true\n")
    assert bad(rows(content)).keys() == {"quota CPUS"}
    account.quotas["PREEMPTIBLE_CPUS"] = (100, 0)
    assert bad(rows(content)) == {}


def test_what_is_made_already_needs_no_more(account: Account) -> None:
    of = ours()
    Planted(account, of).cluster()
    account.quotas |= dict.fromkeys(account.quotas, (0, 0))
    account.global_quotas |= dict.fromkeys(account.global_quotas, (0, 0))
    found = rows(of=of)
    assert bad(found) == {}
    assert found["cluster name"].found == "qa (made)"


def test_autopilot_brings_its_own_machines(account: Account) -> None:
    account.quotas["CPUS"] = (0, 0)
    found = rows(spec("gke: {autopilot: true}\n", size="x9-huge-1"))
    assert bad(found) == {}
    assert found["machine types"].found == "Autopilot chooses"


def test_a_machine_that_the_region_does_not_have(account: Account) -> None:
    row = bad(rows(spec(size="x9-huge-1")))["machine type x9-huge-1"]
    assert "cluster.yaml" in row.hint


def test_a_machine_that_one_of_the_zones_does_not_have(account: Account) -> None:
    row = bad(rows(spec(size="n2-standard-8")))["machine type n2-standard-8"]
    assert row.found == f"not in {ZONES[1]}"
    assert ZONES[0] in row.hint
    assert bad(rows(spec("network: {zones: 1}\n", size="n2-standard-8"))) == {}


def test_more_zones_than_there_are(account: Account) -> None:
    row = bad(rows(spec("network: {zones: 4}\n")))["zones"]
    assert row.found == "3 of 4 needed"
    assert "to 3 or less" in row.hint


def of_parent(parent: Record) -> Record:
    return ours(parent=Parent(name=parent.name, id=parent.id, commit="0" * 40))


def test_a_range_that_overlaps_the_one_the_parent_leased(account: Account) -> None:
    parent = record("parent", network="10.64.8.0/21")
    row = bad(rows(of=of_parent(parent), parent=parent))["address range"]
    assert "10.64.8.0/21 of 'parent'" in row.found


def test_a_range_that_overlaps_what_the_parent_has_by_now(account: Account) -> None:
    """Somebody gave its subnet a second range."""
    parent = record("parent", network="10.99.0.0/20")
    theirs = Planted(account, parent)
    theirs.own_network()
    subnet = next(path for path in theirs.made if "subnetworks" in path)
    account.compute[subnet]["secondaryIpRanges"] = [{"rangeName": "pods", "ipCidrRange": "10.99.0.0/21"}]
    theirs.cluster(network_config={"network": theirs.network, "subnetwork": subnet})
    assert bad(rows(of=of_parent(parent), parent=parent)) == {}
    account.compute[subnet]["secondaryIpRanges"].append({"rangeName": "more", "ipCidrRange": "10.64.0.0/16"})
    assert "overlaps 10.64.0.0/16" in bad(rows(of=of_parent(parent), parent=parent))["address range"].found


def test_a_parents_network_is_shared_while_the_parent_is_there(account: Account) -> None:
    parent = record("parent", network="10.99.0.0/20")
    shared = spec("network: {mode: shared}\n")
    assert "no parent" in bad(rows(shared))["network"].found
    assert "not in GKE" in bad(rows(shared, of_parent(parent), parent=parent))["network"].found
    theirs = Planted(account, parent)
    theirs.own_network()
    theirs.cluster()
    found = rows(shared, of_parent(parent), parent=parent)
    assert bad(found) == {}
    assert found["network"].found == f"{theirs.network.rpartition('/')[2]} of 'parent'"


def test_a_private_cluster_that_nobody_can_try_is_refused(account: Account) -> None:
    row = bad(rows(spec("network: {api: private}\n")))["API server"]
    assert "nothing yet to try" in row.found
    assert "network.api: public" in row.hint


def test_a_private_cluster_that_is_made_is_tried(account: Account) -> None:
    of = ours()
    Planted(account, of).cluster(endpoint="127.0.0.1:9")
    row = bad(rows(spec("network: {api: private}\n"), of=of))["API server"]
    assert row.found.startswith("https://127.0.0.1:9: ")


def test_a_private_cluster_in_the_parents_network_is_tried_by_the_parent(account: Account) -> None:
    parent = record("parent", network="10.99.0.0/20")
    Planted(account, parent).cluster(endpoint="127.0.0.1:9")
    content = spec("network: {api: private, mode: shared}\n")
    row = bad(rows(content, of_parent(parent), parent=parent))["API server"]
    assert "https://127.0.0.1:9" in row.found


def test_a_name_that_another_cluster_has(account: Account) -> None:
    Planted(account, record("qa")).cluster()
    row = bad(rows())["cluster name"]
    assert "not of this fleet's record" in row.found
    assert ZONES[0] in row.hint


def test_what_may_not_be_looked_at_is_no_reason_to_stop(account: Account) -> None:
    account.script = lambda asked: (
        refused(403, "Permission denied to list services", "forbidden") if asked.service == "serviceusage" else None
    )
    found = rows()
    assert bad(found) == {}
    assert "not looked at" in found["Google APIs"].found
    assert "serviceusage.services.list" in found["Google APIs"].hint


def test_a_service_that_answers_garbage_is_told_in_its_row(account: Account) -> None:
    def answer(asked: Asked) -> Said | None:
        return Said(200, b"<html>", "text/html") if asked.path.endswith("serverConfig") else None

    account.script = answer
    found = bad(rows())
    assert set(found) == {"Kubernetes version"}
    assert "no answer" in found["Kubernetes version"].found
    assert found["Kubernetes version"].hint


def test_throttling_is_told_in_its_row(account: Account, pauses: list[float]) -> None:
    account.script = lambda asked: refused(429, "slow down") if asked.service == "serviceusage" else None
    assert set(bad(rows())) == {"Google APIs"}
    assert pauses


def test_nothing_is_changed(account: Account) -> None:
    rows()
    assert {it.method for it in account.asked if it.service != "oauth2"} == {"GET"}


def test_a_dns_zone_that_is_not_the_projects(account: Account) -> None:
    content = spec("services: {external-dns: {}}\n")
    row = bad(rows(content, of=ours(domain="qa.example.org")))["DNS zone"]
    assert f"no zone of project {PROJECT} holds qa.example.org" in row.found
    account.managed_zone("ours", "example.org")
    assert rows(content, of=ours(domain="qa.example.org"))["DNS zone"].found == "example.org holds qa.example.org"
