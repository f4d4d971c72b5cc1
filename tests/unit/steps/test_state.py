"""What Terraform is given to log in with."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from karrots.spec.fleet import load_fleet
from karrots.steps import state
from tests.support.records import record

if TYPE_CHECKING:
    import pytest

    from karrots.fleet.workspace import Workspace

FLEET = """
apiVersion: karrots.dev/v1
kind: Fleet
domain: example.com
providers:
  eks: {account: "123456789012", region: eu-central-1, profile: fleets}
  aks: {subscription: now, tenant: fleets, region: westeurope}
"""


def login(provider: str, **changes: Any) -> dict[str, str]:
    workspace = cast("Workspace", SimpleNamespace(settings=load_fleet(FLEET, "karrots.yaml")))
    return state.login(record("qa", provider=provider, **changes), workspace)


def test_the_subscription_is_the_records_and_the_tenant_the_fleets(monkeypatch: pytest.MonkeyPatch) -> None:
    """karrots.yaml may have moved on since the cluster was made."""
    monkeypatch.setenv("ARM_SUBSCRIPTION_ID", "another")
    assert login("aks", account="then") == {"ARM_SUBSCRIPTION_ID": "then", "ARM_TENANT_ID": "fleets"}


def test_a_tenant_that_the_person_set_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARM_TENANT_ID", "mine")
    assert login("aks", account="then")["ARM_TENANT_ID"] == "mine"


def test_a_log_in_by_the_sdks_names_is_terraforms_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_CLIENT_ID", "c")
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", "/run/token")
    found = login("aks", account="then")
    assert {
        "ARM_CLIENT_ID": "c",
        "ARM_OIDC_TOKEN_FILE_PATH": "/run/token",
        "ARM_USE_OIDC": "true",
    }.items() <= found.items()


def test_the_fleets_profile_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert login("eks") == {"AWS_PROFILE": "fleets"}
    monkeypatch.setenv("AWS_PROFILE", "mine")
    assert login("eks") == {"AWS_PROFILE": "mine"}


def test_the_local_engine_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARM_CLIENT_SECRET", "hush")
    assert login("local") == {}
