from __future__ import annotations

from karrots.cli.arguments import DryRun, OptionalName, Timeout, Yes
from karrots.cli.move_texts import moved_text
from karrots.cli.session import Session, verb


@verb
def command(
    session: Session,
    name: OptionalName = None,
    timeout: Timeout = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Bring the parent's later changes into a story, and see the copy Ready.

    The parent's branch is merged into the story's: shown first, made without a
    work tree after a yes. What no fence could hold in the copy is refused.

    [bold]Examples[/]

      karrots rebase qa-feature-1234 --dry-run

      karrots rebase qa-feature-1234 --yes
    """
    from karrots.ops.moving import Options
    from karrots.ops.rebase import rebase

    result = rebase(session.answering(yes), name, Options(timeout, dry_run))
    session.show(result, lambda: moved_text(result), lambda: [result.cluster])
