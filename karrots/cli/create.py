from __future__ import annotations

from karrots.cli.arguments import DryRun, On, OptionalName, Set, TakeOver, Timeout, Ttl, WaitFor, Yes, overrides
from karrots.cli.session import Session, verb
from karrots.cli.texts import brought_up
from karrots.ops.bringup import Options
from karrots.ops.wait import Wait


@verb
def command(
    session: Session,
    name: OptionalName = None,
    set_: Set = None,
    ttl: Ttl = None,
    on: On = None,
    wait: WaitFor = Wait.ready,
    timeout: Timeout = None,
    dry_run: DryRun = False,
    take_over: TakeOver = "",
    yes: Yes = False,
) -> None:
    """Create the cluster of this directory and branch.

    Running it again goes on where it stopped.

    [bold]Examples[/]

      cd clusters/qa && karrots create

      karrots create qa-two --set nodes.default.count=2 --ttl 8h
    """
    from karrots.ops.create import create

    options = Options(overrides(set_), ttl, on, wait, timeout, dry_run, take_over)
    result = create(session.answering(yes), name, options)
    session.show(result, lambda: brought_up(result), lambda: [result.name])
