from __future__ import annotations

from typing import Annotated

import typer

from karrots.cli.arguments import overrides
from karrots.cli.session import Session, verb
from karrots.cli.texts import initialised_text

Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A key of the provider's section in karrots.yaml. Repeatable."),
]


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
    set_: Set = None,
    commit: Annotated[bool, typer.Option("--commit/--no-commit", help="Commit what was written.")] = True,
) -> None:
    """Write a fleet repository with one cluster directory.

    karrots.yaml and cluster.yaml have a comment on every key. Outside a git
    repository one is made here. Nothing that exists is written over.

    With a cloud as --provider, --set fills its section of karrots.yaml:
    account, project or subscription, region, and where Terraform's states are
    kept: state.bucket (eks, gke), or state.resource_group,
    state.storage_account and state.container (aks). `karrots doctor` looks
    whether that is there, and `karrots doctor --repair` makes it.

    [bold]Examples[/]

      mkdir fleet && cd fleet && karrots init

      karrots init --cluster prod --domain shop.example.com

      karrots init --provider eks --set account=123456789012 --set region=eu-central-1 --set state.bucket=shop-states
    """
    from karrots.ops.init import init
    from karrots.render.fleet import FleetOptions

    options = FleetOptions(
        cluster=cluster, domain=domain, provider=provider, pool=pool, prefix=prefix, settings=overrides(set_)
    )
    result = init(session.settings, options, commit=commit)
    session.show(result, lambda: initialised_text(result), lambda: list(result.files))
