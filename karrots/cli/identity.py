from __future__ import annotations

import json
from typing import Annotated

import typer

from karrots.cli.arguments import OptionalName
from karrots.cli.session import Session, verb


@verb
def command(
    session: Session,
    name: OptionalName = None,
    write: Annotated[
        bool, typer.Option("--write", help="Write terraform/identity.auto.tfvars.json (git ignores it).")
    ] = False,
) -> None:
    """What belongs to one cluster alone, as Terraform variables.

    With them an ejected terraform/ can be used by hand.

    [bold]Examples[/]

      karrots identity qa

      karrots identity --write && karrots run qa -- terraform -chdir=terraform init
    """
    from karrots.ops.content import identity

    result = identity(session.settings, name, save=write)
    session.show(result, lambda: json.dumps(result.variables, indent=2) + "\n", lambda: [result.path])
