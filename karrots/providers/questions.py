"""The questions of a cloud's preflight, asked side by side, and the rows that come of what went wrong with one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from karrots.errors import KarrotsError, LoginNeeded, Refused
from karrots.fleet.addresses import overlapping
from karrots.providers.base import Check

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from karrots.fleet.record import Record

Q = TypeVar("Q")
LONGEST = 300  # characters


@dataclass(frozen=True)
class Answered:
    """`error` is what stopped the question itself."""

    rows: tuple[Check, ...]
    error: KarrotsError | None = None


def side_by_side(
    questions: Sequence[tuple[str, Callable[[Q], Sequence[Check]]]], asked_with: Q
) -> list[Answered]:  # fmt: skip
    """Each by what its row is called where the question itself fails."""
    with ThreadPoolExecutor(max_workers=len(questions)) as pool:
        return list(pool.map(lambda question: _answered(question[0], question[1], asked_with), questions))


def _answered(what: str, ask: Callable[[Q], Sequence[Check]], asked_with: Q) -> Answered:
    try:
        return Answered(tuple(ask(asked_with)))
    except Refused as error:  # what may not be looked at may still be all right: Terraform will tell
        row = Check(what, ok=True, found=f"not looked at: {error.message}", hint=error.hint)
        return Answered((row,), error)
    except KarrotsError as error:
        return Answered((of_error(what, error),), error)


def of_error(what: str, error: KarrotsError) -> Check:
    found = f"{error.message}: {error.why}" if error.why else error.message
    login = isinstance(error, LoginNeeded)
    return Check(what, ok=False, found=shortened(found), hint=error.hint or "karrots doctor", login=login)


def shortened(text: str) -> str:
    """One line: a cloud that does not answer as it should may answer with a page."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def address_range(wanted: str, parent: Record | None, ranges: Callable[[Record], Sequence[str]]) -> Check:
    """`wanted` is the range that is leased, '' before; `ranges` are those of a parent's network."""
    what = "address range"
    if parent is None or not wanted:
        return Check(what, ok=True, found=wanted or "leased when the name is claimed")
    others = ranges(parent)
    clash = next((it for it in others if overlapping(wanted, it)), None)
    if clash is None:
        return Check(what, ok=True, found=f"{wanted}, beside {', '.join(others) or 'no other'}")
    hint = "edit addresses.pool in karrots.yaml: a range that the parent's network does not use"
    return Check(what, ok=False, found=f"{wanted} overlaps {clash} of '{parent.name}'", hint=hint)


def no_parent() -> Check:
    """Of a network that is to be shared."""
    found = "it is to be the parent's, and this cluster has no parent that lives"
    return Check("network", ok=False, found=found, hint="set 'network.mode: own' in cluster.yaml, or: karrots branch …")
