"""Whether a root that a person keeps is valid Terraform: known before anything is claimed, pushed or paid for.

A rendered root is not asked for: it is karrots' own, and the tests validate every shape of it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from karrots import places
from karrots.adapters import terraform
from karrots.errors import KarrotsError, PreflightFailed, ToolFailed
from karrots.providers.base import Check
from karrots.providers.questions import of_error, shortened
from karrots.steps.infrastructure import is_rendered, room_of

if TYPE_CHECKING:
    from karrots.steps.context import Context

WHAT = "Terraform root"


def valid(ctx: Context) -> list[Check]:
    """As it is in the commit, without its state and with nobody logged in."""
    if is_rendered(ctx.spec, ctx.provider):
        return []
    try:
        return [_looked_at(ctx, f"{ctx.content_directory}/terraform")]
    except PreflightFailed:
        return []  # there is no Terraform: another row says so
    except KarrotsError as error:
        row = of_error(WHAT, error)
        return [row if error.hint else replace(row, hint=_again(ctx))]


def _looked_at(ctx: Context, place: str) -> Check:
    folder = places.private_folder(ctx.run.folder / "validate")
    if not ctx.workspace.repo.export(ctx.content, place, folder):
        hint = f"git add {place} && git commit -m 'Add {place}'"
        return Check(WHAT, ok=False, found=f"'{place}' is not in the commit, and cluster.yaml says ejected", hint=hint)
    root = terraform.Root(folder, terraform.locate())
    try:
        root.init(backend=False)
        with room_of(ctx):
            root.validate()
    except ToolFailed as error:
        if not error.diagnostics:
            raise
        return _bad(ctx, place, error)
    return Check(WHAT, ok=True, found=f"'{place}' is valid")


def _bad(ctx: Context, place: str, error: ToolFailed) -> Check:
    first = error.diagnostics[0]
    source = f"{place}/{first.file}:{first.line}" if first.file else place
    hint = f"edit {source}, then: git commit -a" if first.file else _again(ctx)
    return Check(WHAT, ok=False, found=shortened(f"{source}: {error.why}"), hint=hint)


def _again(ctx: Context) -> str:
    root = f"terraform -chdir={ctx.content_directory}/terraform"
    return f"{root} init -backend=false && {root} validate"
