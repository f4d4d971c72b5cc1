from __future__ import annotations

from karrots.cli.arguments import OptionalName, TakeOver, Timeout, WaitFor, Yes
from karrots.cli.session import Session, verb
from karrots.cli.texts import brought_up
from karrots.ops.wait import Wait


@verb
def command(
    session: Session,
    name: OptionalName = None,
    wait: WaitFor = Wait.ready,
    timeout: Timeout = None,
    take_over: TakeOver = "",
    yes: Yes = False,
) -> None:
    """Converge infrastructure and Flux to the branch's present content.

    A plan that destroys or replaces the cluster itself asks first.

    [bold]Examples[/]

      karrots apply qa-feature-1234

      karrots apply --wait infra
    """
    from karrots.ops.apply import apply

    result = apply(session.answering(yes), name, wait=wait, timeout=timeout, take_over=take_over)
    session.show(result, lambda: brought_up(result), lambda: [result.name])
