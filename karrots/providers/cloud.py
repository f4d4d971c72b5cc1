"""What the cloud providers have in common: the variables of identity.auto.tfvars.json, some of them from the parent."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from karrots.errors import KarrotsError
from karrots.fleet.cloud_names import names
from karrots.fleet.tags import tags
from karrots.providers.base import Check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from karrots.fleet.record import Record
    from karrots.providers.base import Origin
    from karrots.spec.fleet import Cloud


def identity_variables(
    record: Record,
    settings: Cloud | None,
    shared_network: Mapping[str, Any] | None = None,
    defaults: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Beside the cluster's own: where it is, what its things are called, and what it has from its parent.

    Region and account are the record's: karrots.yaml may have moved on since the cluster was made.
    """
    return {
        "region": record.region,
        "account": record.account,
        "api_access": list(settings.api_access) if settings else [],
        "names": names(record),
        "tags": tags(record),
        "shared_network": dict(shared_network) if shared_network is not None else None,
        "defaults": dict(defaults or {}),
    }


def asked(record: Record, origin: Origin | None, ask: Callable[[Origin], Mapping[str, str]]) -> Mapping[str, str]:
    """What content leaves open, as it is in the cloud; nothing where there is no answer: the cloud then decides."""
    if origin is None or origin.removing:
        return {}
    near = origin.parent is not None and alike(record, origin.parent)
    try:
        return ask(origin if near else replace(origin, parent=None))
    except KarrotsError:
        return {}


def alike(record: Record, parent: Record) -> bool:
    """Whether one's versions mean anything to the other."""
    return _place(record) == _place(parent)


def _place(record: Record) -> tuple[str, str, str]:
    return record.provider, record.region, record.account


def taken(record: Record, parent: Record, ask: Callable[[], Mapping[str, str]]) -> Check:
    """The row of preflight that says what comes from the parent. None of it is needed, so it stands in no way."""
    what = "from the parent"
    if not alike(record, parent):
        where = " ".join(filter(None, _place(parent)))
        return Check(what, ok=True, found=f"nothing: '{parent.name}' is somewhere else ({where})")
    try:
        found = ", ".join(f"{name} {version}" for name, version in sorted(ask().items()))
    except KarrotsError as error:
        return Check(what, ok=True, found=f"not looked at: {error.message}", hint=error.hint)
    return Check(what, ok=True, found=found or f"nothing of '{parent.name}' fits: what content leaves open is new")


# Of snapshots that are in doubt, whatever marks them.
KEPT = (
    "kept: somebody may count on it, and nothing proves that the cluster's own storage driver took it for the cluster, "
    "so look at it and delete it by hand"
)


def by_kind(things: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Of pairs of kind and key, as a Footprint holds them."""
    held: dict[str, tuple[str, ...]] = {}
    for kind, key in things:
        held[kind] = (*held.get(kind, ()), key)
    return held
