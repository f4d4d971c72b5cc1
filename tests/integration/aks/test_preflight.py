"""Everything that can be known before the first paid minute, and each way in which it can be bad."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from karrots.adapters.endpoint import Reach
from karrots.errors import UsageError
from karrots.fleet.record import Parent
from karrots.providers import aks, aks_preflight, endpoint
from karrots.spec.clouds import check
from karrots.spec.cluster import load_cluster
from karrots.spec.fleet import Aks
from tests.support.aks_account.account import (
    CA,
    REGION,
    SUBSCRIPTION,
    TENANT,
    Account,
    denied,
    refused,
    role,
    size,
    usage,
)
from tests.support.aks_account.planted import Planted
from tests.support.records import record as made_up

if TYPE_CHECKING:
    from karrots.fleet.record import Record
    from karrots.providers.base import Check
    from karrots.spec.cluster import ClusterSpec
    from tests.support.aks_account.world import AzureWorld

NETWORK_ROWS = {"virtual networks", "NAT gateways", "public IPs"}


def spec(text: str = "", *, version: str = "1.36", machine: str = "Standard_D4s_v5", count: int = 2) -> ClusterSpec:
    return load_cluster(
        f"apiVersion: karrots.dev/v1\nkind: Cluster\nprovider: aks\nkubernetes: '{version}'\n"
        f"nodes:\n  default:\n    size: {machine}\n    count: {count}\n{text}",
        "cluster.yaml",
    )


def record(name: str = "qa", **changes: Any) -> Record:
    plain = made_up(name, provider="aks", region=REGION, account=SUBSCRIPTION, network="10.64.0.0/20")
    return replace(plain, **changes)


def section(**changes: Any) -> Aks:
    return Aks(**{"subscription": SUBSCRIPTION, "tenant": TENANT, "region": REGION, **changes})


def rows(
    content: ClusterSpec | None = None,
    of: Record | None = None,
    settings: Aks | None = None,
    parent: Record | None = None,
) -> dict[str, Check]:
    return {row.what: row for row in aks.preflight(content or spec(), of or record(), settings or section(), parent)}


def bad(found: dict[str, Check]) -> dict[str, Check]:
    return {what: row for what, row in found.items() if not row.ok}


def test_a_subscription_where_all_is_well(world: AzureWorld) -> None:
    found = rows()
    assert bad(found) == {}
    assert {"Azure login", "Azure credentials", "Azure region", "resource providers", "rights", "cluster name",
            "Kubernetes version", "machine size Standard_D4s_v5", "address range", "vCPUs (cores)",
            "vCPUs (standardDSv5Family)", "AKS clusters"} | NETWORK_ROWS == set(found)  # fmt: skip
    assert all(row.found for row in found.values())


def test_without_settings_it_says_what_to_write() -> None:
    (row,) = aks.preflight(spec(), record(), None, None)
    assert not row.ok
    assert "karrots.yaml" in row.hint


def test_the_extra_is_named_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    (row,) = aks.preflight(spec(), record(), section(), None)
    assert (row.ok, row.hint) == (False, "pip install 'karrots[azure]'")


def test_nobody_logged_in_is_one_row(account: Account) -> None:
    account.logged_in = False
    found = rows()
    assert set(found) == {"Azure login"}
    assert "az login" in found["Azure login"].hint


def test_an_expired_log_in_is_one_row(account: Account) -> None:
    account.script = lambda _: refused("ExpiredAuthenticationToken", 401)
    found = rows()
    assert set(found) == {"Azure login"}
    assert "has ended" in found["Azure login"].found


def test_a_subscription_that_is_not_seen_is_one_row(world: AzureWorld) -> None:
    found = rows(of=record(account="00000000-0000-4000-8000-000000000002"))
    assert set(found) == {"Azure login"}
    assert "000000000002" in found["Azure login"].found


def test_another_tenant_is_one_row(world: AzureWorld) -> None:
    found = rows(settings=section(tenant="elsewhere"))
    assert set(found) == {"Azure login"}
    assert "elsewhere" in found["Azure login"].found


def test_a_subscription_that_is_switched_off(account: Account) -> None:
    account.state = "Disabled"
    assert "disabled" in bad(rows())["Azure login"].found


def test_credentials_that_end_soon_are_told(world: AzureWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token given to a job lasts as long as the job's maker thought."""
    found = aks_preflight.lasting(_given(monkeypatch), 600.0)
    assert (found.ok, found.found) == (False, "a federated token, ends in 10 min")
    assert "az login" in found.hint
    assert aks_preflight.lasting(_given(monkeypatch), 4000.0).ok


def _given(monkeypatch: pytest.MonkeyPatch) -> Any:
    from karrots.adapters.azure import Azure

    monkeypatch.setenv("ARM_OIDC_TOKEN", "x")
    return Azure(SUBSCRIPTION)


def test_a_region_that_does_not_exist_is_told_with_those_that_do(world: AzureWorld) -> None:
    found = bad(rows(of=record(region="westeurop")))
    assert set(found) == {"Azure region"}
    assert "westeurope" in found["Azure region"].hint


@pytest.mark.parametrize("written", ["West Europe", "WestEurope", "west-europe"])
def test_a_region_that_is_written_as_people_read_it(world: AzureWorld, written: str) -> None:
    row = rows(of=record(region=written))["Azure region"]
    assert row.found.endswith("did you mean 'westeurope'?")
    assert "westeurope" in row.hint


def test_a_region_without_aks_is_told_with_those_that_have_it(world: AzureWorld) -> None:
    """It is a region of the subscription; Azure would say so only after the network is made."""
    found = rows(of=record(region="westus"))
    assert set(bad(found)) == {"Azure region"}
    assert set(found) == {"Azure login", "Azure credentials", "Azure region"}
    assert "AKS is not offered in 'westus'" in found["Azure region"].found
    assert found["Azure region"].hint.endswith("karrots.yaml: westeurope")
    world.account.aks_places.append("West US")
    assert rows(of=record(region="westus"))["Azure region"].ok


def test_where_azure_does_not_say_which_regions_have_aks_none_is_refused(account: Account) -> None:
    del account.registered["Microsoft.ContainerService"]
    found = rows()
    assert found["Azure region"].ok
    assert set(bad(found)) == set()


def test_resource_providers_that_terraform_registers(account: Account) -> None:
    account.registered["Microsoft.ContainerService"] = False
    row = rows()["resource providers"]
    assert (row.ok, row.found) == (True, "Terraform registers Microsoft.ContainerService")


def test_resource_providers_that_nobody_here_may_register(account: Account) -> None:
    account.registered["Microsoft.ContainerService"] = False
    account.roles = [role("*", without=["*/register/action"])]
    row = bad(rows())["resource providers"]
    assert "az provider register --namespace Microsoft.ContainerService" in row.hint


def test_the_right_to_give_roles(account: Account) -> None:
    """A contributor may make everything, and give nobody a role."""
    account.roles = [role("*", without=["Microsoft.Authorization/*/Write", "Microsoft.Authorization/*/Delete"])]
    found = bad(rows())
    assert set(found) == {"rights"}
    assert found["rights"].found.endswith("may not Microsoft.Authorization/roleAssignments/write")
    assert "Role Based Access Control Administrator" in found["rights"].hint


def test_a_reader_may_make_nothing(account: Account) -> None:
    account.roles = [role("*/read")]
    assert "'Contributor'" in bad(rows())["rights"].hint


@pytest.mark.parametrize("version", ["1.29", "1.37", "1.31"])
def test_a_version_that_is_not_on_offer(world: AzureWorld, version: str) -> None:
    """Not any more, not yet, or only for those who pay for longer support."""
    row = bad(rows(spec(version=version)))["Kubernetes version"]
    assert version in row.found
    assert row.hint.endswith("1.36, 1.35")


def test_a_cluster_that_is_made_may_be_older_than_what_is_on_offer_to_all(world: AzureWorld) -> None:
    of = record()
    Planted(world.account, of).cluster()
    assert rows(spec(version="1.31"), of)["Kubernetes version"].ok


def test_a_size_the_region_does_not_have(world: AzureWorld) -> None:
    row = bad(rows(spec(machine="Standard_D4s_v9")))["machine size Standard_D4s_v9"]
    assert row.found == "westeurope has none"


def test_a_size_that_is_closed_to_the_subscription(account: Account) -> None:
    closed = [{"type": "Location", "reasonCode": "NotAvailableForSubscription"}]
    account.sizes = [size("Standard_D4s_v5", "standardDSv5Family", 4, restrictions=closed)]
    assert "NotAvailableForSubscription" in bad(rows())["machine size Standard_D4s_v5"].found


def test_a_size_that_is_not_in_every_zone(world: AzureWorld) -> None:
    content = spec("network:\n  zones: 3\n", machine="Standard_D2s_v5")
    assert bad(rows(content))["machine size Standard_D2s_v5"].found == "not in zone 3 of westeurope"


def test_a_size_that_one_zone_is_closed_for(account: Account) -> None:
    closed = [{"type": "Zone", "reasonCode": "X", "restrictionInfo": {"zones": ["1"]}}]
    account.sizes = [size("Standard_D4s_v5", "standardDSv5Family", 4, restrictions=closed)]
    assert bad(rows())["machine size Standard_D4s_v5"].found == "not in zone 1 of westeurope"
    assert bad(rows(spec("network:\n  zones: 1\n"))) == {}


def test_a_size_that_is_too_small(world: AzureWorld) -> None:
    assert "needs 2" in bad(rows(spec(machine="Standard_F1s")))["machine size Standard_F1s"].found


def test_the_b_series_is_refused_before_and_here(account: Account) -> None:
    account.sizes.append(size("Standard_B4ms", "standardBSFamily", 4))
    assert "B series" in bad(rows(spec(machine="Standard_B4ms")))["machine size Standard_B4ms"].found
    with pytest.raises(UsageError):
        check(spec(machine="Standard_B4ms"), "aks")


@pytest.mark.parametrize(
    ("kind", "what"), [("cores", "vCPUs (cores)"), ("standardDSv5Family", "vCPUs (standardDSv5Family)")]
)
def test_machines_that_a_quota_has_no_room_for(account: Account, kind: str, what: str) -> None:
    account.compute = [usage("cores", 10, 100), usage("standardDSv5Family", 4, 100), usage(kind, 93, 100)]
    found = bad(rows())
    assert set(found) == {what}
    assert found[what].found == "93 of 100 used, 8 more needed"
    assert "karrots ls" in found[what].hint


def test_spot_machines_have_a_quota_of_their_own(account: Account) -> None:
    account.compute = [usage("cores", 92, 100), usage("standardDSv5Family", 0, 8), usage("lowPriorityCores", 0, 3)]
    text = "  cheap:\n    size: Standard_D4s_v5\n    count: 1\n    spot: true\n"
    assert set(bad(rows(spec(text)))) == {"vCPUs (lowPriorityCores)"}


@pytest.mark.parametrize(
    ("kind", "what"),
    [("VirtualNetworks", "virtual networks"), ("NatGateways", "NAT gateways"),
     ("IPv4StandardSkuPublicIpAddresses", "public IPs"), ("StandardSkuPublicIpAddresses", "public IPs")],
)  # fmt: skip
def test_a_network_that_a_quota_has_no_room_for(account: Account, kind: str, what: str) -> None:
    account.network = [usage(kind, 5, 5)]
    assert set(bad(rows())) == {what}


SHARED = "network:\n  mode: shared\n"
PRIVATE = "  api: private\n"


@pytest.fixture
def parent(world: AzureWorld) -> Record:
    """A cluster that lives."""
    made = Planted(world.account, record("parent", network="10.99.0.0/16"))
    made.own_group()
    made.cluster()
    return made.record


def test_a_parents_network_takes_no_quota(account: Account, parent: Record) -> None:
    account.network = [usage("VirtualNetworks", 5, 5), usage("NatGateways", 5, 5), usage("PublicIPAddresses", 5, 5)]
    found = rows(spec(SHARED), of=of_parent(parent), parent=parent)
    assert bad(found) == {}
    assert found["network"].found.endswith("/subnets/nodes of 'parent'")


def test_a_network_of_a_parent_that_is_not_there(world: AzureWorld) -> None:
    assert "no parent that lives" in bad(rows(spec(SHARED)))["network"].found
    gone = record("parent", network="10.99.0.0/16")
    row = bad(rows(spec(SHARED), of=of_parent(gone), parent=gone))["network"]
    assert (row.found, row.hint) == ("it is to be that of 'parent', which AKS does not have", "karrots status parent")


@pytest.mark.parametrize("elsewhere", [{"region": "westus"}, {"account": "00000000-0000-4000-8000-000000000002"}])
def test_a_network_that_is_elsewhere(world: AzureWorld, parent: Record, elsewhere: dict[str, str]) -> None:
    other = replace(parent, **elsewhere)  # type: ignore[arg-type]
    row = bad(rows(spec(SHARED), of=of_parent(other), parent=other))["network"]
    assert next(iter(elsewhere.values())) in row.found


def test_a_private_api_server_that_nobody_knows_a_way_to(world: AzureWorld) -> None:
    row = bad(rows(spec("network:\n" + PRIVATE)))["API server"]
    assert row.found == "it will be private, and there is nothing yet to try the way to it with"
    assert "set 'network.api: public' in cluster.yaml" in row.hint


def test_a_private_api_server_beside_one_that_cannot_be_reached(
    world: AzureWorld, parent: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def reached(server: str, ca: str) -> Reach:
        tried.append(server)
        return Reach(server, "timeout", "nobody answers", "10.99.1.2")

    monkeypatch.setattr(endpoint, "reachable", reached)
    row = bad(rows(spec(SHARED + PRIVATE), of=of_parent(parent), parent=parent))["API server"]
    assert row.found == f"private, and {tried[0]}: nobody answers"


def test_of_a_private_cluster_that_is_made_the_way_is_tried(world: AzureWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = Planted(world.account, record())
    ours.cluster(privateFQDN="qa.private.example.com", apiServerAccessProfile={"enablePrivateCluster": True})
    asked: list[str] = []

    def reached(server: str, ca: str, **_: object) -> Reach:
        asked.append(f"{server} {ca}")
        return Reach(server, "timeout", "silence", "10.20.0.9")

    monkeypatch.setattr(endpoint, "reachable", reached)
    row = bad(rows(spec("network:\n" + PRIVATE), of=ours.record))["API server"]
    assert row.found.endswith(": silence")
    assert "a VPN" in row.hint
    assert asked == [f"https://qa.private.example.com:443 {CA}"]


def test_what_the_cluster_has_is_not_counted_twice(world: AzureWorld) -> None:
    """Also where only its network is made."""
    world.account.network = [usage("VirtualNetworks", 5, 5), usage("NatGateways", 5, 5)]
    of = record()
    made = Planted(world.account, of)
    made.own_group()
    assert bad(rows(of=of)) == {}
    made.cluster()
    world.account.compute = [usage("cores", 100, 100), usage("standardDSv5Family", 100, 100)]
    found = rows(of=of)
    assert bad(found) == {}
    assert found["cluster name"].found == "qa (made)"


def test_a_quota_that_azure_does_not_tell_is_no_reason_to_stop(account: Account) -> None:
    account.compute, account.network = [], []
    found = rows()
    assert bad(found) == {}
    assert "does not say" in found["vCPUs (cores)"].found


def test_a_group_of_that_name_that_is_anothers(world: AzureWorld) -> None:
    of = record()
    world.account.group(Planted(world.account, of).names["resource_group"])
    row = bad(rows(of=of))["cluster name"]
    assert "az group show" in row.hint


def of_parent(parent: Record) -> Record:
    return record("qa", parent=Parent(name=parent.name, id=parent.id, commit="0" * 40))


def test_a_range_that_overlaps_what_the_parent_leased(world: AzureWorld) -> None:
    parent = record("parent", network="10.64.8.0/21")
    row = bad(rows(of=of_parent(parent), parent=parent))["address range"]
    assert row.found == "10.64.0.0/20 overlaps 10.64.8.0/21 of 'parent'"


def test_a_range_that_overlaps_what_somebody_added_to_the_parents_network(world: AzureWorld) -> None:
    parent = record("parent", network="10.99.0.0/16")
    made = Planted(world.account, parent)
    made.own_group()
    made.cluster()
    found = rows(of=of_parent(parent), parent=parent)
    assert found["address range"].found == "10.64.0.0/20, beside 10.99.0.0/16"
    network = world.account.kept[made.subnet.partition("/subnets/")[0].lower()]
    network["properties"]["addressSpace"]["addressPrefixes"].append("10.64.0.0/16")
    assert "overlaps 10.64.0.0/16" in bad(rows(of=of_parent(parent), parent=parent))["address range"].found


@pytest.mark.parametrize(
    ("path", "what"),
    [("permissions", "rights"), ("kubernetesVersions", "Kubernetes version"), ("skus", "machine sizes"),
     ("Microsoft.Network/locations", "network quotas"), ("Microsoft.Compute/locations", "vCPUs")],
)  # fmt: skip
def test_what_may_not_be_looked_at_is_said_and_stops_nobody(account: Account, path: str, what: str) -> None:
    account.script = lambda it: denied("x") if path in it.path else None
    found = rows()
    assert bad(found) == {}
    assert "not looked at" in found[what].found
    assert "docs/providers.md" in found[what].hint


def test_garbage_is_a_row_of_its_own(account: Account) -> None:
    from tests.support.aks_account.account import Said

    account.script = lambda it: Said(200, b"<html>") if "kubernetesVersions" in it.path else None
    found = bad(rows())
    assert set(found) == {"Kubernetes version"}
    assert "no answer" in found["Kubernetes version"].found


def test_throttling_is_waited_for(account: Account, pauses: list[float]) -> None:
    left = [refused("TooManyRequests", 429, Retry_After="3")]
    account.script = lambda _: left.pop() if left else None
    assert bad(rows()) == {}
    assert pauses == [3.0]


def test_nothing_is_changed(world: AzureWorld) -> None:
    before = world.inventory()
    rows()
    assert {it.method for it in world.account.asked} == {"GET"}
    assert world.inventory() == before


def test_a_dns_zone_that_is_not_the_subscriptions(world: AzureWorld) -> None:
    content = spec("services: {external-dns: {resource_group: dns}}\n")
    row = bad(rows(content, of=record(domain="qa.example.org")))["DNS zone"]
    assert f"no zone of subscription {SUBSCRIPTION} holds qa.example.org" in row.found
    assert "az network dns zone create --name example.org" in row.hint
