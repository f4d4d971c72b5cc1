from __future__ import annotations

from karrots.cli.arguments import OptionalName
from karrots.cli.session import Session, verb, write


@verb
def command(session: Session, name: OptionalName = None) -> None:
    """Print a kubeconfig for one cluster.

    It holds credentials: keep it private.

    [bold]Examples[/]

      (umask 077; karrots kubeconfig qa > qa.kubeconfig)
    """
    from karrots.ops.reach import kubeconfig_text

    write(kubeconfig_text(session.settings, name))
