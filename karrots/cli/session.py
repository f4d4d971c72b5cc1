"""What every command shares: where it stands, how it speaks, how it asks.

`@verb` gives a command these options without repeating them: -C, -o, -q, -v, --no-input.
"""

from __future__ import annotations

import functools
import inspect
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO, cast, get_type_hints

import typer

from karrots.errors import Interrupted, Refused, UsageError
from karrots.ops.settings import Settings
from karrots.report import streams
from karrots.report.document import Format, Page, document, dump
from karrots.report.reporters import JsonReporter, PlainReporter, QuietReporter
from karrots.report.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from karrots.report.events import Reporter

COMMON = "Common options"

Directory = Annotated[
    Path | None,
    typer.Option("-C", "--dir", metavar="DIR", help="Work as if started in DIR.", rich_help_panel=COMMON),
]
Output = Annotated[
    Format,
    typer.Option("-o", "--output", help="How the result is written to stdout.", rich_help_panel=COMMON),
]
PageOutput = Annotated[
    Page,
    typer.Option("-o", "--output", help="How the result is written to stdout.", rich_help_panel=COMMON),
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Only warnings and errors.", rich_help_panel=COMMON)]
Verbose = Annotated[
    int,
    typer.Option(
        "-v", "--verbose", count=True, metavar="", help="Say more; -vv shows tracebacks.", rich_help_panel=COMMON
    ),
]
NoInput = Annotated[
    bool,
    typer.Option("--no-input", help="Never ask; a needed answer is an error.", rich_help_panel=COMMON),
]


@dataclass(frozen=True)
class Session:
    """`page` is markdown or html where one of these was asked for; the rest is then told as for `text`."""

    start: Path
    output: Format
    quiet: bool
    verbose: int
    no_input: bool
    page: str = ""

    @property
    def settings(self) -> Settings:
        return Settings(self.start, self.reporter(), self.ask, self.type_name, typed(), self.agree)

    def answering(self, yes: bool) -> Settings:
        """The settings with every question answered by --yes."""
        return replace(self.settings, ask=lambda _: True) if yes else self.settings

    def reporter(self) -> Reporter:
        """On a terminal a turning tree; in pipes and CI one line per transition; JSON lines with -o json."""
        if self.quiet:
            return QuietReporter(sys.stderr)
        if self.output is Format.json:
            return JsonReporter(sys.stderr)
        if is_terminal():
            from rich.console import Console

            from karrots.report.rich_tree import RichReporter

            return RichReporter(Console(file=cast("TextIO", streams.Lasting(sys.stderr)), stderr=True))
        return PlainReporter(sys.stderr)

    def may_ask(self) -> bool:
        return not self.no_input and sys.stdin.isatty()

    def ask(self, question: str) -> bool:
        """Raises Refused where nobody can answer."""
        if not self.may_ask():
            raise Refused("a yes is needed and nobody can be asked", why=question, hint="add --yes")
        return answer(f"{question} [y/N] ").lower() in ("y", "yes")

    def agree(self, question: str) -> bool:
        """As `ask`, but the whole word is typed, and no --yes stands for it."""
        return self.may_ask() and answer(f"{question} Type yes: ").lower() == "yes"

    def type_name(self, name: str) -> str:
        if not self.may_ask():
            return ""
        return answer(f"This destroys the cluster '{name}'. Type its name: ")

    def show(
        self,
        result: Any,
        text: Callable[[], str],
        names: Callable[[], list[str]],
        *,
        paint: Callable[[str], str] | None = None,
        exact: bool = False,
        pages: Mapping[str, Callable[[], str]] | None = None,
    ) -> None:
        """The one place where a result meets stdout, and where nothing in it may steer the terminal.

        `paint` puts colours on what is clean; `exact` is for text that a shell reads, and not a person.
        """
        if self.page:
            write(clean((pages or {})[self.page]()))
        elif self.output is Format.text:
            plain = text() if exact else clean(text())
            write(paint(plain) if paint else plain)
        elif self.output is Format.name:
            write("".join(f"{' '.join(clean(name).split())}\n" for name in names()))
        else:
            write(dump(document(result), self.output))


def answer(question: str) -> str:
    """What is typed; a Ctrl-C ends the line that the question stands on."""
    streams.put(sys.stderr, clean(question))
    try:
        return sys.stdin.readline().strip()
    except KeyboardInterrupt:
        streams.put(sys.stderr, "\n")
        raise


def write(text: str) -> None:
    streams.put(sys.stdout, text)


def is_terminal() -> bool:
    import os

    return sys.stderr.isatty() and not os.environ.get("CI") and os.environ.get("TERM") not in (None, "dumb")


def width() -> int | None:
    """Columns of the terminal stdout goes to; None for pipes, where nothing is cut."""
    import shutil

    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def typed() -> str:
    """The command as it can be typed again."""
    import shlex

    return shlex.join(["karrots", *sys.argv[1:]])


def verb(function: Callable[..., None]) -> Callable[..., None]:
    """A Typer command from a function whose first parameter is the Session."""
    return _command(function, Output, Format.text)


def verb_with_pages(function: Callable[..., None]) -> Callable[..., None]:
    """The same for one whose result can also be a page."""
    return _command(function, PageOutput, Page.text)


def _command(function: Callable[..., None], output: Any, usual: Format | Page) -> Callable[..., None]:
    hints = get_type_hints(function, include_extras=True)
    own = list(inspect.signature(function).parameters.values())[1:]

    @functools.wraps(function)
    def command(**values: Any) -> None:
        common = {name: values.pop(name) for name in ("directory", "output", "quiet", "verbose", "no_input")}
        try:
            function(_session(**common), **values)
        except KeyboardInterrupt as error:  # Typer would end without a word
            raise Interrupted("interrupted", hint=typed()) from error

    parameters = [p.replace(annotation=hints[p.name], kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, default, kind in (
            ("directory", None, Directory),
            ("output", usual, output),
            ("quiet", False, Quiet),
            ("verbose", 0, Verbose),
            ("no_input", False, NoInput),
        )
    ]
    signature = inspect.Signature([*parameters, *shared])
    command.__signature__ = signature  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}
    return command


def _session(directory: Path | None, output: Format | Page, quiet: bool, verbose: int, no_input: bool) -> Session:
    start = directory or working_folder()
    if not start.is_dir():
        raise UsageError(f"'{start}' is not a folder", hint="-C DIR names an existing folder")
    page = output.value if output.value not in Format.__members__ else ""
    form = Format.text if page else Format(output.value)
    return Session(start, form, quiet, verbose, no_input, page)


def working_folder() -> Path:
    """Raises UsageError when somebody removed it meanwhile."""
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise UsageError("the folder you stand in is gone", hint="cd to the fleet repository") from error
