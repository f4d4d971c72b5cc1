from __future__ import annotations

from karrots.cli.arguments import Fetch
from karrots.cli.session import Session, verb
from karrots.cli.texts import lineage_names, lineage_text


@verb
def command(session: Session, fetch: Fetch = False) -> None:
    """Which cluster came from which.

    [bold]Examples[/]

      karrots tree
    """
    from karrots.ops.listing import tree

    result = tree(session.settings, fetch=fetch)
    session.show(result, lambda: lineage_text(result), lambda: lineage_names(result))
