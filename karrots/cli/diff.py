from __future__ import annotations

import math
from enum import StrEnum
from typing import Annotated

import typer

from karrots.cli.arguments import cluster_names
from karrots.cli.session import Session, verb_with_pages, width
from karrots.errors import ExitCode


class Level(StrEnum):
    content = "content"
    rendered = "rendered"
    terraform = "terraform"
    live = "live"


def percent(value: float | None) -> float | None:
    """`nan` lies between any two bounds, and no score would ever be lower."""
    if value is not None and math.isnan(value):
        raise typer.BadParameter("it is not a number")
    return value


A = Annotated[
    str,
    typer.Argument(
        metavar="A", help="A cluster, NAME@COMMIT, a cluster directory or a git ref.", autocompletion=cluster_names
    ),
]
B = Annotated[
    list[str],
    typer.Argument(metavar="B…", help="What is compared with it; several at once.", autocompletion=cluster_names),
]
Levels = Annotated[
    list[Level] | None,
    typer.Option("--level", help="What is compared; content and rendered without it. Repeatable.", show_default=False),
]
FailUnder = Annotated[
    float | None,
    typer.Option(
        "--fail-under",
        metavar="PERCENT",
        min=0,
        max=100,
        callback=percent,
        help="Exit with 1 when a score is lower, or a level could not be compared.",
        show_default=False,
    ),
]


@verb_with_pages
def command(
    session: Session,
    a: A,
    b: B,
    level: Levels = None,
    stat: Annotated[bool, typer.Option("--stat", help="Only what differs, and how much.")] = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 1 when they differ, as git does.")] = False,
    fail_under: FailUnder = None,
) -> None:
    """What differs between clusters, directories, commits or git refs.

    content: the files, as git sees them. rendered: what Flux would apply,
    object by object. terraform: the root, its variables and outputs.
    live: the objects of the running clusters. Identity (name, domain, range
    …) always differs between two clusters and is shown apart, as are
    overrides; the score says how much of the rest is equal. For a cluster
    the head of its branch counts, which is what Flux follows. Values of
    Secrets are never shown.

    [bold]Examples[/]

      karrots diff qa qa-feature-1234

      karrots diff qa qa-feature-1234 --level live --level terraform

      karrots diff qa qa@HEAD~3 --stat

      karrots diff qa qa-feature-1234 -o html > diff.html

      karrots diff qa qa-feature-1 qa-feature-2 -o markdown

      karrots diff main feature/JIRA-1234 --fail-under 99.5
    """
    from karrots.cli import differences
    from karrots.diff.model import LEVELS
    from karrots.ops.diff import USUAL, Options, diff

    chosen = tuple(each for each in LEVELS if Level(each) in level) if level else USUAL
    options = Options(chosen, stat)
    result = diff(session.settings, a, b, options)
    session.show(
        result,
        lambda: differences.text(result, width(), stat=stat),
        lambda: differences.names(result),
        paint=differences.paint(stat=stat),
        pages={
            "markdown": lambda: differences.markdown(result),
            "html": lambda: differences.html(result, options.around.settings),
        },
    )
    if (exit_code and result.differs) or (fail_under is not None and differences.is_under(result, fail_under)):
        raise typer.Exit(ExitCode.DIFFERENCES)
