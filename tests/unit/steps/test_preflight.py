"""What a preflight that is not well ends with."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from karrots.errors import KarrotsError, LoginNeeded, PreflightFailed
from karrots.providers.base import Check
from karrots.providers.questions import of_error
from karrots.steps.preflight import refuse_problems

if TYPE_CHECKING:
    from karrots.steps.context import Context

LOGGED_OUT = of_error("AWS login", LoginNeeded("you are not logged in to AWS", hint="aws sso login"))
NO_ZONE = Check("zones", ok=False, found="1 of 2 needed", hint="set network.zones to 1")


@pytest.mark.parametrize(
    ("rows", "kind"), [([NO_ZONE], PreflightFailed), ([LOGGED_OUT], LoginNeeded), ([NO_ZONE, LOGGED_OUT], LoginNeeded)]
)
def test_who_has_to_log_in_is_told_by_the_exit_code_too(rows: list[Check], kind: type[KarrotsError]) -> None:
    ctx = cast("Context", SimpleNamespace(checks=rows, record=SimpleNamespace(name="qa")))
    with pytest.raises(kind) as caught:
        refuse_problems(ctx)
    assert type(caught.value) is kind
    assert all(row.found in caught.value.why for row in rows)
    assert all(row.hint in caught.value.hint for row in rows)


def test_when_all_is_well_nothing_is_said() -> None:
    rows = [Check("zones", ok=True, found="3 of 2 needed")]
    refuse_problems(cast("Context", SimpleNamespace(checks=rows, record=SimpleNamespace(name="qa"))))


def test_a_page_of_garbage_is_one_short_line() -> None:
    row = of_error("vCPUs", KarrotsError("AWS answered with what is no answer", why="<html>\n" + "x" * 5000))
    assert "\n" not in row.found
    assert len(row.found) == 300
