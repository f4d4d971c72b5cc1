from __future__ import annotations

from collections.abc import Iterator  # noqa: TC003  (Typer reads the type of the completion at run time)
from typing import Annotated

import typer

from karrots.cli.arguments import OptionalName
from karrots.cli.session import Session, verb, width
from karrots.cli.texts import fence_text


def kinds(incomplete: str) -> Iterator[tuple[str, str]]:
    """For completion: the kinds that a fence holds."""
    from karrots.fence.kinds import MAKERS, SWITCHES

    reasons = {each.kind.name: each.reason for each in (*SWITCHES, *MAKERS)}
    yield from ((kind, why) for kind, why in sorted(reasons.items()) if kind.lower().startswith(incomplete.lower()))


def _option(flag: str, text: str) -> object:
    return typer.Option(flag, metavar="KIND|NAME", help=text, autocompletion=kinds, show_default=False)


@verb
def command(
    session: Session,
    name: OptionalName = None,
    opened: Annotated[list[str] | None, _option("--open", "Let it act in this copy. Repeatable.")] = None,
    closed: Annotated[list[str] | None, _option("--close", "Hold it (again). Repeatable.")] = None,
) -> None:
    """What a copy is kept from doing; open and close it.

    A copy runs the same manifests as its parent and must not act on the outside
    world as that does: its cron jobs, backups, git writers and alerts are held
    by the API server, and content stays as it is. KIND|NAME is CronJob, report,
    CronJob/report or CronJob/shop/report; a name counts before a kind.

    [bold]Examples[/]

      karrots fence qa-feature-1234

      karrots fence qa-feature-1234 --open CronJob/shop/report

      karrots fence qa-feature-1234 --close cronjobs -o json
    """
    from karrots.ops.fence import fence

    result = fence(session.settings, name, opened=opened or (), closed=closed or ())
    session.show(
        result, lambda: fence_text(result, width()), lambda: [i.label for i in result.items if i.state != "open"]
    )
