from __future__ import annotations

from karrots.cli.arguments import OptionalName
from karrots.cli.session import Session, verb, width
from karrots.cli.texts import detail_text


@verb
def command(session: Session, name: OptionalName = None) -> None:
    """Everything known about one cluster.

    Its record, its parts, and the Flux objects in it.

    [bold]Examples[/]

      karrots show qa-feature-1234

      karrots show -o json | jq .record
    """
    from karrots.ops.listing import show

    result = show(session.settings, name)
    session.show(result, lambda: detail_text(result, width()), lambda: [result.row.name])
