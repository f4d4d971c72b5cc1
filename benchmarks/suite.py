"""All rows, in the order they are run and shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import clouds, clusters, command_line, content, diffs, rehearsal, repository, state
from karrots.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.row import Row

MODULES = (clusters, rehearsal, command_line, repository, state, content, diffs, clouds)
ROWS: dict[str, Row] = {row.name: row for module in MODULES for row in module.ROWS}


def chosen(names: Sequence[str]) -> list[Row]:
    """All of them when none is named. Raises UsageError for a name that is none."""
    for name in names:
        if name not in ROWS:
            raise UsageError(f"there is no row '{name}'", hint=f"the rows: {', '.join(ROWS)}")
    return [ROWS[name] for name in names or ROWS]
