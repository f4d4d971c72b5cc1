from __future__ import annotations

from karrots.cli.session import Session, verb
from karrots.cli.texts import rendered_text


@verb
def command(session: Session) -> None:
    """Keep terraform/ by hand from now on.

    karrots stops rendering and uses it as it stands.

    [bold]Examples[/]

      cd clusters/qa && karrots eject && karrots identity --write

      karrots run qa -- terraform -chdir=terraform init

      karrots run qa -- terraform -chdir=terraform plan
    """
    from karrots.ops.content import eject

    result = eject(session.settings)
    session.show(result, lambda: rendered_text(result), lambda: list(result.files))
