from __future__ import annotations

from karrots.cli.arguments import Fetch
from karrots.cli.session import Session, verb, width
from karrots.cli.texts import fleet_text


@verb
def command(session: Session, fetch: Fetch = False) -> None:
    """List the clusters of the fleet, asking none of them.

    It reads the ledger in this clone; --fetch asks the remote first. `karrots status` also asks the clusters.
    BEHIND: how many commits of its parent's branch a cluster's branch does not have.

    [bold]Examples[/]

      karrots ls

      karrots ls -o name | xargs -n1 karrots show
    """
    from karrots.ops.listing import ls

    result = ls(session.settings, fetch=fetch)
    session.show(result, lambda: fleet_text(result, width()), lambda: [row.name for row in result.clusters])
