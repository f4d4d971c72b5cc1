"""`karrots engine …`: the local Kubernetes itself."""

from __future__ import annotations

from typing import Annotated

import typer

from karrots.cli.arguments import Name, Yes
from karrots.cli.session import Session, verb, width
from karrots.cli.texts import build_text, engine_text, engines_text, freed_text

Names = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME…]", help="Clusters, by name or id.", show_default=False)
]
SomeNames = Annotated[list[str], typer.Argument(metavar="NAME…", help="Clusters, by name or id.", show_default=False)]

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    add_completion=False,
    help="The local engine: build, status, list, logs, up, stop, clean.\n\n"
    "Real etcd, API server, controllers and Flux; nodes and pods are simulated.",
)


@app.command("build")
@verb
def build(session: Session) -> None:
    """Build the engine's binaries, once for this computer.

    About eight minutes on two cores the first time; afterwards they are found in the cache.

    [bold]Examples[/]

      karrots engine build
    """
    from karrots.ops.engine import build as run

    result = run(session.settings)
    session.show(result, lambda: build_text(result), lambda: [result.folder])


@app.command("status")
@verb
def status(session: Session, name: Annotated[str | None, typer.Argument(metavar="[NAME]")] = None) -> None:
    """The processes of the engine's clusters, and what is simulated.

    [bold]Examples[/]

      karrots engine status qa
    """
    from karrots.ops.engine import status as run

    result = run(name)
    session.show(result, lambda: engine_text(result, width()), lambda: [c.name for c in result.clusters])


@app.command("list")
@verb
def list_(session: Session) -> None:
    """The engine's clusters on this computer, known to a fleet or not.

    [bold]Examples[/]

      karrots engine list
    """
    from karrots.ops.engine import status as run

    result = run(None)
    session.show(result, lambda: engines_text(result, width()), lambda: [c.name for c in result.clusters])


@app.command("logs")
@verb
def logs(
    session: Session,
    name: Name,
    component: Annotated[str | None, typer.Argument(metavar="[COMPONENT]", help="etcd, apiserver, kustomize …")] = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, max=100000, help="How many from the end.")] = 50,
) -> None:
    """What the processes of one cluster wrote.

    [bold]Examples[/]

      karrots engine logs qa kustomize-controller
    """
    from karrots.ops.engine import logs as run

    result = run(name, component, lines)
    session.show(result, lambda: "".join(f"{line}\n" for line in result.lines), lambda: list(result.files))


@app.command("up")
@verb
def up(session: Session, names: Names = None) -> None:
    """Start what is not running of clusters, with their data; without a name, of all on this computer.

    After a restart of the computer the clusters come back with their objects,
    at their old addresses. A cluster that cannot come up does not stop the others.

    [bold]Examples[/]

      karrots engine up

      karrots engine up qa qa-feature-1234
    """
    from karrots.ops.engine import up as run

    result = run(session.settings, names or [])
    session.show(result, lambda: engine_text(result, width()), lambda: [c.name for c in result.clusters])


@app.command("stop")
@verb
def stop(session: Session, names: SomeNames) -> None:
    """Stop the processes of clusters and keep their data.

    [bold]Examples[/]

      karrots engine stop qa && karrots engine up qa
    """
    from karrots.ops.engine import stop as run

    result = run(names)
    session.show(result, lambda: engine_text(result, width()), lambda: [c.name for c in result.clusters])


@app.command("clean")
@verb
def clean(
    session: Session,
    binaries: Annotated[bool, typer.Option("--binaries", help="Remove the built binaries as well.")] = False,
    yes: Yes = False,
) -> None:
    """Stop and remove what no fleet knows any more: stray processes, clusters without a Terraform state, old builds.

    [bold]Examples[/]

      karrots engine clean
    """
    from karrots.ops.engine import clean as run

    result = run(session.answering(yes), binaries_too=binaries)
    session.show(result, lambda: freed_text(result), lambda: list(result.clusters))
