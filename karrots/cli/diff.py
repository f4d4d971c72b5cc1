from __future__ import annotations

from typing import Annotated

import typer

from karrots.cli.session import Session, verb
from karrots.cli.texts import difference_text, painted
from karrots.errors import ExitCode


@verb
def command(
    session: Session,
    a: Annotated[str, typer.Argument(metavar="A", help="A cluster, a cluster directory or a git ref.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The other one.")],
    stat: Annotated[bool, typer.Option("--stat", help="Only which files, and how much.")] = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 1 when they differ, as git does.")] = False,
) -> None:
    """What differs between two clusters, directories or git refs.

    Content is shown as git sees it. Identity (name, domain, range …) always
    differs between two clusters and is shown apart, as are overrides. For a
    cluster the head of its branch counts, which is what Flux follows.

    [bold]Examples[/]

      karrots diff qa qa-feature-1234

      karrots diff qa prod --stat

      karrots diff main feature/JIRA-1234 --exit-code
    """
    import os
    import sys

    from karrots.ops.diff import diff

    result = diff(session.settings, a, b, stat=stat)
    in_colour = sys.stdout.isatty() and not stat and not os.environ.get("NO_COLOR")
    session.show(
        result,
        lambda: difference_text(result),
        lambda: [file.path for file in result.files],
        paint=painted if in_colour else None,
    )
    if exit_code and result.differs:
        raise typer.Exit(ExitCode.DIFFERENCES)
