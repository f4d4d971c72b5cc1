from __future__ import annotations

from karrots.cli.arguments import OptionalName
from karrots.cli.session import Session, verb, write


@verb
def command(session: Session, name: OptionalName = None) -> None:
    """Print a token for one cluster, as kubeconfigs ask for it.

    The kubeconfigs of clusters in a cloud name this command, so kubectl needs
    no other program to log in. The token is made from your log-in at the
    cloud, and ends after some minutes. Clusters of the local engine have none.

    [bold]Examples[/]

      karrots token qa
    """
    from karrots.ops.reach import credential_text

    write(credential_text(session.settings, name))
