from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from karrots.cli.arguments import Timeout, cluster_names
from karrots.cli.session import Session, verb, width
from karrots.cli.texts import rehearsed_text
from karrots.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from karrots.ops.rehearse import Rehearsal

Directory = Annotated[
    Path | None,
    typer.Argument(metavar="[DIRECTORY]", help="The cluster directory; else the one we are in.", show_default=False),
]
Ref = Annotated[str, typer.Option("--ref", metavar="REF", help="Rehearse a commit, not HEAD.", show_default=False)]
Merge = Annotated[
    str,
    typer.Option(
        "--merge", metavar="BRANCH", help="Rehearse what merging it into HEAD would give.", show_default=False
    ),
]
Against = Annotated[
    str,
    typer.Option(
        "--against",
        metavar="NAME",
        help="Cluster or git ref whose content is there first; else the parent, or the cluster that gets the merge.",
        autocompletion=cluster_names,
        show_default=False,
    ),
]
Terraform = Annotated[
    bool | None,
    typer.Option(
        "--terraform/--no-terraform", help="Rehearse the Terraform root alone, or leave it out.", show_default=False
    ),
]
Root = Annotated[
    Path | None,
    typer.Option(
        "--root",
        metavar="FOLDER",
        help="Any folder with a Terraform root instead; with --terraform.",
        show_default=False,
    ),
]
Schema = Annotated[
    list[Path] | None,
    typer.Option(
        "--schema", metavar="FILE", help="Providers recorded by 'terraform providers schema -json'. Repeatable."
    ),
]
Variables = Annotated[
    list[Path] | None,
    typer.Option("--var-file", metavar="FILE", help="Values of the root's variables (.tfvars). Repeatable."),
]
Junit = Annotated[
    Path | None,
    typer.Option("--junit", metavar="FILE", help="Write the result as JUnit XML, too.", show_default=False),
]
Markdown = Annotated[
    Path | None,
    typer.Option(
        "--markdown", metavar="FILE", help="Write the result as Markdown, too, for a pull request.", show_default=False
    ),
]


@verb
def command(
    session: Session,
    where: Directory = None,
    ref: Ref = "",
    merge: Merge = "",
    against: Against = "",
    terraform: Terraform = None,
    root: Root = None,
    schema: Schema = None,
    var_file: Variables = None,
    junit: Junit = None,
    markdown: Markdown = None,
    timeout: Timeout = None,
) -> None:
    """Bring content up on a throw-away cluster, and tell what comes of it.

    A real API server and the real Flux on this computer, with a fence up and
    an identity of its own; nothing of it is left. Tells which Kustomizations
    and HelmReleases become Ready and which do not, with the first cause and
    where it stands; what would change, and what would be pruned. Pods are
    simulated. The Terraform root is played against recorded schemas where
    that is possible; --terraform plays it alone. Exits with 1 when something
    fails.

    [bold]Examples[/]

      cd clusters/qa && karrots rehearse

      karrots rehearse clusters/qa --merge feature/JIRA-1234

      karrots rehearse --ref main~3 --against prod -o json

      karrots rehearse --junit rehearsal.xml --markdown rehearsal.md

      karrots rehearse --terraform --root infra/network --var-file qa.tfvars
    """
    _check(where, ref, merge, terraform, root, bool(schema or var_file or root), bool(ref or merge or against))
    if terraform:
        _terraform(session, where, root, schema, var_file)
        return
    from karrots.cli.rehearsal_texts import rehearsal_text
    from karrots.ops.rehearse import Options, rehearse

    for file in filter(None, (junit, markdown)):
        _writable(session.start / file)
    settings = session.settings if where is None else replace(session.settings, start=session.start / where)
    options = Options(ref, merge, against, terraform is None, timeout)
    result = rehearse(settings, options)
    _pages(session, result, junit, markdown)
    session.show(result, lambda: rehearsal_text(result, width()), lambda: [i.label for i in result.items if i.path])
    if not result.passed:
        raise typer.Exit(ExitCode.DIFFERENCES)


def _check(
    where: Path | None, ref: str, merge: str, terraform: bool | None, root: Path | None, of_root: bool, of_content: bool
) -> None:
    if ref and merge:
        raise UsageError("--ref and --merge are two commits", why="one of them is rehearsed", hint="say one of the two")
    if where is not None and root is not None:
        raise UsageError("DIRECTORY and --root are two roots", hint="karrots rehearse --help")
    if of_root and not terraform:
        raise UsageError(
            "--root, --schema and --var-file are about the Terraform root alone", hint="karrots rehearse --terraform"
        )
    if of_content and terraform:
        raise UsageError(
            "--ref, --merge and --against are about content", why="--terraform plays the root alone",
            hint="leave --terraform out",
        )  # fmt: skip


def _writable(file: Path) -> None:
    """Before the rehearsal, and not after it."""
    if file.is_dir() or not file.parent.is_dir():
        raise UsageError(f"'{file}' cannot be written", why="its folder is not there", hint=f"mkdir -p {file.parent}")


def _pages(session: Session, result: Rehearsal, junit: Path | None, markdown: Path | None) -> None:
    from karrots import files
    from karrots.cli import rehearsal_pages

    if junit is not None:
        files.write(session.start / junit, rehearsal_pages.junit(result), mode=0o644)
    if markdown is not None:
        files.write(session.start / markdown, rehearsal_pages.markdown(result), mode=0o644)


def _terraform(
    session: Session, where: Path | None, root: Path | None, schema: list[Path] | None, var_file: list[Path] | None
) -> None:
    from karrots.ops.rehearse_terraform import Options, rehearse

    settings = session.settings if where is None else replace(session.settings, start=session.start / where)
    result = rehearse(settings, Options(root, tuple(schema or ()), tuple(var_file or ())))
    session.show(result, lambda: rehearsed_text(result, width()), lambda: [f.address for f in result.findings])
    if result.errors:
        raise typer.Exit(ExitCode.DIFFERENCES)
