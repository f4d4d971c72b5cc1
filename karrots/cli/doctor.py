from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from karrots.cli.arguments import Yes
from karrots.cli.session import Session, verb, width
from karrots.cli.texts import diagnosis_text, repairs_text
from karrots.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from karrots.ops.repair import Repairs

Repair = Annotated[bool, typer.Option("--repair", help="Mend what an interrupted past left, each after a yes.")]
OnlyList = Annotated[bool, typer.Option("--dry-run", help="With --repair: list it and change nothing.")]


@verb
def command(session: Session, repair: Repair = False, dry_run: OnlyList = False, yes: Yes = False) -> None:
    """Is this computer ready, and what to type where it is not.

    Where karrots.yaml keeps Terraform states in a cloud, that place too: is
    it there, ours, with versions, encrypted, closed, and can it be locked.
    --repair makes what it lacks.

    --repair looks for what killed commands left on this computer and in this
    fleet: leases, records without a cluster, clusters and processes without a
    record, stale locks, states, files. What cannot be proven to be left over
    is shown with the command to type, and stays. It ends with 0 when nothing
    is left, 9 when something is, and 3 when nobody can be asked.

    [bold]Examples[/]

      karrots doctor

      karrots doctor --repair --dry-run

      karrots doctor --repair --yes -o json
    """
    if repair:
        mend(session, dry_run=dry_run, yes=yes)
    elif dry_run or yes:
        raise UsageError("--dry-run and --yes go with --repair", hint="karrots doctor --repair --dry-run")
    else:
        diagnose(session)


def diagnose(session: Session) -> None:
    from karrots.ops.doctor import doctor

    result = doctor(session.settings)
    session.show(result, lambda: diagnosis_text(result, width()), lambda: [c.what for c in result.checks if not c.ok])
    if result.problems:
        raise typer.Exit(ExitCode.PREFLIGHT_FAILED)


def mend(session: Session, *, dry_run: bool, yes: bool) -> None:
    from karrots.ops.repair import look
    from karrots.ops.repair import repair as run

    unasked = not dry_run and not yes and not session.may_ask()
    result = look(session.settings) if dry_run or unasked else run(session.answering(yes))
    session.show(result, lambda: repairs_text(result), lambda: [finding.subject for finding in result.left])
    if result.left:
        raise typer.Exit(status(result, unasked=unasked))


def status(result: Repairs, *, unasked: bool) -> ExitCode:
    answers = unasked and any(finding.mending for finding in result.left)
    return ExitCode.REFUSED if answers else ExitCode.LEFTOVERS
