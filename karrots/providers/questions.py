"""The questions of a cloud's preflight, asked side by side, and the rows that come of what went wrong with one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from karrots.errors import KarrotsError, Refused
from karrots.providers.base import Check

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Q = TypeVar("Q")


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
    return Check(what, ok=False, found=found, hint=error.hint or "karrots doctor")
