from __future__ import annotations

from typing import Annotated

import typer

from karrots.cli.session import Session, verb, width
from karrots.cli.texts import run_text, runs_text


@verb
def command(
    session: Session,
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="A run's id, its beginning, or 'last'.")] = None,
    cluster: Annotated[str | None, typer.Option("--cluster", metavar="NAME", help="Only runs on that cluster.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="How many.")] = 20,
) -> None:
    """What earlier runs of karrots did.

    Runs are kept on the computer where they ran.

    [bold]Examples[/]

      karrots logs

      karrots logs last
    """
    from karrots.ops import runs

    if run is None:
        listed = runs.listed(cluster, limit)
        session.show(listed, lambda: runs_text(listed, width()), lambda: [r.id for r in listed.runs])
        return
    one = runs.one(run)
    session.show(one, lambda: run_text(one), lambda: [one.run.id])
