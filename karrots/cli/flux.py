"""`karrots flux …`: Flux's components as content."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  (Typer reads the type at run time)
from typing import Annotated

import typer

from karrots.cli.session import Session, verb
from karrots.cli.texts import pinned_text
from karrots.errors import UsageError

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    add_completion=False,
    help="Flux's components as content: pin.\n\nEvery branch of a cluster directory gets the Flux pinned there.",
)


@app.callback()
def root() -> None:
    """Keeps `pin` a word of its own."""


@app.command("pin")
@verb
def pin(
    session: Session,
    version: Annotated[
        str, typer.Argument(metavar="VERSION", help="A release of Flux, e.g. 2.9.5.", show_default=False)
    ],
    place: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DIRECTORY]", help="The cluster directory; this one when left out.", show_default=False
        ),
    ] = None,
    from_: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="A manifest that is there already.")
    ] = None,
    sha256: Annotated[
        str, typer.Option("--sha256", metavar="SUM", help="What the manifest's checksum must be.", show_default=False)
    ] = "",
) -> None:
    """Write Flux's components into the cluster directory, and their version into cluster.yaml.

    Made with the flux program where there is one, else fetched from the
    release on GitHub and compared with its checksum.

    [bold]Examples[/]

      karrots flux pin 2.9.5

      flux install --export --version=v2.9.5 > gotk.yaml && karrots flux pin 2.9.5 clusters/qa --from gotk.yaml
    """
    from dataclasses import replace

    from karrots.ops.flux import pin as run

    start = session.start / (place or "")
    if not start.is_dir():
        raise UsageError(f"'{place}' is not a folder", hint="karrots flux pin VERSION clusters/NAME")
    settings = replace(session.settings, start=start)
    result = run(settings, version, file=from_, sha256=sha256)
    session.show(result, lambda: pinned_text(result), lambda: list(result.images))
