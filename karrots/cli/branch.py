from __future__ import annotations

from typing import Annotated

import typer

from karrots.cli.arguments import DryRun, On, Set, TakeOver, Timeout, Ttl, WaitFor, Yes, overrides
from karrots.cli.session import Session, verb
from karrots.cli.texts import brought_up
from karrots.ops.wait import Wait


@verb
def command(
    session: Session,
    git_branch: Annotated[
        str, typer.Argument(metavar="GIT_BRANCH", help="The git branch to make, e.g. feature/JIRA-1234.")
    ],
    cluster: Annotated[
        str | None,
        typer.Argument(metavar="[CLUSTER]", help="Its cluster; without it a name made of both.", show_default=False),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="REF", help="Branch from this commit, not from HEAD.", show_default=False),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="COMMIT|TIME",
            help="Branch the past: where this branch was. A time is 2026-11-21 (its end) or 2026-11-21T07:00Z.",
            show_default=False,
        ),
    ] = None,
    set_: Set = None,
    ttl: Ttl = None,
    on: On = None,
    wait: WaitFor = Wait.ready,
    timeout: Timeout = None,
    dry_run: DryRun = False,
    take_over: TakeOver = "",
    yes: Yes = False,
) -> None:
    """Branch this cluster: a git branch and a cluster that follows it.

    No file is copied: promotion is a plain git merge. Running it again goes on where it stopped.

    [bold]Examples[/]

      cd clusters/qa && karrots branch feature/JIRA-1234 qa-feature-1234

      karrots branch fix/login --from v1.4 --ttl 3d --dry-run

      karrots branch look/back --at 2026-11-21T07:00Z
    """
    from karrots.ops.branch import BranchOptions, branch

    options = BranchOptions(overrides(set_), ttl, on, wait, timeout, dry_run, take_over, source, at)
    result = branch(session.answering(yes), git_branch, cluster, options)
    session.show(result, lambda: brought_up(result), lambda: [result.name])
