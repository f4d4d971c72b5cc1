from __future__ import annotations

import typer

from karrots.cli.session import Session, verb, width
from karrots.cli.texts import diagnosis_text
from karrots.errors import ExitCode


@verb
def command(session: Session) -> None:
    """Is this computer ready, and what to type where it is not.

    [bold]Examples[/]

      karrots doctor

      karrots doctor -o json
    """
    from karrots.ops.doctor import doctor

    result = doctor(session.settings)
    session.show(result, lambda: diagnosis_text(result, width()), lambda: [c.what for c in result.checks if not c.ok])
    if result.problems:
        raise typer.Exit(ExitCode.PREFLIGHT_FAILED)
