from __future__ import annotations

from karrots.cli.session import Session, verb, width
from karrots.cli.texts import diagnosis_text


@verb
def command(session: Session) -> None:
    """The versions of karrots and its tools.

    [bold]Examples[/]

      karrots version -o json
    """
    from karrots.ops.doctor import versions

    result = versions()
    session.show(result, lambda: diagnosis_text(result, width()), lambda: [c.what for c in result.checks])
