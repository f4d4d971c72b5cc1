from __future__ import annotations

from typing import Annotated

import typer

from karrots.cli.session import Session, verb
from karrots.cli.texts import initialised_text


@verb
def command(
    session: Session,
    cluster: Annotated[str, typer.Option("--cluster", metavar="NAME", help="The first cluster directory.")] = "qa",
    domain: Annotated[str, typer.Option("--domain", help="Clusters get names below it.")] = "example.com",
    provider: Annotated[str, typer.Option("--provider", help="Where its clusters live.")] = "local",
    pool: Annotated[
        str, typer.Option("--pool", help="Address ranges of clusters are leased from it.")
    ] = "10.64.0.0/10",
    prefix: Annotated[int, typer.Option("--prefix", min=8, max=28, help="The size of one range.")] = 20,
    commit: Annotated[bool, typer.Option("--commit/--no-commit", help="Commit what was written.")] = True,
) -> None:
    """Write a fleet repository with one cluster directory.

    karrots.yaml and cluster.yaml have a comment on every key. Outside a git
    repository one is made here. Nothing that exists is written over.

    [bold]Examples[/]

      mkdir fleet && cd fleet && karrots init

      karrots init --cluster prod --domain shop.example.com
    """
    from karrots.ops.init import init
    from karrots.render.fleet import FleetOptions

    options = FleetOptions(cluster=cluster, domain=domain, provider=provider, pool=pool, prefix=prefix)
    result = init(session.settings, options, commit=commit)
    session.show(result, lambda: initialised_text(result), lambda: list(result.files))
