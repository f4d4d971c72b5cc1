from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from karrots.report.events import (
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
from karrots.report.reporters import JsonReporter, PlainReporter, QuietReporter, RecordingReporter
from karrots.report.rich_tree import RichReporter

if TYPE_CHECKING:
    from karrots.report.events import Reporter

STORY: tuple[Event, ...] = (
    OperationStarted("branch", "qa-story", "local · feature/story@0123456", "01run"),
    StepSkipped("preflight", "preflight", "6 checks passed"),
    StepStarted("claim", "claim the name"),
    StepProgress("claim", "somebody was first"),
    StepFinished("claim", "claim the name", 0.21, "qa-story · 10.64.0.0/20"),
    StepPlanned("plan", "plan", needed=True, why="would run"),
    StepPlanned("flux", "install Flux", needed=False, why="it runs"),
    StepStarted("apply", "Terraform apply", 12.5),
    StepFailed("apply", "Terraform apply", 3.0, "no"),
    Noted("a note"),
    Warned("a warning"),
    OperationFinished("branch", "qa-story", 4.2, 4.0, "qa-story is ready", ("karrots show qa-story", "karrots ls")),
)
EVIL: tuple[Event, ...] = (
    StepStarted("x", "x"),
    StepProgress("x", "\x1b[2J[bold]"),
    StepFinished("x", "x", 1.0, "\x1b[2J\u202e"),
    Noted("\x1b]0;title\x07 [red]not markup[/red]"),
    Warned("\x9b2J [/]"),
)


def told(reporter: Reporter, story: tuple[Event, ...] = STORY) -> None:
    for event in story:
        reporter.emit(event)
    reporter.close()


def test_plain_lines() -> None:
    sink = io.StringIO()
    told(PlainReporter(sink))
    assert sink.getvalue().splitlines() == [
        "branch qa-story: local · feature/story@0123456",
        "  - preflight: 6 checks passed",
        "  + claim the name: qa-story · 10.64.0.0/20 (0.2 s)",
        "  > plan: would run",
        "  - install Flux: it runs",
        "  x Terraform apply (3.0 s)",
        "  a note",
        "  ! a warning",
        "qa-story is ready (4.2 s, usually 4.0 s)",
        "next: karrots show qa-story",
        "      karrots ls",
    ]


def test_json_lines() -> None:
    sink = io.StringIO()
    told(JsonReporter(sink))
    lines = [json.loads(line) for line in sink.getvalue().splitlines()]
    assert [line["event"] for line in lines] == [type(event).__name__ for event in STORY]
    assert lines[4]["seconds"] == 0.21


def test_quiet_says_warnings() -> None:
    sink = io.StringIO()
    told(QuietReporter(sink))
    assert sink.getvalue() == "! a warning\n"


def test_recording_keeps_all() -> None:
    reporter = RecordingReporter()
    told(reporter)
    assert tuple(reporter.events) == STORY
    assert [event.step for event in reporter.of(StepStarted) if isinstance(event, StepStarted)] == ["claim", "apply"]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_tree_on_a_terminal(width: int) -> None:
    sink = io.StringIO()
    told(RichReporter(Console(file=sink, width=width, force_terminal=False, color_system=None)))
    text = sink.getvalue()
    for said in ("✔ claim the name", "✘ Terraform apply", "! a warning", "qa-story is ready", "karrots show qa-story"):
        assert said in text
    assert all(len(line) <= width for line in text.splitlines())


def test_the_tree_turns_and_is_cleared_on_a_terminal() -> None:
    sink = io.StringIO()
    told(RichReporter(Console(file=sink, width=80, force_terminal=True)))
    assert sink.getvalue().count("\x1b[?25l") == sink.getvalue().count("\x1b[?25h")


def test_nobody_steers_the_terminal_through_a_reporter() -> None:
    plain, rich = io.StringIO(), io.StringIO()
    told(PlainReporter(plain), EVIL)
    told(RichReporter(Console(file=rich, width=80, force_terminal=False, color_system=None)), EVIL)
    for text in (plain.getvalue(), rich.getvalue()):
        assert not {"\x1b", "\x07", "\x9b", "\u202e"}.intersection(text)
        assert "[red]not markup[/red]" in text
