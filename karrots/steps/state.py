"""The one way to a cluster's Terraform state, whoever keeps it: karrots on this computer, or a cloud."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from karrots import places
from karrots.adapters import azure_login
from karrots.adapters.aws_state import S3Bucket
from karrots.adapters.azure_state import BlobContainer
from karrots.adapters.google_state import GcsBucket
from karrots.adapters.process import shell_line
from karrots.adapters.terraform_cloud import CloudState, forget_seen
from karrots.adapters.terraform_state import StateServer
from karrots.adapters.terraform_store import StateStore
from karrots.errors import Failed
from karrots.fleet import backends, operations

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from karrots.adapters.state_bucket import StateBucket
    from karrots.adapters.terraform_keeper import Keeper
    from karrots.fleet.record import Record, State
    from karrots.fleet.workspace import Workspace
    from karrots.steps.context import Context

# What a person logs in with, which Terraform's provider and backend both read.
LOGINS = {
    "eks": ("AWS_",),
    "gke": ("GOOGLE_", "GCLOUD_", "CLOUDSDK_"),
    "aks": ("ARM_", "AZURE_"),
}


def state_folder(record: Record) -> Path:
    """The state itself when it is kept here, else notes about it."""
    return places.terraform_states() / record.id


def login(record: Record, workspace: Workspace) -> dict[str, str]:
    """Environment for Terraform. What the person has set counts before the fleet's profile or tenant."""
    prefixes = LOGINS.get(record.provider, ())
    inherited = {name: value for name, value in os.environ.items() if name.startswith(prefixes)} if prefixes else {}
    section = workspace.settings.providers.cloud(record.provider)
    if record.provider == "aks":
        return inherited | azure_login.environment(record.account, getattr(section, "tenant", None) or "")
    profile = getattr(section, "profile", None)
    return ({"AWS_PROFILE": profile} if profile else {}) | inherited


def keeper(ctx: Context) -> Keeper:
    """For as long as the operation lasts."""
    state, folder = backends.of(ctx.record), places.private_folder(state_folder(ctx.record))
    if backends.is_own(state):
        return ctx.resources.enter_context(StateServer(folder, holder=ctx.run.id, say=ctx.run.warn))
    return CloudState(
        backend=state.backend,
        settings=backends.init_settings(state),
        place=backends.place(state),
        notes=StateStore(folder, ctx.run.id),
        command=operations.without_take_over(ctx.run.resume) or f"karrots apply {ctx.record.name}",
        unlocking=backends.unlocking(state),
        take_over=ctx.take_over,
        say=ctx.run.warn,
    )


def bucket(state: State, account: str, region: str, profile: str = "") -> StateBucket:
    """The place in the cloud. `account` is who must own it, `region` where it is made."""
    settings = state.settings
    match state.backend:
        case "s3":
            return S3Bucket(settings["bucket"], settings["region"], account, profile)
        case "gcs":
            return GcsBucket(settings["bucket"], account, region)
        case "azurerm":
            group, name = settings["resource_group_name"], settings["storage_account_name"]
            subscription, tenant = settings.get("subscription_id", account), settings.get("tenant_id", "")
            return BlobContainer(subscription, group, name, settings["container_name"], tenant=tenant)
    raise Failed(f"this version knows no Terraform backend '{state.backend}'", hint="pip install --upgrade karrots")


def bucket_of(record: Record, workspace: Workspace) -> StateBucket:
    section = workspace.settings.providers.cloud(record.provider)
    return bucket(backends.of(record), record.account, record.region, getattr(section, "profile", None) or "")


def left(ctx: Context) -> list[str]:
    """What there is of the state of a cluster that is gone."""
    state, folder = backends.of(ctx.record), state_folder(ctx.record)
    there = [str(folder)] if folder.exists() else []
    if not backends.is_own(state) and bucket_of(ctx.record, ctx.workspace).holds(backends.object_name(state)):
        there.append(backends.place(state))
    return there


def remove(ctx: Context) -> dict[str, object]:
    """For good; says what the state still held. In the cloud its versions stay where versions are kept."""
    state, notes = backends.of(ctx.record), StateStore(state_folder(ctx.record), ctx.run.id)
    if backends.is_own(state):
        held = notes.resources()
        ctx.resources.close()
        notes.remove()
        return {"resources": held}
    held = ctx.root.resources() if ctx.root else 0
    forget_seen(notes.folder)
    bucket_of(ctx.record, ctx.workspace).remove(backends.object_name(state))
    notes.remove()
    return {"resources": held, "state": backends.place(state)}


def fence(record: Record) -> None:
    """Of those the cluster was taken over from, none may write its Terraform state any more.

    Where a cloud keeps it, none may start a Terraform on this computer; one that runs cannot be stopped from writing.
    """
    fenced = record.operation.fenced.split() if record.operation else []
    if fenced and (state_folder(record).is_dir() or not backends.is_own(backends.of(record))):
        StateStore(places.private_folder(state_folder(record))).fence(fenced)


def settings_by_hand(record: Record) -> Mapping[str, str]:
    """Environment in which `terraform init` typed by hand finds a state in a cloud."""
    words = [f"-backend-config={name}={value}" for name, value in backends.init_settings(backends.of(record)).items()]
    return {"TF_CLI_ARGS_init": shell_line(words)}
