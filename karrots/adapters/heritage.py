"""Whose DNS records are, by what external-dns writes beside them.

Beside each record it keeps a TXT record `heritage=external-dns,external-dns/owner=<owner>,…`; karrots has it use the
cluster's id as owner. Its present form is named after the record's type (`a-shop.example.com`), the older one after the
record alone. Names with a prefix or suffix of a fleet's own are not taken apart: the TXT record goes, and the record it
stands for is told. A set of TXT records that holds anything else besides is somebody's too, and stays.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

HERITAGE = re.compile(r'"?heritage=external-dns,external-dns/owner=([^,"]+)(?:,|"|$)')
TYPES = ("a", "aaaa", "cname", "ns", "srv", "mx", "naptr", "txt")


class Written(Protocol):
    """A record of a zone; `values` as the zone has them."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def values(self) -> Sequence[str]: ...


W = TypeVar("W", bound=Written)


def touches(zone: str, domain: str) -> bool:
    """Whether one of the two lies in the other."""
    one, other = f".{zone.rstrip('.')}", f".{domain.rstrip('.')}"
    return bool(domain) and (one.endswith(other) or other.endswith(one))


def touching(zones: Mapping[str, str], domain: str) -> list[str]:
    """Of zones' names by their keys, the keys of those that touch the domain."""
    return [key for key, name in zones.items() if touches(name, domain)]


def of_owner(found: Sequence[W], owner: str) -> Iterator[W]:
    """A record is the owner's when the TXT record that stands for it says so, and none says otherwise."""
    owners: dict[tuple[str, str], set[str]] = {}
    for entry in found:
        for vouched in _vouched(entry):
            owners.setdefault(vouched, set()).update(_owners(entry))
    for entry in found:
        if _is_the_owners(entry, owner) or owners.get((entry.name, entry.kind)) == {owner}:
            yield entry


def _is_the_owners(entry: Written, owner: str) -> bool:
    """Each value of it: a set is deleted as a whole."""
    return entry.kind == "TXT" and bool(entry.values) and all(_owner(value) == owner for value in entry.values)


def _owners(entry: Written) -> set[str]:
    if entry.kind != "TXT":
        return set()
    return {owner for value in entry.values if (owner := _owner(value))}


def _owner(value: str) -> str:
    match = HERITAGE.match(value)
    return match[1] if match else ""


def _vouched(entry: Written) -> Iterator[tuple[str, str]]:
    """Names and types that this TXT record may stand for."""
    if not _owners(entry):
        return
    first, dash, rest = entry.name.partition("-")
    if dash and first in TYPES:
        yield rest, first.upper()
        return
    for kind in ("A", "AAAA", "CNAME"):
        yield entry.name, kind
