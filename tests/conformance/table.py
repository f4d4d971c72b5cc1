"""What the suite found, as a table: a row for each case, a column for each provider. Made of the run's own reports."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from karrots.providers import PROVIDERS
from tests.support.variants import VARIANTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

KEY = "conformance"
NOT_ASKED = ""


def cell_of(item: pytest.Item) -> tuple[str, str] | None:
    """Case and provider, where a test is about one: by its name or by the name of a shape of its root."""
    given: dict[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
    names = [given[key] for key in ("name", "cloud") if key in given]
    found = [VARIANTS[it].provider if it in VARIANTS else it for it in names]
    case = getattr(item, "originalname", "").removeprefix("test_").replace("_", " ")
    return (case, found[0]) if found and found[0] in PROVIDERS else None


class Table:
    """`seen` has for each case and provider how each of its tests ended."""

    def __init__(self) -> None:
        self.seen: dict[str, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))

    def add(self, report: pytest.TestReport) -> None:
        """A test has three reports, and one that failed in any of them has failed."""
        cells: list[Any] = [value for key, value in report.user_properties if key == KEY]
        for case, provider in cells:
            ends = self.seen[case][provider]
            if report.failed or (report.skipped and report.nodeid not in ends):
                ends[report.nodeid] = report.outcome
            elif report.when == "call":
                ends.setdefault(report.nodeid, report.outcome)

    def lines(self) -> Iterator[str]:
        """As Markdown has it."""
        columns = sorted(PROVIDERS)
        yield f"| case | {' | '.join(columns)} |"
        yield f"|---|{'---|' * len(columns)}"
        for case, row in sorted(self.seen.items()):
            yield f"| {case} | {' | '.join(outcome(row.get(name, {})) for name in columns)} |"


def outcome(ends: dict[str, str]) -> str:
    """Of all tests of one cell: the worst counts."""
    how_many = f" ({len(ends)})" if len(ends) > 1 else ""
    failed = [it for it in ends.values() if it == "failed"]
    if failed:
        return f"**FAILS** ({len(failed)} of {len(ends)})"
    skipped = [it for it in ends.values() if it == "skipped"]
    return f"skipped ({len(skipped)} of {len(ends)})" if skipped else f"passes{how_many}" if ends else NOT_ASKED
