"""Reporters that write lines: plain for pipes and CI, JSON lines for programs, recording for tests."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, TextIO

from karrots.report import streams
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
from karrots.report.tables import checks_table
from karrots.report.text import clean, seconds_text

if TYPE_CHECKING:
    from collections.abc import Iterable

HEARTBEAT_SECONDS = 30.0


def line_of(event: Event) -> str | None:
    """The one line an event is worth in a log, or None."""
    match event:
        case OperationStarted(verb=verb, cluster=cluster, about=about):
            return f"{verb} {cluster}: {about}"
        case StepSkipped(title=title, why=why):
            return f"  - {title}: {why}"
        case StepPlanned(title=title, needed=needed, why=why):
            return f"  {'>' if needed else '-'} {title}: {why}"
        case ChecksSeen(rows=rows):
            return checks_table(rows).rstrip("\n")
        case StepFinished(title=title, seconds=seconds, detail=detail):
            return f"  + {title}{': ' + detail if detail else ''} ({seconds_text(seconds)})"
        case StepFailed(title=title, seconds=seconds):
            return f"  x {title} ({seconds_text(seconds)})"
        case Noted(message=message):
            return f"  {message}"
        case Warned(message=message):
            return f"  ! {message}"
        case OperationFinished():
            return "\n".join(closing_lines(event))
    return None


def closing_lines(event: OperationFinished) -> list[str]:
    usual = f", usually {seconds_text(event.usual)}" if event.usual is not None else ""
    lines = [f"{event.summary} ({seconds_text(event.seconds)}{usual})"]
    if event.next:
        lines.append(f"next: {event.next[0]}")
        lines += [f"      {command}" for command in event.next[1:]]
    return lines


class PlainReporter:
    """One line per transition; when a step says nothing for 30 s, a sign of life."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._running: tuple[str, float] | None = None
        self._detail = ""
        self._ended = threading.Event()
        self._pulse: threading.Thread | None = None

    def emit(self, event: Event) -> None:
        self._follow(event)
        line = line_of(event)
        if line is not None:
            self._write(line)

    def close(self) -> None:
        self._ended.set()

    def _follow(self, event: Event) -> None:
        match event:
            case StepStarted(title=title):
                self._running, self._detail = (title, time.monotonic()), ""
                self._start_pulse()
            case StepProgress(detail=detail):
                self._detail = detail
            case StepFinished() | StepFailed() | StepSkipped():
                self._running = None

    def _start_pulse(self) -> None:
        if self._pulse is None:
            self._pulse = threading.Thread(target=self._beat, daemon=True)
            self._pulse.start()

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT_SECONDS):
            running = self._running
            if running is not None and time.monotonic() - running[1] >= HEARTBEAT_SECONDS:
                since = seconds_text(time.monotonic() - running[1])
                self._write(f"    still: {running[0]}, {since}{' · ' + self._detail if self._detail else ''}")

    def _write(self, line: str) -> None:
        streams.put(self._stream, clean(line) + "\n")


class JsonReporter:
    """One JSON document per event and line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def emit(self, event: Event) -> None:
        streams.put(self._stream, json.dumps(event.document(), ensure_ascii=True) + "\n")

    def close(self) -> None:
        """Nothing is held open."""


class QuietReporter:
    """Warnings and nothing else."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def emit(self, event: Event) -> None:
        if isinstance(event, Warned):
            streams.put(self._stream, clean(f"! {event.message}") + "\n")

    def close(self) -> None:
        """Nothing is held open."""


class RecordingReporter:
    """Keeps the events, for tests."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def close(self) -> None:
        """Nothing is held open."""

    def of(self, *kinds: type[Event]) -> Iterable[Event]:
        return [event for event in self.events if isinstance(event, kinds)]
