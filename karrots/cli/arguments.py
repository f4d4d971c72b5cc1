"""Arguments and options that several verbs share."""

from __future__ import annotations

import math
from collections.abc import Iterator  # noqa: TC003  (Typer reads the type of the completion at run time)
from typing import Annotated

import typer

from karrots.errors import KarrotsError, UsageError
from karrots.ops.wait import Wait


def cluster_names(incomplete: str) -> Iterator[tuple[str, str]]:
    """For completion: from the ledger in this clone, never over a network."""
    from pathlib import Path

    from karrots.fleet.workspace import Workspace

    try:
        records = Workspace.open(Path.cwd()).known.records()
    except KarrotsError:
        return
    for record in records:
        if record.name.startswith(incomplete):
            yield record.name, f"{record.provider} · {record.branch} · {record.phase}"


def number(value: float | None) -> float | None:
    """`nan` lies between any two bounds, and would never be over."""
    if value is not None and math.isnan(value):
        raise typer.BadParameter("it is not a number of seconds")
    return value


Name = Annotated[
    str, typer.Argument(metavar="NAME", help="The cluster.", autocompletion=cluster_names, show_default=False)
]
OptionalName = Annotated[
    str | None,
    typer.Argument(
        metavar="[NAME]",
        help="The cluster; without it the one of this directory and branch.",
        autocompletion=cluster_names,
        show_default=False,
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Override a key of cluster.yaml for this cluster only. Repeatable."
    ),
]
Ttl = Annotated[
    str | None, typer.Option("--ttl", metavar="TIME", help="When it expires: 8h, 3d, 2w.", show_default=False)
]
On = Annotated[
    str | None,
    typer.Option("--on", metavar="PROVIDER", help="Bring it up there instead, e.g. local.", show_default=False),
]
WaitFor = Annotated[Wait, typer.Option("--wait", help="How far to go before returning.")]
Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        min=1,
        max=7200,
        callback=number,
        help="How long one wait may last: 300, to destroy 120; in a cloud 900.",
        show_default=False,
    ),
]
TakeOver = Annotated[
    str,
    typer.Option(
        "--take-over",
        metavar="OPERATION",
        help="Take the cluster from the operation of this id, when its lease is over, or its state from this lock.",
        show_default=False,
    ),
]
LeaveDoubtful = Annotated[
    bool, typer.Option("--leave-doubtful", help="Leave what bears the name and is not provably the cluster's.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check everything, change nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Answer yes.")]
Fetch = Annotated[bool, typer.Option("--fetch", help="Ask the remote for the present ledger first.")]


def overrides(given: list[str] | None) -> dict[str, str]:
    return pairs(given, "--set nodes.default.count=2")


def pairs(given: list[str] | None, example: str) -> dict[str, str]:
    """Raises UsageError for what is not KEY=VALUE."""
    found: dict[str, str] = {}
    for pair in given or ():
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"'{pair}' is not KEY=VALUE", hint=example)
        found[key] = value
    return found
