from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from karrots.cli.session import Session, verb, write
from karrots.cli.topics import ENVIRONMENT, EXIT_CODES
from karrots.report.tables import table


class Topic(StrEnum):
    exit_codes = "exit-codes"
    environment = "environment"


@verb
def command(session: Session, topic: Annotated[Topic, typer.Argument(help="What to read about.")]) -> None:
    """Topics: exit-codes, environment.

    What no single command explains.

    [bold]Examples[/]

      karrots help exit-codes
    """
    del session  # prose has one form
    if topic is Topic.exit_codes:
        write(table(("EXIT", "MEANING"), [(str(int(code)), text) for code, text in EXIT_CODES.items()]))
    else:
        write(table(("VARIABLE", "MEANING"), list(ENVIRONMENT.items())))
