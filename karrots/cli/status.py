from __future__ import annotations

from typing import Annotated

import typer

from karrots.cli.arguments import Fetch
from karrots.cli.session import Session, verb, width
from karrots.cli.texts import fleet_text
from karrots.errors import UsageError
from karrots.report.document import Format

WATCH_SECONDS = 2.0


@verb
def command(
    session: Session,
    fetch: Fetch = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show it again and again, until Ctrl-C.")] = False,
) -> None:
    """List the clusters of the fleet with their Flux state.

    CONTENT is the commit last applied, and the branch's head where that is
    another; BEHIND how many commits of its parent's branch it does not have. On
    the local engine nodes and pods are simulated; everything else
    is real.

    [bold]Examples[/]

      karrots status

      karrots status -w
    """
    from karrots.ops.listing import status

    if watch:
        watch_status(session, fetch)
        return
    result = status(session.settings, fetch=fetch)
    session.show(result, lambda: fleet_text(result, width()), lambda: [row.name for row in result.clusters])


def watch_status(session: Session, fetch: bool) -> None:
    import sys
    import time

    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from karrots.ops.listing import status

    if session.output is not Format.text or not sys.stdout.isatty():
        raise UsageError("--watch draws on a terminal", hint=f"karrots status -o {session.output}")
    settings = session.settings
    try:
        with Live(console=Console(), auto_refresh=False) as live:
            while True:
                live.update(Text(fleet_text(status(settings, fetch=fetch), width())), refresh=True)
                time.sleep(WATCH_SECONDS)
    except KeyboardInterrupt:
        return
