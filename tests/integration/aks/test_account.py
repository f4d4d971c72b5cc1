"""The door to Azure against a subscription on loopback."""

from __future__ import annotations

import json
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from karrots import clock, effects, faults
from karrots.adapters import azure as door
from karrots.adapters import azure_account, azure_aks, azure_login
from karrots.adapters.azure import Azure
from karrots.adapters.azure_errors import (
    AzureDenied,
    AzureExpired,
    AzureExtraMissing,
    AzureGarbled,
    AzureLoginNeeded,
    AzureRejected,
    AzureThrottled,
    AzureWrongSubscription,
    action_of,
)
from karrots.adapters.rest import Unreachable
from karrots.errors import ExitCode, KarrotsError, PreflightFailed, TimedOut
from tests.support.aks_account.account import (
    AKS,
    CA,
    HOME,
    SUBSCRIPTION,
    TENANT,
    Account,
    Asked,
    Said,
    claims_of,
    denied,
    jwt,
    refused,
    said,
)
from tests.support.aks_account.planted import Planted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.aks_account.world import AzureWorld

GROUP = f"{HOME}/resourceGroups/volumes"
DISK = f"{GROUP}/providers/Microsoft.Compute/disks/pvc-1"


def by_rest(azure: Azure) -> object:
    return azure_account.subscription(azure)


def by_sdk(azure: Azure) -> object:
    return azure_aks.cluster(azure, "g", "qa")


BOTH = pytest.mark.parametrize("ask", [by_rest, by_sdk])


def test_it_says_who_is_logged_in_and_where(azure: Azure) -> None:
    found = azure_account.subscription(azure, TENANT)
    assert (found.id, found.tenant, found.usable) == (SUBSCRIPTION, TENANT, True)
    who = azure_account.caller(azure)
    assert (who.who, who.tenant) == ("ada@example.com", TENANT)
    assert 0 < who.seconds <= 3600


def test_a_subscription_that_the_log_in_does_not_see(world: AzureWorld) -> None:
    other = "00000000-0000-4000-8000-000000000002"
    with pytest.raises(AzureWrongSubscription, match=other) as caught:
        azure_account.subscription(Azure(other))
    assert caught.value.code == ExitCode.LOGIN_NEEDED
    assert "karrots.yaml" in caught.value.hint


def test_a_subscription_of_another_tenant(azure: Azure, account: Account) -> None:
    account.tenant = "elsewhere"
    with pytest.raises(AzureWrongSubscription, match="tenant elsewhere") as caught:
        azure_account.subscription(azure, TENANT)
    assert TENANT in caught.value.message


def test_a_token_of_another_tenant(azure: Azure, account: Account) -> None:
    account.script = lambda _: refused("InvalidAuthenticationTokenTenant", 401, "the wrong issuer")
    with pytest.raises(AzureWrongSubscription) as caught:
        azure_account.subscription(azure)
    assert "az login --tenant" in caught.value.hint


@BOTH
def test_nobody_logged_in_is_told_so(azure: Azure, account: Account, ask: Callable[[Azure], object]) -> None:
    account.logged_in = False
    with pytest.raises(AzureLoginNeeded, match="not logged in") as caught:
        ask(azure)
    assert caught.value.code == ExitCode.LOGIN_NEEDED
    assert "az login" in caught.value.hint


def test_without_az_nobody_is_logged_in(world: AzureWorld, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("ARM_USE_MSI")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AzureLoginNeeded) as caught:
        by_rest(Azure(SUBSCRIPTION))
    assert "CLI" in caught.value.why


def test_who_is_not_logged_in_is_asked_for_a_token_once(azure: Azure, account: Account) -> None:
    account.logged_in = False
    first, second = (pytest.raises(AzureLoginNeeded), pytest.raises(AzureLoginNeeded))
    with first as one:
        by_rest(azure)
    with second as other:
        by_sdk(azure)
    assert one.value is other.value


@pytest.mark.parametrize("module", ["azure.identity", "azure.mgmt.containerservice"])
def test_the_extra_is_named_when_it_is_missing(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(AzureExtraMissing) as caught:
        Azure(SUBSCRIPTION)
    assert caught.value.hint == "pip install 'karrots[azure]'"
    assert caught.value.code == ExitCode.PREFLIGHT_FAILED


@BOTH
@pytest.mark.parametrize(
    ("code", "status", "kind", "exit_code"),
    [
        ("ExpiredAuthenticationToken", 401, AzureExpired, ExitCode.LOGIN_NEEDED),
        ("AuthenticationFailed", 401, AzureLoginNeeded, ExitCode.LOGIN_NEEDED),
        ("AuthorizationFailed", 403, AzureDenied, ExitCode.FAILED),
        ("RequestDisallowedByPolicy", 403, AzureRejected, ExitCode.FAILED),
        ("SubscriptionNotFound", 404, AzureWrongSubscription, ExitCode.LOGIN_NEEDED),
        ("InternalServerError", 500, AzureRejected, ExitCode.FAILED),
    ],
)
def test_what_azure_says_becomes_a_kind(
    azure: Azure,
    account: Account,
    ask: Callable[[Azure], object],
    code: str,
    status: int,
    kind: type[KarrotsError],
    exit_code: ExitCode,
) -> None:
    account.script = lambda _: refused(code, status, "because")
    with pytest.raises(kind) as caught:
        ask(azure)
    assert type(caught.value) is kind
    assert caught.value.code == exit_code
    assert "because" in caught.value.why


@pytest.mark.parametrize(
    ("ask", "action"),
    [
        (by_rest, "Microsoft.Resources/subscriptions/read"),
        (by_sdk, "Microsoft.ContainerService/managedClusters/read"),
        (lambda it: azure_aks.authority(it, "g", "qa"),
         "Microsoft.ContainerService/managedClusters/listClusterUserCredential/action"),
        (lambda it: azure_account.network_usages(it, "x"), "Microsoft.Network/locations/usages/read"),
        (lambda it: it.delete(DISK, "2024-03-02"), "Microsoft.Compute/disks/delete"),
    ],
)  # fmt: skip
def test_a_denial_names_the_right_that_is_missing(
    azure: Azure, account: Account, ask: Callable[[Azure], object], action: str
) -> None:
    account.script = lambda _: denied("something")
    with pytest.raises(AzureDenied) as caught:
        ask(azure)
    assert caught.value.action == action
    assert action in caught.value.hint


@pytest.mark.parametrize(
    ("method", "path", "action"),
    [
        ("GET", f"{HOME}/resourceGroups", "Microsoft.Resources/subscriptions/resourceGroups/read"),
        ("DELETE", f"{HOME}/resourceGroups/x", "Microsoft.Resources/subscriptions/resourceGroups/delete"),
        ("GET", f"{HOME}/providers", "Microsoft.Resources/subscriptions/providers/read"),
        ("PUT", f"{GROUP}/providers/Microsoft.Network/dnsZones/z/A/x", "Microsoft.Network/dnsZones/A/write"),
    ],
)
def test_how_a_role_names_what_is_asked(method: str, path: str, action: str) -> None:
    assert action_of(method, path) == action


def first(answers: list[Said]) -> Callable[[Asked], Said | None]:
    return lambda _: answers.pop(0) if answers else None


@BOTH
def test_throttling_is_waited_for_as_long_as_the_server_asks(
    azure: Azure, account: Account, ask: Callable[[Azure], object], pauses: list[float]
) -> None:
    busy = refused("TooManyRequests", 429, Retry_After="7")
    account.script = first([busy, busy])
    ask(azure)
    assert pauses == [7.0, 7.0]


@BOTH
def test_throttling_that_does_not_end_is_given_up(
    azure: Azure, account: Account, ask: Callable[[Azure], object], pauses: list[float]
) -> None:
    account.script = lambda _: refused("TooManyRequests", 429, Retry_After="2")
    with pytest.raises(AzureThrottled) as caught:
        ask(azure)
    assert len(account.asked) == door.ATTEMPTS
    assert pauses == [2.0] * (door.ATTEMPTS - 1)
    assert caught.value.code == ExitCode.FAILED
    assert caught.value.hint


@BOTH
def test_a_pause_that_is_too_long_is_not_waited_for(
    azure: Azure, account: Account, ask: Callable[[Azure], object], pauses: list[float]
) -> None:
    account.script = lambda _: refused("TooManyRequests", 429, Retry_After="3600")
    with pytest.raises(AzureThrottled):
        ask(azure)
    assert pauses == []
    assert len(account.asked) == 1


@BOTH
def test_throttling_without_a_word_for_how_long_has_an_end_too(
    azure: Azure, account: Account, ask: Callable[[Azure], object], pauses: list[float]
) -> None:
    account.script = lambda _: refused("ServerBusy", 503)
    with pytest.raises(AzureThrottled):
        ask(azure)
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0]


GARBAGE = [
    Said(200, b"<html>log in here</html>"),
    Said(200, b"{"),
    Said(200, b"[]"),
    Said(200, b'{"name": "qa"}'),
    Said(418, b"teapot"),
    Said(404, b"<html>no such page</html>"),
]


@BOTH
@pytest.mark.parametrize("answer", GARBAGE)
def test_what_is_not_azure_is_told_apart(
    azure: Azure, account: Account, ask: Callable[[Azure], object], answer: Said
) -> None:
    account.script = lambda _: answer
    with pytest.raises(AzureGarbled) as caught:
        ask(azure)
    assert caught.value.code == ExitCode.FAILED


def test_a_list_comes_in_pages(azure: Azure, account: Account) -> None:
    for number in range(20):
        account.group(f"g{number}")
    found = {str(it["name"]) for it in azure.pages(f"{HOME}/resourceGroups", azure_account.RESOURCES)}
    assert len(found) == 23
    assert len(account.asked) == 4


def test_a_list_that_has_no_end_is_given_up(azure: Azure, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "MOST_PAGES", 3)
    account.script = lambda it: said({"value": [], "nextLink": f"{account.url}{it.path}?again"})
    with pytest.raises(AzureGarbled, match="no end"):
        list(azure.pages(f"{HOME}/resourceGroups", azure_account.RESOURCES))


def test_a_link_that_leads_elsewhere_is_not_followed(azure: Azure, account: Account) -> None:
    """It would be given the token."""
    account.script = lambda _: said({"value": [], "nextLink": "http://127.0.0.1:9/steal"})
    with pytest.raises(AzureGarbled) as caught:
        list(azure.pages(f"{HOME}/resourceGroups", azure_account.RESOURCES))
    assert "a link to http://127.0.0.1:9/steal" in caught.value.why


@BOTH
def test_an_answer_that_leads_elsewhere_is_not_followed(
    azure: Azure, account: Account, ask: Callable[[Azure], object]
) -> None:
    account.script = lambda it: said({}, 302, Location=f"{account.url}{HOME}/locations?api-version=2022-12-01")
    with pytest.raises((AzureGarbled, AzureRejected)):
        ask(azure)
    assert len(account.asked) == 1


def test_nor_is_it_by_the_sdk(azure: Azure, account: Account) -> None:
    elsewhere = {"Location": "http://127.0.0.1:9/steal", "Azure_AsyncOperation": "http://127.0.0.1:9/steal"}
    account.script = lambda it: said(None, 202, **elsewhere) if it.method == "DELETE" else None
    with pytest.raises(AzureGarbled) as caught:
        azure_aks.remove(azure, "g", "qa")
    assert "a link to http://127.0.0.1:9/steal" in caught.value.why


def test_another_cloud_of_azures_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Terraform would make things there, and we would look here."""
    monkeypatch.setenv("ARM_ENVIRONMENT", "usgovernment")
    with pytest.raises(PreflightFailed, match="public cloud") as caught:
        Azure(SUBSCRIPTION)
    assert "usgovernment" in caught.value.why


@BOTH
def test_nobody_there_is_unreachable(
    world: AzureWorld, monkeypatch: pytest.MonkeyPatch, ask: Callable[[Azure], object]
) -> None:
    monkeypatch.setenv("KARROTS_AZURE_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(Unreachable):
        ask(Azure(SUBSCRIPTION))


@pytest.mark.parametrize(
    "other", ["", "https://attacker.example.com", "http://192.0.2.1", "http://127.0.0.1.example.com"]
)
def test_only_a_server_on_this_computer_stands_in_for_azure(monkeypatch: pytest.MonkeyPatch, other: str) -> None:
    monkeypatch.setenv("KARROTS_AZURE_ENDPOINT", other)
    assert door.endpoint() == "https://management.azure.com"


@pytest.mark.parametrize("kind", ["error", "timeout", "garbage", "died"])
def test_fault_plans_reach_it(azure: Azure, kind: str) -> None:
    when = "during" if kind in {"garbage", "died"} else "before"
    effects.arm(faults.parsed(f"at=1 kind={kind} when={when} match='azure GET *subscriptions*' seed=3"))
    try:
        with pytest.raises((Unreachable, AzureGarbled)):
            azure_account.subscription(azure)
    finally:
        effects.arm(None)


# Long operations


@pytest.mark.parametrize("polls", [0, 1, 4])
def test_a_deletion_is_followed_to_its_end(azure: Azure, account: Account, polls: int) -> None:
    """Disks say how far they are in a document, groups by a status alone."""
    account.put(DISK)
    account.polls = polls
    azure.delete(DISK, "2024-03-02")
    assert DISK.lower() not in account.kept
    azure.delete(GROUP, azure_account.RESOURCES)
    assert "volumes" not in account.groups
    looked = [str(it) for it in account.asked if "operation" in it.path]
    assert len(looked) == 2 * (polls + 1)


def test_what_is_gone_needs_no_deletion(azure: Azure) -> None:
    azure.delete(DISK, "2024-03-02")
    azure.delete(f"{HOME}/resourceGroups/none", azure_account.RESOURCES)


def test_a_deletion_that_ends_badly_is_told(azure: Azure, account: Account) -> None:
    account.put(DISK)
    failed = {"status": "Failed", "error": {"code": "DiskIsAttached", "message": "to a machine"}}
    account.script = lambda it: said(failed) if "operation" in it.path else None
    with pytest.raises(AzureRejected) as caught:
        azure.delete(DISK, "2024-03-02")
    assert caught.value.reason == "DiskIsAttached"
    assert "to a machine" in caught.value.why


def test_a_deletion_that_does_not_end_is_given_up(
    azure: Azure, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.put(DISK)
    account.polls = 1000
    monkeypatch.setattr(door, "GOING_SECONDS", -1.0)
    with pytest.raises(TimedOut):
        azure.delete(DISK, "2024-03-02")


def test_a_cluster_is_removed_by_the_sdk_and_followed_to_its_end(world: AzureWorld, azure: Azure) -> None:
    made = Planted(world.account, world.record())
    made.own_group()
    made.cluster()
    azure_aks.remove(azure, made.names["resource_group"], "qa")
    assert azure_aks.cluster(azure, made.names["resource_group"], "qa") is None
    assert made.names["node_resource_group"] not in world.account.groups
    assert azure_aks.pools(azure, made.names["resource_group"], "qa") == []
    azure_aks.remove(azure, made.names["resource_group"], "qa")


def test_a_cluster_that_does_not_go_is_given_up(
    world: AzureWorld, azure: Azure, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Planted(world.account, world.record())
    made.cluster()
    world.account.polls = 20
    monkeypatch.setattr(azure_aks, "GOING_SECONDS", 0.0)
    with pytest.raises(TimedOut, match="did not remove"):
        azure_aks.remove(azure, made.names["resource_group"], "qa")
    for thread in [it for it in threading.enumerate() if it.name.startswith("LROPoller")]:
        thread.join()  # the SDK looks on


# A role that was given just now


def test_a_right_that_is_new_is_waited_for(azure: Azure, account: Account, pauses: list[float]) -> None:
    account.script = first([denied("x")] * 3)
    assert azure.settled(lambda: azure_account.subscription(azure)).id == SUBSCRIPTION
    assert len(pauses) == 3


def test_a_right_that_never_comes_is_given_up(
    azure: Azure, account: Account, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    account.script = lambda _: denied("x")
    monkeypatch.setattr(door, "SETTLING_SECONDS", -1.0)
    with pytest.raises(AzureDenied):
        azure.settled(lambda: azure_account.subscription(azure))


# What there is


def test_regions_are_places(azure: Azure) -> None:
    assert azure_account.regions(azure) == {"westeurope", "westus"}


def test_sizes_zones_and_what_is_refused(azure: Azure, account: Account) -> None:
    zone = {"type": "Zone", "reasonCode": "NotAvailableForSubscription", "restrictionInfo": {"zones": ["3"]}}
    account.sizes[0]["restrictions"] = [zone]
    account.sizes[1]["restrictions"] = [{"type": "Location", "reasonCode": "NotAvailableForSubscription"}]
    found = azure_account.machines(azure, "westeurope")
    big, small = found["standard_d4s_v5"], found["standard_d2s_v5"]
    assert (big.cores, big.family, big.zones, big.refused) == (4, "standardDSv5Family", frozenset("12"), "")
    assert small.refused == "NotAvailableForSubscription"


def test_usages_have_names_and_limits(azure: Azure) -> None:
    cores = azure_account.machine_usages(azure, "westeurope")["cores"]
    assert (cores.used, cores.most) == (10, 100)
    assert "virtualnetworks" in azure_account.network_usages(azure, "westeurope")


def test_rights_are_what_roles_give_and_do_not_take(azure: Azure, account: Account) -> None:
    contributor = {"actions": ["*"], "notActions": ["Microsoft.Authorization/*/Write"]}
    account.roles = [contributor]
    found = azure_account.rights(azure)
    assert found.allow("Microsoft.Network/virtualNetworks/write")
    assert not found.allow("Microsoft.Authorization/roleAssignments/write")
    account.roles = [contributor, {"actions": ["Microsoft.Authorization/roleAssignments/*"]}]
    assert azure_account.rights(azure).allow("Microsoft.Authorization/roleAssignments/write")


def test_versions_on_offer(azure: Azure) -> None:
    found = {it.name: it.supported for it in azure_aks.versions(azure, "westeurope")}
    assert found == {"1.36": True, "1.35": True, "1.31": False}


def test_a_cluster_as_it_is(world: AzureWorld, azure: Azure) -> None:
    made = Planted(world.account, world.record())
    made.cluster(status="Updating")
    made.pool("spot", scaleSetPriority="Spot", mode="User", enableAutoScaling=True, minCount=1, maxCount=5)
    found = azure_aks.cluster(azure, made.names["resource_group"], "qa")
    assert found is not None
    assert (found.status, found.version, found.issuer, found.answers) == ("Updating", "1.36.2", made.issuer, True)
    assert found.tags["karrots-id"] == made.record.id
    assert found.node_group == made.names["node_resource_group"]
    assert found.kubelet[1] == made.kubelet
    system, spot = azure_aks.pools(azure, made.names["resource_group"], "qa")
    assert (system.system, system.spot, system.count, system.size) == (True, False, 2, "Standard_D4s_v5")
    assert (spot.system, spot.spot, spot.least, spot.most) == (False, True, 1, 5)


@pytest.mark.parametrize("properties", [{"provisioningState": "Creating"}, {"powerState": {"code": "Stopped"}}])
def test_a_cluster_that_does_not_answer(world: AzureWorld, azure: Azure, properties: dict[str, object]) -> None:
    made = Planted(world.account, world.record())
    made.cluster(**properties)  # type: ignore[arg-type]
    found = azure_aks.cluster(azure, made.names["resource_group"], "qa")
    assert found is not None
    assert not found.answers


def test_a_private_cluster_has_its_private_name(world: AzureWorld, azure: Azure) -> None:
    made = Planted(world.account, world.record())
    made.cluster(privateFQDN="qa.privatelink.example.com", apiServerAccessProfile={"enablePrivateCluster": True})
    found = azure_aks.cluster(azure, made.names["resource_group"], "qa")
    assert found is not None
    assert (found.private, found.endpoint) == (True, "https://qa.privatelink.example.com:443")


def test_the_authority_is_read_from_a_kubeconfig_without_secrets(world: AzureWorld, azure: Azure) -> None:
    made = Planted(world.account, world.record())
    made.cluster()
    assert azure_aks.authority(azure, made.names["resource_group"], "qa") == CA


@pytest.mark.parametrize("text", ["", "{}", "\t:", "clusters: [{cluster: {certificate-authority-data: '%'}}]"])
def test_a_kubeconfig_that_is_none_is_told(world: AzureWorld, azure: Azure, text: str) -> None:
    import base64

    answer = said({"kubeconfigs": [{"name": "x", "value": base64.b64encode(text.encode()).decode()}]})
    world.account.script = lambda it: answer if it.method == "POST" else None
    with pytest.raises(AzureGarbled):
        azure_aks.authority(azure, "g", "qa")


def test_a_token_is_for_the_api_servers_of_aks(azure: Azure, account: Account) -> None:
    token = azure_aks.tokens(azure).now()
    assert claims_of(token.text)["aud"] == AKS
    assert 0 < token.expires - clock.seconds() <= 3600
    assert azure_aks.tokens(azure).now() is token
    assert account.asked == []


# The ways to log in


WAYS = {
    "a client secret": {"CLIENT_SECRET": "s"},
    "a certificate": {"CLIENT_CERTIFICATE_PATH": "/nonexistent.pem"},
    "a federated token": {"OIDC_TOKEN_FILE_PATH": "/nonexistent"},
}


@pytest.mark.parametrize("way", sorted(WAYS))
@pytest.mark.parametrize("names", ["ARM", "AZURE"])
def test_karrots_and_terraform_log_in_as_one(way: str, names: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By Terraform's names, and by those of the SDKs."""
    variables = {"TENANT_ID": "t", "CLIENT_ID": "c", **WAYS[way]}
    for name, value in variables.items():
        mine = f"ARM_{name}"
        monkeypatch.setenv(mine if names == "ARM" else azure_login.NAMES[mine], value)
    assert azure_login.chosen().way == way
    found = azure_login.environment(SUBSCRIPTION, "fleets")
    assert {f"ARM_{name}": value for name, value in variables.items()}.items() <= found.items()
    assert found["ARM_SUBSCRIPTION_ID"] == SUBSCRIPTION
    assert ("ARM_USE_OIDC" in found) == (way == "a federated token")


def test_the_fleets_tenant_is_handed_to_terraform_where_nobody_set_one() -> None:
    assert azure_login.environment(SUBSCRIPTION, "fleets") == {
        "ARM_SUBSCRIPTION_ID": SUBSCRIPTION, "ARM_TENANT_ID": "fleets",
    }  # fmt: skip


def test_half_a_log_in_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARM_CLIENT_SECRET", "s")
    with pytest.raises(AzureLoginNeeded):
        Azure(SUBSCRIPTION).tokens().now()


def test_az_is_asked_for_a_token_in_the_tenant(
    world: AzureWorld, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A program of that name that answers as Azure's does."""
    monkeypatch.delenv("ARM_USE_MSI")
    ends = int(clock.seconds()) + 3600
    token = jwt({"aud": "https://management.azure.com", "upn": "ada@example.com"})
    answer = json.dumps({"accessToken": token, "expires_on": ends, "tokenType": "Bearer"})
    program = tmp_path / "az"
    program.write_text(f"#!/bin/sh\necho \"$@\" >> {tmp_path}/asked\necho '{answer}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert azure_account.subscription(Azure(SUBSCRIPTION, TENANT)).id == SUBSCRIPTION
    assert f"--tenant {TENANT}" in (tmp_path / "asked").read_text()
