"""The reporter for terminals: finished steps stay, the running one turns."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from karrots.report.events import (
    ChecksSeen,
    Event,
    Noted,
    OperationFinished,
    OperationStarted,
    StepFailed,
    StepFinished,
    StepPlanned,
    StepProgress,
    StepSkipped,
    StepStarted,
    Warned,
)
from karrots.report.reporters import closing_lines
from karrots.report.tables import checks_table
from karrots.report.text import clean, seconds_text

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.status import Status

TITLE_WIDTH = 24
TIME_WIDTH = 9


class RichReporter:
    """Writes to a console on stderr; signs (✔ - ✘ !) carry the meaning, colour only repeats it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status: Status | None = None
        self._title = ""
        self._usual = ""

    def emit(self, event: Event) -> None:  # noqa: C901  (one case per event is the plainest form)
        match event:
            case OperationStarted(verb=verb, cluster=cluster, about=about):
                self._print(f"[bold]{_esc(verb)} {_esc(cluster)}[/]  [dim]{_esc(about)}[/]")
            case StepStarted(title=title, usual=usual):
                self._begin(title, usual)
            case StepProgress(detail=detail):
                self._turn(detail)
            case StepSkipped(title=title, why=why):
                self._line("[dim]-[/]", title, why, "", dim=True)
            case StepPlanned(title=title, needed=needed, why=why):
                self._line("[yellow]>[/]" if needed else "[dim]-[/]", title, why, "", dim=not needed)
            case ChecksSeen(rows=rows):
                self._print(_esc(checks_table(rows, width=self._console.width).rstrip("\n")))
            case StepFinished(title=title, seconds=seconds, detail=detail):
                self._line("[green]✔[/]", title, detail, seconds_text(seconds))
            case StepFailed(title=title, seconds=seconds):
                self._line("[red]✘[/]", title, "", seconds_text(seconds))
            case Noted(message=message):
                self._print(f"  {_esc(message)}")
            case Warned(message=message):
                self._print(f"[yellow]![/] {_esc(message)}")
            case OperationFinished():
                self._finish(event)

    def close(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _begin(self, title: str, usual: float | None) -> None:
        self._title = title
        self._usual = f" (usually {seconds_text(usual)})" if usual is not None and usual >= 1 else ""
        self._running = Running(title + self._usual)
        self._status = self._console.status(self._running, spinner="dots")
        self._status.start()

    def _turn(self, detail: str) -> None:
        if self._status is not None:
            room = max(10, self._console.width - 30)
            self._running.detail = detail[:room]

    def _line(self, sign: str, title: str, detail: str, took: str, *, dim: bool = False) -> None:
        self.close()
        self._print(_Row(sign, title, detail, took, dim))

    def _finish(self, event: OperationFinished) -> None:
        self.close()
        first, *following = closing_lines(event)
        self._print(f"[bold]{_esc(first)}[/]")
        for line in following:
            self._print(_esc(line), no_wrap=True)

    def _print(self, what: RenderableType | _Row, *, no_wrap: bool = False) -> None:
        if isinstance(what, _Row):
            what = what.grid()
        self._console.print(what, highlight=False, soft_wrap=no_wrap)


class Running:
    """The text beside the spinner, with the seconds since it began."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.detail = ""
        self._began = time.monotonic()

    def __rich__(self) -> str:
        seconds = time.monotonic() - self._began
        since = f"  {seconds_text(seconds)}" if seconds >= 2 else ""
        return f"{self._text}[dim]{since}  {_esc(self.detail)}[/]"


class _Row:
    def __init__(self, sign: str, title: str, detail: str, took: str, dim: bool) -> None:  # noqa: FBT001
        self._cells = (sign, title, detail, took)
        self._dim = dim

    def grid(self) -> RenderableType:
        from rich.table import Table

        sign, title, detail, took = self._cells
        grid = Table.grid(padding=(0, 1), expand=True)
        grid.add_column(width=1)
        grid.add_column(width=TITLE_WIDTH, style="dim" if self._dim else "")
        grid.add_column(ratio=1, style="dim", overflow="fold")
        grid.add_column(width=TIME_WIDTH, justify="right", style="dim")
        grid.add_row(sign, _esc(title), _esc(detail), took)
        return grid


def _esc(text: str) -> str:
    from rich.markup import escape

    return escape(clean(text))
