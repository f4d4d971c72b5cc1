"""What Terraform made for a cluster and could not write down: it bears the id, and the state does not know it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from karrots.providers.base import Leftover

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence


@dataclass(frozen=True)
class Own:
    """A thing of the cluster's own that the rendered root makes at `address`.

    `key` is its id in Terraform's state, and what Terraform imports it by.
    """

    kind: str
    name: str
    address: str
    key: str

    @property
    def leftover(self) -> Leftover:
        return Leftover(self.kind, self.name)

    @property
    def id(self) -> tuple[str, str]:
        """Azure writes one id in several ways, so it counts in small letters."""
        return self.address.partition(".")[0], self.key.lower()


def managed(state: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The type and the attributes of all that a Terraform state, which is its version 4 JSON, holds."""
    for resource in state.get("resources") or ():
        if resource.get("mode") == "managed":
            for instance in resource.get("instances") or ():
                yield str(resource.get("type")), instance.get("attributes") or {}


def unwritten(things: Iterable[Own], state: Mapping[str, Any]) -> list[Own]:
    known = {(kind, str(attributes.get("id")).lower()) for kind, attributes in managed(state)}
    return [it for it in things if it.id not in known]


def taken_over(things: Iterable[Own], strangers: Sequence[Leftover], rendered: Collection[str]) -> dict[str, str]:
    """By address, what Terraform imports these by: all of them, each at one of the addresses `rendered`, or none."""
    named = {it.leftover: it for it in things}
    found = [named[it] for it in strangers if it in named]
    wanted = {it.address: it.key for it in found if it.address in rendered}
    return wanted if len(wanted) == len(strangers) else {}


def when_whole(
    wanted: Mapping[str, str], kinds: Collection[str], is_whole: Callable[[str, Mapping[str, Any]], bool]
) -> Mapping[str, str]:
    """{} when one of these kinds is not, by its type and name; others are there at once."""
    made = ((address.partition(".")[0], key.rpartition("/")[2]) for address, key in wanted.items())
    return wanted if all(is_whole(kind, {"name": name}) for kind, name in made if kind in kinds) else {}
