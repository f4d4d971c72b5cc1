from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from karrots.cli.session import Session, verb, width
from karrots.cli.texts import rehearsed_text
from karrots.errors import ExitCode, UsageError

Directory = Annotated[
    Path | None,
    typer.Argument(metavar="[DIRECTORY]", help="The cluster directory; else the one we are in.", show_default=False),
]
Terraform = Annotated[bool, typer.Option("--terraform", help="Rehearse the Terraform root.")]
Root = Annotated[
    Path | None,
    typer.Option("--root", metavar="FOLDER", help="Any folder with a Terraform root instead.", show_default=False),
]
Schema = Annotated[
    list[Path] | None,
    typer.Option(
        "--schema", metavar="FILE", help="Providers recorded by 'terraform providers schema -json'. Repeatable."
    ),
]
Variables = Annotated[
    list[Path] | None,
    typer.Option("--var-file", metavar="FILE", help="Values of the root's variables (.tfvars). Repeatable."),
]


@verb
def command(
    session: Session,
    where: Directory = None,
    terraform: Terraform = False,
    root: Root = None,
    schema: Schema = None,
    var_file: Variables = None,
) -> None:
    """Run a Terraform root through its whole life, with no cloud.

    The real init, validate, plan, apply, second plan and destroy, with a
    provider that plays the recorded schemas of aws, google and azurerm, or
    yours. No credentials, no network; nothing is written beside your files,
    and no command in a provisioner is run. It proves the root against what
    the vendor's schema says, not against the cloud. Exits with 1 when an
    error is found.

    [bold]Examples[/]

      karrots rehearse --terraform clusters/qa

      karrots rehearse --terraform --root infra/network --var-file qa.tfvars

      terraform providers schema -json > schema.json

      karrots rehearse --terraform --root infra --schema schema.json -o json
    """
    from karrots.ops.rehearse import Options, rehearse

    if not terraform:
        raise UsageError("it has to be said what is rehearsed", hint="karrots rehearse --terraform")
    if where is not None and root is not None:
        raise UsageError("DIRECTORY and --root are two roots", hint="karrots rehearse --help")
    settings = session.settings if where is None else replace(session.settings, start=session.start / where)
    result = rehearse(settings, Options(root, tuple(schema or ()), tuple(var_file or ())))
    session.show(result, lambda: rehearsed_text(result, width()), lambda: [f.address for f in result.findings])
    if result.errors:
        raise typer.Exit(ExitCode.DIFFERENCES)
