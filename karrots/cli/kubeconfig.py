from __future__ import annotations

from karrots.cli.arguments import OptionalName
from karrots.cli.session import Session, verb, write


@verb
def command(session: Session, name: OptionalName = None) -> None:
    """Print a kubeconfig for one cluster.

    Of a local cluster it names the private files of the credentials, so it
    holds as long as the cluster lives, and only on this computer. Of one in a
    cloud it names `karrots token`, with the paths of this computer.

    [bold]Examples[/]

      karrots kubeconfig qa > qa.kubeconfig
    """
    from karrots.ops.reach import kubeconfig_text

    write(kubeconfig_text(session.settings, name))
