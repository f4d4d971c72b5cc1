"""What every operation is given by the command line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from karrots.fleet.record import new_id
from karrots.pipeline import Run, newest_run
from karrots.report.events import Warned

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from karrots.report.events import Reporter


@dataclass(frozen=True)
class Settings:
    """`ask` answers a yes-or-no question, `agree` one that only a person can say yes to.

    `argv` is the command as typed, which is also the command that goes on.
    """

    start: Path
    reporter: Reporter
    ask: Callable[[str], bool]
    type_name: Callable[[str], str] = field(default=lambda _: "")
    argv: str = ""
    agree: Callable[[str], bool] = field(default=lambda _: False)

    def warn(self, message: str) -> None:
        self.reporter.emit(Warned(message))

    def run(self, verb: str, cluster: str) -> Run:
        return Run.begin(new_id(newest_run()), verb, cluster, self.reporter, resume=self.argv)
