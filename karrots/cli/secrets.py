from __future__ import annotations

from karrots.cli.arguments import OptionalName
from karrots.cli.session import Session, verb, width
from karrots.cli.texts import secrets_text


@verb
def command(session: Session, name: OptionalName = None) -> None:
    """How a cluster reads each secret, and who gains access.

    SealedSecrets, files encrypted with SOPS, secrets of stores, and what stands
    in git as it is. What a copy gets of its parent is said in cluster.yaml,
    below secrets; karrots branch --dry-run shows it before anything is made.

    [bold]Examples[/]

      karrots secrets qa-feature-1234

      karrots secrets -o json
    """
    from karrots.ops.secrets import secrets

    result = secrets(session.settings, name)
    session.show(
        result, lambda: secrets_text(result, width()), lambda: [i.label for i in result.items if i.state == "not read"]
    )
