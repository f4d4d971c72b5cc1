"""Where the Terraform state of a cluster is kept: decided once, and in its record from then on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from karrots.fleet.record import State
from karrots.spec.fleet import Aks, Eks, Gke

if TYPE_CHECKING:
    from karrots.fleet.record import Record
    from karrots.spec.fleet import Cloud

HTTP = "http"  # karrots' own, on the computer that made the cluster
FOLDER = "karrots"
LOCK = ".tflock"


def chosen(section: Cloud | None, cluster_id: str) -> State:
    """What karrots.yaml says of this provider now."""
    key = f"{FOLDER}/{cluster_id}.tfstate"
    match section:
        case Eks(state=state) if state is not None:
            settings = {"bucket": state.bucket, "region": state.region or section.region}
            return State(backend="s3", key=key, settings={**settings, "use_lockfile": "true", "encrypt": "true"})
        case Gke(state=state) if state is not None:
            return State(backend="gcs", key=f"{FOLDER}/{cluster_id}", settings={"bucket": state.bucket})
        case Aks(state=state) if state is not None:
            tenant = {"tenant_id": section.tenant} if section.tenant else {}
            settings = {
                "resource_group_name": state.resource_group,
                "storage_account_name": state.storage_account,
                "container_name": state.container,
                "subscription_id": section.subscription,
                "use_azuread_auth": "true",
            }
            return State(backend="azurerm", key=key, settings={**settings, **tenant})
    return State(backend=HTTP, key=cluster_id)


def of(record: Record) -> State:
    """Records from before there were others have karrots' own."""
    return record.state or State(backend=HTTP, key=record.id)


def is_own(state: State) -> bool:
    return state.backend == HTTP


def init_settings(state: State) -> dict[str, str]:
    """For `terraform init`; gcs says prefix where the others say key."""
    return {**state.settings, "prefix" if state.backend == "gcs" else "key": state.key}


def place(state: State) -> str:
    """For people."""
    settings = state.settings
    match state.backend:
        case "s3":
            return f"s3://{settings.get('bucket')}/{state.key}"
        case "gcs":
            return f"gs://{settings.get('bucket')}/{object_name(state)}"
        case "azurerm":
            container = f"{settings.get('storage_account_name')}.blob.core.windows.net/{settings.get('container_name')}"
            return f"https://{container}/{state.key}"
    return state.key


def object_name(state: State) -> str:
    return f"{state.key}/default.tfstate" if state.backend == "gcs" else state.key


def unlocking(state: State) -> str:
    """The command that ends a lock which Terraform itself cannot read."""
    settings = state.settings
    match state.backend:
        case "s3":
            return f"aws s3 rm {place(state)}{LOCK}"
        case "gcs":
            return f"gcloud storage rm gs://{settings.get('bucket')}/{state.key}/default{LOCK}"
        case "azurerm":
            where = f"--account-name {settings.get('storage_account_name')} -c {settings.get('container_name')}"
            return f"az storage blob lease break --auth-mode login {where} -b {state.key}"
    return ""


def override(state: State) -> str:
    """The backend block that counts, whatever the root says: the record decides."""
    block = f'terraform {{\n  backend "{state.backend}" {{}}\n}}\n'
    return f"# Written for this run: the record of the cluster says where its state is.\n{block}"
