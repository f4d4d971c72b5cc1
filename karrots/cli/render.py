from __future__ import annotations

from typing import Annotated

import typer

from karrots.cli.session import Session, verb
from karrots.cli.texts import rendered_text
from karrots.errors import ExitCode


@verb
def command(
    session: Session,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 when something would change.")
    ] = False,
) -> None:
    """Write terraform/ and flux/services/ from cluster.yaml.

    Both are committed with cluster.yaml, so that a reviewer reads both.

    [bold]Examples[/]

      cd clusters/qa && karrots render && git add . && git commit -m 'Two nodes'
    """
    from karrots.ops.content import render

    result = render(session.settings, check=check)
    session.show(result, lambda: rendered_text(result), lambda: list(result.files))
    if check and result.changed:
        raise typer.Exit(ExitCode.DIFFERENCES)
