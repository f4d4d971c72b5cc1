"""One comparison or several as text and as pages."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from karrots import places
from karrots.cli.texts import painted
from karrots.diff import markdown as for_pull_requests
from karrots.diff import page
from karrots.diff import text as for_people
from karrots.diff.document import Difference, Differences

if TYPE_CHECKING:
    from collections.abc import Callable

    Result = Difference | Differences


def each_of(result: Result) -> tuple[Difference, ...]:
    return (result,) if isinstance(result, Difference) else result.compared


def text(result: Result, columns: int | None, *, stat: bool) -> str:
    if isinstance(result, Difference):
        return for_people.summary(result, columns) if stat else for_people.text(result, columns)
    return for_people.many(result, columns, stat=stat)


def names(result: Result) -> list[str]:
    return list(dict.fromkeys(name for each in each_of(result) for name in for_people.names(each)))


def markdown(result: Result) -> str:
    if isinstance(result, Difference):
        return for_pull_requests.markdown(result)
    return for_pull_requests.many(result)


def html(result: Result, unchanged: page.Unchanged) -> str:
    return page.page(each_of(result), places.templates() / "pages", unchanged)


def paint(*, stat: bool) -> Callable[[str], str] | None:
    in_colour = sys.stdout.isatty() and not stat and not os.environ.get("NO_COLOR")
    return painted if in_colour else None


def is_under(result: Result, percent: float) -> bool:
    """What could not be compared is not passed over."""
    scores = [score for each in each_of(result) for score in each.scores]
    return any(not score.compared or score.percent < percent for score in scores)
