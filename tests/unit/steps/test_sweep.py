"""What a destroy says of the things that it did not take away."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from karrots.errors import Leftovers
from karrots.pipeline import Done
from karrots.providers.base import Footprint, Leftover, Swept
from karrots.steps.removal import Sweep

if TYPE_CHECKING:
    from karrots.steps.context import Context

OURS = Leftover("volume", "vol-1")
DOUBTFUL = Leftover("security group", "sg-1 (in doubt)", doubtful=True)


def context(*left: Leftover, leave_doubtful: bool = False) -> Any:
    provider = SimpleNamespace(sweep=lambda *_: Swept({"volumes": 2}, left), reclaim=lambda *_: None)
    return SimpleNamespace(
        provider=provider, record=SimpleNamespace(name="qa"), footprint=Footprint(), section=None,
        leave_doubtful=leave_doubtful, receipt={},
    )  # fmt: skip


def swept(ctx: Any) -> Sweep:
    step = Sweep()
    step.run(cast("Context", ctx))
    assert isinstance(step.check(cast("Context", ctx)), Done)
    return step


def test_when_nothing_is_left_the_receipt_says_so() -> None:
    ctx = context()
    swept(ctx)
    assert ctx.receipt == {"looked_for": {"volumes": 2}, "left": []}


def test_what_is_in_doubt_is_left_only_when_somebody_says_so() -> None:
    with pytest.raises(Leftovers, match="not all of it is gone") as caught:
        swept(context(OURS, DOUBTFUL))
    assert caught.value.hint == "karrots destroy qa"
    with pytest.raises(Leftovers) as caught:
        swept(context(DOUBTFUL))
    assert "karrots destroy qa --leave-doubtful" in caught.value.hint
    ctx = context(DOUBTFUL, leave_doubtful=True)
    swept(ctx)
    assert ctx.receipt["left"] == ["security group: sg-1 (in doubt)"]


def test_what_is_provably_its_own_is_never_left() -> None:
    with pytest.raises(Leftovers):
        swept(context(OURS, DOUBTFUL, leave_doubtful=True))
