from __future__ import annotations

from karrots.cli.arguments import OptionalName, Timeout
from karrots.cli.session import Session, verb


@verb
def command(session: Session, name: OptionalName = None, timeout: Timeout = None) -> None:
    """Ask Flux to look now, and wait until it is Ready.

    Nothing is pushed: commit first (and push, where the cluster reads a remote).

    [bold]Examples[/]

      git commit -am 'front 1.3' && karrots sync qa-feature-1234
    """
    from karrots.ops.apply import sync

    result = sync(session.settings, name, timeout=timeout)
    session.show(result, lambda: f"{result.name}  {result.branch}@{result.commit[:10]}\n", lambda: [result.name])
