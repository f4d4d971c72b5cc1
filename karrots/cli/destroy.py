from __future__ import annotations

from typing import TYPE_CHECKING

from karrots.cli.arguments import LeaveDoubtful, OptionalName, TakeOver, Timeout, Yes
from karrots.cli.session import Session, verb
from karrots.cli.texts import receipt_text

if TYPE_CHECKING:
    from karrots.ops.settings import Settings


@verb
def command(
    session: Session,
    name: OptionalName = None,
    yes: Yes = False,
    timeout: Timeout = None,
    take_over: TakeOver = "",
    leave_doubtful: LeaveDoubtful = False,
) -> None:
    """Destroy a cluster and prove that nothing is left.

    It works when the git branch is gone, when a creation stopped half way,
    and again after a kill. Protected clusters and parents of live branches
    are refused. Without NAME the name must be typed, --yes or not.

    In a cloud only what is provably the cluster's is deleted. What bears its
    name alone is told, and the command ends with 9; when that is others', say
    --leave-doubtful, and the receipt names it.

    [bold]Examples[/]

      karrots destroy qa-feature-1234

      karrots destroy qa-feature-1234 --yes -o json
    """
    from karrots.ops.destroy import destroy

    settings = session.settings
    chosen = here(settings) if name is None else name  # an empty variable in a script is no order
    result = destroy(
        settings, chosen, named=name is not None, yes=yes, timeout=timeout, take_over=take_over,
        leave_doubtful=leave_doubtful,
    )  # fmt: skip
    session.show(result, lambda: receipt_text(result), lambda: [result.cluster])


def here(settings: Settings) -> str:
    from karrots.ops.apply import named

    return named(settings, None, fresh=True)[1].name
