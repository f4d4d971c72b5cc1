from __future__ import annotations

from typing import Annotated

import typer

from karrots.cli.arguments import Name
from karrots.cli.session import Session, verb

SETTINGS = {"ignore_unknown_options": True, "allow_interspersed_args": False}


@verb
def command(
    session: Session,
    name: Name,
    argv: Annotated[
        list[str] | None,
        typer.Argument(metavar="-- COMMAND…", help="What to run, with KUBECONFIG set.", show_default=False),
    ] = None,
) -> None:
    """Run a command against one cluster.

    It gets a private kubeconfig; Terraform and OpenTofu also get the
    cluster's state. The exit status is the command's.

    [bold]Examples[/]

      karrots run qa-feature-1234 -- kubectl get pods -A

      karrots run qa -- terraform -chdir=terraform init
    """
    from karrots.ops.reach import run

    words = list(argv or ())
    raise typer.Exit(run(session.settings, name, words[1:] if words[:1] == ["--"] else words))
