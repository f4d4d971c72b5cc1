"""A state in which all that a plan says is made, so that the provider can plan changes of it; Azure is not asked."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from karrots.replay import schemas

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.azurerm.provider import Provider, Shown

REGISTRY = "registry.terraform.io/hashicorp/azurerm"
# References settle one after the other: subnet, cluster, pools.
ROUNDS = 4
ADDRESS = "203.0.113.7"
IDS = {
    "azurerm_virtual_network": "{group}/providers/Microsoft.Network/virtualNetworks/{name}",
    "azurerm_subnet": "{group}/providers/Microsoft.Network/virtualNetworks/{virtual_network_name}/subnets/{name}",
    "azurerm_public_ip": "{group}/providers/Microsoft.Network/publicIPAddresses/{name}",
    "azurerm_nat_gateway": "{group}/providers/Microsoft.Network/natGateways/{name}",
    "azurerm_user_assigned_identity": "{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}",
    "azurerm_kubernetes_cluster": "{group}/providers/Microsoft.ContainerService/managedClusters/{name}",
}
NONE_OF_THEM = "{group}/providers/Microsoft.Resources/things/{address}"


def made(provider: Provider, folder: Path, subscription: str) -> None:
    """Puts the state beside the root; then a plan finds nothing to do."""
    for _ in range(ROUNDS):
        shown = provider.planned(folder)
        if not changes(shown):
            return
        (folder / "terraform.tfstate").write_text(json.dumps(_state(shown, subscription)))
    raise AssertionError(f"after {ROUNDS} plans there is still something to do: {changes(shown)}")


def changes(shown: Shown) -> dict[str, str]:
    """By address: create, update, delete, or create and delete."""
    managed = [each for each in shown.get("resource_changes", []) if each["mode"] == "managed"]
    found = {each["address"]: " and ".join(sorted(each["change"]["actions"])) for each in managed}
    return {address: what for address, what in found.items() if what != "no-op"}


def reasons(shown: Shown) -> set[tuple[str, str]]:
    """Of what is made anew: the type and the place whose change needs it, but for references to what is made anew."""
    found = {
        (each["type"], ".".join(step for step in path if isinstance(step, str)))
        for each in shown["resource_changes"]
        for path in each["change"].get("replace_paths", [])
    }
    return {(kind, place) for kind, place in found if not place.endswith("_id")}


def _state(shown: Shown, subscription: str) -> dict[str, Any]:
    described = _schemas()
    resources = [
        {
            **{key: each[key] for key in ("mode", "type", "name")},
            "provider": f'provider["{REGISTRY}"]',
            "instances": [_instance(each, described[each["type"]], subscription)],
        }
        for each in shown["resource_changes"]
        if each["mode"] == "managed"
    ]
    return {"version": 4, "terraform_version": shown["terraform_version"], "serial": 1, "lineage": str(uuid.uuid4()),
            "outputs": {}, "resources": resources}  # fmt: skip


def _instance(resource: Mapping[str, Any], schema: Mapping[str, Any], subscription: str) -> dict[str, Any]:
    block = schema["block"]
    secret = [name for name, of in block["attributes"].items() if of.get("sensitive")]
    return {
        **({"index_key": resource["index"]} if "index" in resource else {}),
        "schema_version": schema["version"],
        "attributes": _filled(resource, block, subscription),
        "sensitive_attributes": [[{"type": "get_attr", "value": name}] for name in secret],
    }


def _schemas() -> Mapping[str, Any]:
    recorded = next(each for each in reversed(schemas.shipped()) if each.address == REGISTRY)
    found: Mapping[str, Any] = recorded.schema["resource_schemas"]
    return found


def _filled(resource: Mapping[str, Any], block: Mapping[str, Any], subscription: str) -> dict[str, Any]:
    change = resource["change"]
    values = _block(block, change["after"], change["after_unknown"], resource["address"])
    if change["after_unknown"].get("id") is True:
        group = f"/subscriptions/{subscription}/resourceGroups/{values.get('resource_group_name')}"
        form = IDS.get(resource["type"], NONE_OF_THEM)
        values["id"] = form.format(group=group, **{**values, "address": resource["address"]})
    return values


def _block(block: Mapping[str, Any], after: Mapping[str, Any], unknown: Any, seed: str) -> dict[str, Any]:
    values = dict(after)
    for name, of in block.get("attributes", {}).items():
        if unknown.get(name) is True:
            values[name] = _imagined(of["type"], f"{seed}.{name}")
    for name, of in block.get("block_types", {}).items():
        parts = after.get(name)
        if of["nesting_mode"] != "single":
            hidden = unknown.get(name)
            inside = hidden if isinstance(hidden, list) else [{}] * len(parts or [])
            values[name] = [
                _block(of["block"], part, known, f"{seed}.{name}")
                for part, known in zip(parts or [], inside, strict=True)
            ]
    return values


def _imagined(kind: Any, seed: str) -> Any:
    """One object where there can be many, since outputs look into it; else as little as will do."""
    if seed.endswith(".ip_address"):
        return ADDRESS
    if kind == "string":
        return str(uuid.uuid5(uuid.NAMESPACE_URL, seed))  # the form of an id does for other texts too
    if not isinstance(kind, list):
        return None
    if kind[0] == "object":
        return {name: _imagined(of, f"{seed}.{name}") for name, of in kind[1].items()}
    if kind[0] == "map":
        return {}
    return [_imagined(kind[1], seed)] if isinstance(kind[1], list) else []
