"""The command line: every verb by name, loaded only when it is called.

Importing all of it would cost every call some 100 ms, so the list below holds the short helps and modules are imported
by name. A test holds the list against the commands.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path  # noqa: TC003  (Typer reads the type at run time)
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from karrots.errors import ExitCode, UsageError

# Typer brings a Click of its own or uses the installed one; this is the base of its mistakes in either.
Mistake: Any = typer.BadParameter.__base__

START, WORK, LOOK, MEND, CONTENT = "Start", "Work", "Look", "Mend", "Content"


@dataclass(frozen=True)
class Verb:
    module: str
    help: str
    panel: str
    hidden: bool = False


VERBS: dict[str, Verb] = {
    "demo": Verb("demo", "The whole story on this computer, for real.", START),
    "init": Verb("init", "Write a fleet repository with one cluster directory.", START),
    "doctor": Verb("doctor", "Is this computer ready, and what to type where it is not.", START),
    "create": Verb("create", "Create the cluster of this directory and branch.", WORK),
    "create-cluster": Verb("create", "Create the cluster of this directory and branch.", WORK, hidden=True),
    "branch": Verb("branch", "Branch this cluster: a git branch and a cluster that follows it.", WORK),
    "apply": Verb("apply", "Converge infrastructure and Flux to the branch's present content.", WORK),
    "sync": Verb("sync", "Ask Flux to look now, and wait until it is Ready.", WORK),
    "fence": Verb("fence", "What a copy is kept from doing; open and close it.", WORK),
    "secrets": Verb("secrets", "How a cluster reads each secret, and who gains access.", LOOK),
    "promote": Verb("promote", "Merge a story into its parent's branch, and see the parent Ready.", WORK),
    "rollback": Verb("rollback", "Take the newest change of a cluster back, and see it Ready.", WORK),
    "rebase": Verb("rebase", "Bring the parent's later changes into a story, and see the copy Ready.", WORK),
    "destroy": Verb("destroy", "Destroy a cluster and prove that nothing is left.", WORK),
    "ls": Verb("ls", "List the clusters of the fleet, asking none of them.", LOOK),
    "status": Verb("status", "List the clusters of the fleet with their Flux state.", LOOK),
    "show": Verb("show", "Everything known about one cluster.", LOOK),
    "tree": Verb("tree", "Which cluster came from which.", LOOK),
    "history": Verb("history", "What ran in a cluster and when, by whom, and how to look at it.", LOOK),
    "diff": Verb("diff", "What differs between clusters, directories, commits or git refs.", LOOK),
    "logs": Verb("logs", "What earlier runs of karrots did.", LOOK),
    "env": Verb("env", "Print what a shell needs to use one cluster.", LOOK),
    "kubeconfig": Verb("kubeconfig", "Print a kubeconfig for one cluster.", LOOK),
    "token": Verb("token", "Print a token for one cluster, as kubeconfigs ask for it.", LOOK),
    "run": Verb("run", "Run a command against one cluster.", LOOK),
    "lint": Verb("lint", "Find what Flux would stumble over, before it does.", CONTENT),
    "rehearse": Verb("rehearse", "Bring content up on a throw-away cluster, and tell what comes of it.", CONTENT),
    "render": Verb("render", "Write terraform/ and flux/services/ from cluster.yaml.", CONTENT),
    "services": Verb("services", "Core services: ls, show, enable, disable, outdated.", CONTENT),
    "flux": Verb("flux", "Flux's components as content: pin.", CONTENT),
    "eject": Verb("eject", "Keep terraform/ by hand from now on.", CONTENT),
    "identity": Verb("identity", "What belongs to one cluster alone, as Terraform variables.", CONTENT),
    "schema": Verb("schema", "Print the JSON Schema of cluster.yaml or karrots.yaml.", CONTENT),
    "engine": Verb("engine", "The local engine: build, status, list, logs, up, stop, clean.", MEND),
    "help": Verb("help", "Topics: exit-codes, environment.", MEND),
    "version": Verb("version", "The versions of karrots and its tools.", MEND),
}


class LazyGroup(TyperGroup):
    """Commands are imported when they are called; lists are made from the registry alone."""

    _listing = False

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  (the group asks by context)
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        known = VERBS.get(cmd_name)
        if known is None:
            return None
        if self._listing:
            return TyperCommand(cmd_name, help=known.help, hidden=known.hidden, rich_help_panel=known.panel)
        return load(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in VERBS and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise no_verb(args[0])
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        self._listing = True
        super().format_help(ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        self._listing = True
        return super().shell_complete(ctx, incomplete)


def no_verb(word: str) -> UsageError:
    from difflib import get_close_matches

    from karrots.adapters.git_names import quoted

    near = get_close_matches(word, [name for name, known in VERBS.items() if not known.hidden], n=3)
    why = "did you mean " + ", ".join(f"'{name}'" for name in near) + "?" if near else ""
    return UsageError(f"there is no command {quoted(word)}", why=why, hint="karrots --help")


def call(argv: list[str]) -> int:
    """Run the command line; gives the exit status. Raises UsageError for words that do not fit."""
    try:
        status = app(args=argv, prog_name="karrots", standalone_mode=False)
    except Mistake as error:
        if not error.format_message():  # no word at all: the help was shown
            return ExitCode.USAGE
        raise misused(error) from error
    return status if isinstance(status, int) else ExitCode.DONE


def misused(error: Any) -> UsageError:
    """Typer's words, and where to read more."""
    path = error.ctx.command_path if error.ctx is not None else "karrots"
    return UsageError(" ".join(error.format_message().split()).rstrip("."), hint=f"{path} --help")


def load(name: str) -> Any:
    """The command object of that name. A module holds `app` (a group) or `command` (one verb)."""
    module = import_module(f"karrots.cli.{VERBS[name].module}")
    group = getattr(module, "app", None)
    if group is not None:
        loaded: Any = typer.main.get_command(group)
    else:
        single = typer.Typer(add_completion=False, rich_markup_mode="rich")
        single.command(name, help=module.command.__doc__, context_settings=getattr(module, "SETTINGS", None))(
            module.command
        )
        loaded = typer.main.get_command(single)
    loaded.name = name
    return loaded


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Branch a whole Kubernetes cluster as cheaply as a git branch.",
    epilog="Start with [bold]karrots demo[/]. Exit codes: [bold]karrots help exit-codes[/].",
)


def _show_version(value: bool) -> None:
    if value:
        from karrots import __version__

        typer.echo(f"karrots {__version__}")
        raise typer.Exit


def _change_directory(directory: Path | None) -> None:
    """As `git -C`: everything after it is understood from there."""
    if directory is None:
        return
    try:
        os.chdir(directory)
    except OSError as error:
        raise UsageError(f"'{directory}' is not a folder", why=error.strerror or "", hint="-C DIR") from error


@app.callback()
def root(
    directory: Path | None = typer.Option(
        None, "-C", "--dir", metavar="DIR", callback=_change_directory, is_eager=True, help="Work as if started in DIR."
    ),
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Print the version."),
) -> None:
    """Branch a whole Kubernetes cluster as cheaply as a git branch."""
