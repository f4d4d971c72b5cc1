from __future__ import annotations

from typing import Annotated

import typer

from karrots.cli.arguments import OptionalName
from karrots.cli.move_texts import history_text
from karrots.cli.session import Session, verb, width


@verb
def command(
    session: Session,
    name: OptionalName = None,
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="COUNT", help="How many, newest first.")] = 30,
) -> None:
    """What ran in a cluster and when, by whom, and how to look at it.

    From its branch (each commit of its directory, a merge as one) and from the
    ledger (each run of karrots); LOOK is the command that shows what it
    changed. It also tells of a cluster that is gone.

    [bold]Examples[/]

      karrots history qa

      karrots history qa --limit 5 -o json
    """
    from karrots.ops.history import history

    result = history(session.settings, name, limit)
    session.show(
        result, lambda: history_text(result, width()), lambda: [event.commit for event in result.events if event.commit]
    )
