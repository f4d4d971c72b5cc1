"""A few runs of each class, by fixed seeds, in `make test`; `make torture` does the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.torture.__main__ import run, table
from tests.torture.catalogue import ROWS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.torture.frame import Torture


@pytest.mark.parametrize("torture", [row for row in ROWS if row.slice], ids=lambda torture: torture.name)
def test_a_slice(torture: Torture, engine_bin: Path) -> None:
    row = run(torture, range(1, torture.slice + 1), engine_bin, lambda _: None)
    assert row.runs == torture.slice
    assert not row.failures, table([row])
