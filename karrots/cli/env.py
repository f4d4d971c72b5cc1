from __future__ import annotations

from karrots.cli.arguments import OptionalName
from karrots.cli.session import Session, verb


@verb
def command(session: Session, name: OptionalName = None) -> None:
    """Print what a shell needs to use one cluster.

    Your own kubeconfig is never touched.

    [bold]Examples[/]

      eval "$(karrots env qa-feature-1234)"
    """
    import shlex

    from karrots.ops.reach import way

    _, found = way(session.settings, name)
    text = f"export KUBECONFIG={shlex.quote(found.kubeconfig)}\nexport KARROTS_CLUSTER={shlex.quote(found.cluster)}\n"
    session.show(found, lambda: text, lambda: [found.cluster], exact=True)
