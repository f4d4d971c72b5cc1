from __future__ import annotations

from typing import Annotated

import typer

from karrots.cli.session import Session, verb
from karrots.cli.texts import demo_text


@verb
def command(
    session: Session,
    keep: Annotated[
        bool, typer.Option("--keep", help="Stay: leave the fleet and its clusters for a look around.")
    ] = False,
) -> None:
    """The whole story on this computer, for real.

    Create, branch, change, diff, merge, destroy: on a copy of the demo fleet
    in a temporary folder. Each command it stands for is printed. Nothing is
    left behind.

    [bold]Examples[/]

      karrots demo

      karrots demo --keep
    """
    from karrots.ops.demo import demo

    result = demo(session.settings, keep=keep)
    session.show(result, lambda: demo_text(result), lambda: [result.receipt.cluster])
