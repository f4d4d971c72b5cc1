"""`karrots services …`: the core services of a cluster directory."""

from __future__ import annotations

from collections.abc import Iterator  # noqa: TC003  (Typer reads the type of the completion at run time)
from enum import StrEnum
from typing import Annotated

import typer

from karrots.cli.arguments import pairs
from karrots.cli.session import Session, verb, width
from karrots.cli.texts import outdated_text, service_text, services_changed_text, services_text
from karrots.errors import ExitCode

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    add_completion=False,
    help="Core services: ls, show, enable, disable, outdated.\n\n"
    "Ingress, DNS, certificates, secrets, metrics and the like. cluster.yaml says which are on; what Flux applies is "
    "rendered below flux/services/ and committed with it.",
)


class Set(StrEnum):
    minimal = "minimal"
    web = "web"
    full = "full"


def service_names(incomplete: str) -> Iterator[tuple[str, str]]:
    from karrots.spec.services import CATALOGUE

    yield from ((name, entry.what) for name, entry in CATALOGUE.items() if name.startswith(incomplete))


Name = Annotated[
    str, typer.Argument(metavar="NAME", help="The service.", autocompletion=service_names, show_default=False)
]
Names = Annotated[
    list[str], typer.Argument(metavar="NAME…", help="Services.", autocompletion=service_names, show_default=False)
]


@app.command("ls")
@verb
def ls(session: Session) -> None:
    """List the services: on or off, version, what each needs.

    [bold]Examples[/]

      cd clusters/qa && karrots services ls
    """
    from karrots.ops.services import ls as run

    result = run(session.settings)
    session.show(result, lambda: services_text(result, width()), lambda: [row.name for row in result.services])


@app.command("show")
@verb
def show(session: Session, name: Name) -> None:
    """One service: its options, its charts, and where each value was looked up.

    [bold]Examples[/]

      karrots services show external-dns
    """
    from karrots.ops.services import show as run

    result = run(session.settings, name)
    session.show(result, lambda: service_text(result), lambda: [result.name])


@app.command("enable")
@verb
def enable(
    session: Session,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME…]", help="Services.", autocompletion=service_names, show_default=False),
    ] = None,
    set_: Annotated[
        Set | None, typer.Option("--set", help="Those that go together, as far as the provider has them.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="KEY=VALUE", help="What to tell the one service named. Repeatable."),
    ] = None,
) -> None:
    """Switch services on in cluster.yaml, and render what Flux applies.

    Nothing is committed. Comments stay where they are. A file that was changed
    by hand since it was rendered is kept, and named.

    [bold]Examples[/]

      cd clusters/qa && karrots services enable --set web

      karrots services enable cert-manager --option issuer=production
    """
    from karrots.ops.services import enable as run

    result = run(session.settings, names or [], set_.value if set_ else None, pairs(option, "--option policy=sync"))
    session.show(result, lambda: services_changed_text(result), lambda: list(result.files))


@app.command("disable")
@verb
def disable(session: Session, names: Names) -> None:
    """Switch services off, and remove what was rendered for them.

    Nothing is committed. A file that was changed by hand is kept, and named.

    [bold]Examples[/]

      karrots services disable kyverno
    """
    from karrots.ops.services import disable as run

    result = run(session.settings, names)
    session.show(result, lambda: services_changed_text(result), lambda: list(result.files))


@app.command("outdated")
@verb
def outdated(session: Session) -> None:
    """Which charts this karrots would render in another version; exits with 1 when there are any.

    [bold]Examples[/]

      karrots services outdated || karrots render
    """
    from karrots.ops.services import outdated as run

    result = run(session.settings)
    session.show(result, lambda: outdated_text(result, width()), lambda: [chart.chart for chart in result.charts])
    if result.charts:
        raise typer.Exit(ExitCode.DIFFERENCES)
