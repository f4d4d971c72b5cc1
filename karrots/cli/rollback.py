from __future__ import annotations

from collections.abc import Iterator  # noqa: TC003  (Typer reads the type of the completion at run time)
from typing import Annotated

import typer

from karrots.cli.arguments import DryRun, OptionalName, Timeout, Yes
from karrots.cli.move_texts import moved_text
from karrots.cli.session import Session, verb


def places(incomplete: str) -> Iterator[str]:
    """For completion."""
    if "last-good".startswith(incomplete):
        yield "last-good"


@verb
def command(
    session: Session,
    name: OptionalName = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="COMMIT|last-good",
            autocompletion=places,
            help="Its directory as it was at this commit, or at the newest one at which the ledger says it was Ready.",
            show_default=False,
        ),
    ] = None,
    timeout: Timeout = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Take the newest change of a cluster back, and see it Ready.

    The change is taken back by a commit of its own, so history stays; a merge
    is taken back as a whole. What it does is shown first. Run again, it goes
    on; it never takes its own rollback back. It is refused over content that
    migrated data: a line with karrots.dev/migration.

    [bold]Examples[/]

      karrots rollback qa

      karrots rollback qa --to last-good --yes

      karrots rollback qa --to 4f2a9c1 --dry-run
    """
    from karrots.ops.rollback import RollbackOptions, rollback

    result = rollback(session.answering(yes), name, RollbackOptions(timeout, dry_run, to))
    session.show(result, lambda: moved_text(result), lambda: [result.cluster])
