from __future__ import annotations

from typing import Annotated

import typer

from karrots.cli.arguments import DryRun, OptionalName, Timeout, Yes, cluster_names
from karrots.cli.move_texts import moved_text, pull_request_text
from karrots.cli.session import Session, verb


@verb
def command(
    session: Session,
    name: OptionalName = None,
    into: Annotated[
        str | None,
        typer.Option(
            "--into",
            metavar="NAME",
            help="The receiving cluster; without it the parent.",
            autocompletion=cluster_names,
            show_default=False,
        ),
    ] = None,
    pr: Annotated[
        bool, typer.Option("--pr", help="Print the text of a pull request, as Markdown; nothing is changed.")
    ] = False,
    mends: Annotated[
        bool, typer.Option("--mends", help="The receiving cluster is not Ready, and this is what mends it.")
    ] = False,
    timeout: Timeout = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Merge a story into its parent's branch, and see the parent Ready.

    First it shows what the merge brings: commits, files, conflicts with their
    hunks, infrastructure, and what the copy's fence held and the parent will
    do. After a yes the merge is made without a work tree and pushed, Flux is
    asked, and the parent is waited for. A branch that is checked out moves
    together with its files, or not at all. When the parent does not become
    Ready, the first cause is told, and the way back: karrots rollback.

    [bold]Examples[/]

      karrots promote qa-feature-1234 --dry-run

      karrots promote qa-feature-1234 --yes

      karrots promote qa-feature-1234 --pr | gh pr create --body-file - --title Story
    """
    from karrots.ops.promote import PromoteOptions, promote

    result = promote(session.answering(yes), name, PromoteOptions(timeout, dry_run, into, pr, mends))
    session.show(result, lambda: pull_request_text(result) if pr else moved_text(result), lambda: [result.cluster])
