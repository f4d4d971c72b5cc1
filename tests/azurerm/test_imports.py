"""The ids that karrots imports by are ids to HashiCorp's own provider, which then looks for them in Azure."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from karrots.errors import ToolFailed
from tests.integration.aks.test_preflight import record
from tests.integration.aks.test_strangers import ids
from tests.support.aks_account.account import SUBSCRIPTION, Account
from tests.support.aks_account.planted import Planted

if TYPE_CHECKING:
    from pathlib import Path

    from tests.azurerm.provider import Provider

ROOT = {
    "terraform": {"required_providers": {"azurerm": {"source": "hashicorp/azurerm"}}},
    "provider": {
        "azurerm": {"features": {}, "subscription_id": SUBSCRIPTION, "resource_provider_registrations": "none"}
    },
}
# In Terraform's words, and in the provider's own where it looks itself.
NOT_THERE = re.compile(r"Cannot import non-existent|retrieving Kubernetes Cluster .* 404 ")


def refusal(provider: Provider, folder: Path, kind: str, key: str) -> str:
    """What it says against an import from an Azure that has nothing."""
    folder.mkdir()
    blocks = [{"to": f"{kind}.taken", "id": key}]
    (folder / "main.tf.json").write_text(json.dumps({**ROOT, "import": blocks}))
    provider.terraform(folder, "init", "-input=false")
    with pytest.raises(ToolFailed) as told:
        provider.terraform(folder, "plan", "-input=false", "-generate-config-out=made.tf")
    return " ".join(re.sub(r"[│╷╵]", " ", told.value.tail).split())


def test_each_id_is_one(provider: Provider, tmp_path: Path) -> None:
    """It is understood and looked for; with small letters, as Azure writes some, it is not."""
    mine = Planted(Account(), record())
    role = f"{mine.subnet}/providers/Microsoft.Authorization/roleAssignments/{mine.principal}"
    whole = {**{kind: given[-1] for kind, given in ids(mine).items()}, "azurerm_role_assignment": role}
    told = {kind: refusal(provider, tmp_path / kind, kind, key) for kind, key in whole.items()}
    asked = {it.partition(" ")[2].partition("?")[0] for it in provider.azure.unknown}
    provider.azure.unknown.clear()
    assert {kind: text for kind, text in told.items() if not NOT_THERE.search(text)} == {}
    assert asked >= {key.partition("|")[0] for key in whole.values()}
    small = mine.cluster_id.replace("resourceGroups", "resourcegroups")
    text = refusal(provider, tmp_path / "small", "azurerm_kubernetes_cluster", small)
    assert "resourcegroups" in text
    assert not NOT_THERE.search(text)
