from __future__ import annotations

from typing import Annotated

import typer

from karrots.cli.session import Session, verb
from karrots.cli.texts import lint_text
from karrots.errors import ExitCode


@verb
def command(
    session: Session,
    fix: Annotated[bool, typer.Option("--fix", help="Add what is missing where that is safe.")] = False,
    ref: Annotated[
        str | None, typer.Option("--ref", metavar="REF", help="Look at a commit, not at the working tree.")
    ] = None,
) -> None:
    """Find what Flux would stumble over, before it does.

    Variables nobody defines, Kustomizations that use identity without naming
    it, paths that are not there, committed sync objects, terraform/ that is
    not what cluster.yaml renders to. Exits with 1 when there is an error.

    [bold]Examples[/]

      cd clusters/qa && karrots lint --fix

      karrots lint --ref feature/JIRA-1234 -o json
    """
    from karrots.ops.content import lint

    result = lint(session.settings, fix=fix, ref=ref)
    session.show(result, lambda: lint_text(result), lambda: [f.path for f in result.findings])
    if result.errors:
        raise typer.Exit(ExitCode.DIFFERENCES)
