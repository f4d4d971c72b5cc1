from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated

import typer

from karrots.cli.session import Session, verb, write


class Kind(StrEnum):
    cluster = "cluster"
    fleet = "fleet"


@verb
def command(
    session: Session,
    kind: Annotated[Kind, typer.Argument(help="cluster: cluster.yaml; fleet: karrots.yaml.")],
) -> None:
    """Print the JSON Schema of cluster.yaml or karrots.yaml.

    Editors check and complete with it.

    [bold]Examples[/]

      karrots schema cluster > cluster.schema.json
    """
    from karrots.spec.schema import json_schema

    del session  # a schema is JSON in every output format
    write(json.dumps(json_schema(kind.value), indent=2) + "\n")
