"""`karrots secrets`: each secret of a cluster's content, how it is read, and who gains access by that."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from karrots.adapters.kube import condition, group, text
from karrots.errors import KarrotsError
from karrots.ops.apply import named
from karrots.ops.fence import content_of
from karrots.steps import secrets as steps
from karrots.steps.fencing import walked
from karrots.steps.secrets import Item, Terms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from karrots.fleet.record import Record
    from karrots.fleet.workspace import Workspace
    from karrots.ops.settings import Settings


@dataclass(frozen=True)
class Secrets:
    """`asked`: the cluster itself was asked which of them its controller could open."""

    cluster: str
    parent: str | None
    sealed: str
    sops: str
    items: tuple[Item, ...]
    asked: bool


def secrets(settings: Settings, name: str | None) -> Secrets:
    workspace, record = named(settings, name, fresh=False)
    commit, directory = content_of(workspace, record)
    spec = workspace.spec_at(commit, directory, record.overrides)
    found = steps.items(Terms.of(spec, record), walked(workspace, commit, directory))
    told = said(workspace, record)
    items = tuple(found if told is None else [_as_told(each, told) for each in found])
    parent = record.parent.name if record.parent else None
    return Secrets(record.name, parent, spec.secrets.sealed, spec.secrets.sops, items, told is not None)


def said(workspace: Workspace, record: Record) -> dict[tuple[str, str], tuple[bool, str]] | None:
    """By SealedSecret whether it was opened, and what its controller says; None when the cluster does not answer."""
    try:
        with closing(steps.api_of(workspace, record)) as kube:
            return {_named(each): _opened(each) for each in kube.list(steps.SEALED_SECRETS)}
    except KarrotsError:
        return None


def _named(each: Mapping[str, object]) -> tuple[str, str]:
    metadata = group(each, "metadata")
    return text(metadata.get("namespace")), text(metadata.get("name"))


def _opened(each: Mapping[str, object]) -> tuple[bool, str]:
    found = condition(dict(each), "Synced") or {}
    return found.get("status") == "True", text(found.get("message"))


def _as_told(each: Item, told: Mapping[tuple[str, str], tuple[bool, str]]) -> Item:
    """What its controller says counts; of what it has not looked at yet, what content says."""
    opened, why = told.get((each.namespace, each.name), (False, ""))
    if each.way != "sealed" or not (opened or why):
        return each
    if not opened:
        return replace(each, state="not read", how=f"not at all: its controller says: {why}")
    return each if each.state == "read" else replace(each, state="read", how="with the cluster's own key", gains="")
