"""At the end of the suite its table is printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.conformance.table import KEY, Table, cell_of

if TYPE_CHECKING:
    import pytest

TABLE = Table()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Written on the test itself, so that it comes back with its reports from other processes too."""
    found = cell_of(item)
    if found is not None:
        item.user_properties.append((KEY, list(found)))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    TABLE.add(report)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if TABLE.seen:
        terminalreporter.section("conformance: what every provider must do")
        for line in TABLE.lines():
            terminalreporter.write_line(line)
