from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from karrots.cli.session import Session, verb
from karrots.cli.topics import ENVIRONMENT, EXIT_CODES
from karrots.report.tables import table


class Topic(StrEnum):
    exit_codes = "exit-codes"
    environment = "environment"


@dataclass(frozen=True)
class Explained:
    topic: str
    entries: dict[str, str]


@verb
def command(session: Session, topic: Annotated[Topic, typer.Argument(help="What to read about.")]) -> None:
    """Topics: exit-codes, environment.

    What no single command explains.

    [bold]Examples[/]

      karrots help exit-codes
    """
    codes = {str(int(code)): text for code, text in EXIT_CODES.items()}
    heading, entries = ("EXIT", codes) if topic is Topic.exit_codes else ("VARIABLE", ENVIRONMENT)
    explained = Explained(topic.value, entries)
    session.show(explained, lambda: table((heading, "MEANING"), list(entries.items())), lambda: list(entries))
