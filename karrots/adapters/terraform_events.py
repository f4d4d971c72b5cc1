"""Terraform's `-json` lines as typed events; pure.

Format: https://developer.hashicorp.com/terraform/internals/machine-readable-ui. Any 1.x of it is read, types we do not
know are left out, and a line that is no JSON (warnings of the CLI configuration, a panic) is handed over as text.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from karrots.errors import Diagnostic, PreflightFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

DETAIL_CHARACTERS = 4000


@dataclass(frozen=True)
class Started:
    """First line of every run: `tool` is terraform or tofu."""

    tool: str
    version: str


@dataclass(frozen=True)
class Planned:
    """`action` is create, read, update, replace, delete, move, remove or import."""

    address: str
    action: str
    reason: str = ""


@dataclass(frozen=True)
class Drifted:
    """The world differs from the state."""

    address: str
    action: str


@dataclass(frozen=True)
class Summary:
    """`operation` is plan, apply or destroy. A failed apply has none."""

    operation: str
    add: int = 0
    change: int = 0
    remove: int = 0
    imported: int = 0


@dataclass(frozen=True)
class ResourceStarted:
    address: str
    action: str


@dataclass(frozen=True)
class ResourceProgress:
    """Every ten seconds; OpenTofu before 1.13 sends only the first, so silence means nothing."""

    address: str
    action: str
    seconds: float


@dataclass(frozen=True)
class ResourceDone:
    address: str
    action: str
    seconds: float


@dataclass(frozen=True)
class ResourceFailed:
    """The reason comes later, as a DiagnosticSeen."""

    address: str
    action: str
    seconds: float


@dataclass(frozen=True)
class ProvisionerSaid:
    """A line of output of a provisioner's command."""

    address: str
    provisioner: str
    text: str


@dataclass(frozen=True)
class DiagnosticSeen:
    """`severity` is error or warning."""

    severity: str
    diagnostic: Diagnostic


@dataclass(frozen=True)
class Stopping:
    """We were interrupted; Terraform finishes what it is doing, for at most `grace` seconds."""

    grace: float


@dataclass(frozen=True)
class StateSaved:
    """Terraform could not send its state and left it in `file`; it is safe now, whatever Terraform says."""

    file: Path


@dataclass(frozen=True)
class Said:
    """A line that is no event."""

    text: str


Event = (
    Started
    | Planned
    | Drifted
    | Summary
    | ResourceStarted
    | ResourceProgress
    | ResourceDone
    | ResourceFailed
    | ProvisionerSaid
    | DiagnosticSeen
    | Stopping
    | StateSaved
    | Said
)


def decode(line: str) -> Event | None:
    """The event in a line of output; None for an empty line or an event of no use to us.

    Raises PreflightFailed when the tool speaks another major version of the format.
    """
    line = line.rstrip("\r\n")
    if not line.strip():
        return None
    try:
        message = json.loads(line)
        if "type" not in message:
            return Said(_text(message["@message"]))  # OpenTofu's init
        read = _READERS.get(message["type"])
        return read(message) if read else None
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError):
        return Said(line)


def diagnostic(found: Mapping[str, Any]) -> Diagnostic:
    place = found.get("range") or {}
    return Diagnostic(
        summary=_text(found.get("summary", "")),
        detail=_text(found.get("detail", "")).strip()[-DETAIL_CHARACTERS:],
        address=_text(found.get("address", "")),
        file=_text(place.get("filename", "")),
        line=_number((place.get("start") or {}).get("line", 0)),
    )


def _text(value: Any) -> str:
    """Raises TypeError: what is sorted, joined and shown later must be what it says."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return value


def _number(value: Any) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is not a whole number")
    return value


def _seconds(value: Any) -> float:
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        raise TypeError(f"{value!r} is not a number of seconds")
    return float(value)


def _subject(part: dict[str, Any]) -> tuple[str, str]:
    """Address and action, of a change or a hook."""
    return _text(part["resource"]["addr"]), _text(part["action"])


def _started(message: dict[str, Any]) -> Started:
    spoken = str(message["ui"])
    if spoken.partition(".")[0] != "1":
        raise PreflightFailed(
            "this Terraform cannot be used",
            why=f"its machine-readable output has version {spoken}, and karrots reads 1.x",
            hint="set KARROTS_TERRAFORM to an older terraform or tofu",
        )
    tool = "tofu" if "tofu" in message else "terraform"
    return Started(tool, str(message[tool]))


def _planned(message: dict[str, Any]) -> Planned:
    change = message["change"]
    return Planned(*_subject(change), _text(change.get("reason", "")))


def _drifted(message: dict[str, Any]) -> Drifted:
    return Drifted(*_subject(message["change"]))


def _summary(message: dict[str, Any]) -> Summary:
    changes = message["changes"]
    counts = (changes["add"], changes["change"], changes["remove"], changes.get("import", 0))
    return Summary(_text(changes["operation"]), *map(_number, counts))


def _resource_started(message: dict[str, Any]) -> ResourceStarted:
    return ResourceStarted(*_subject(message["hook"]))


def _timed(
    kind: type[ResourceProgress | ResourceDone | ResourceFailed],
) -> Callable[[dict[str, Any]], Event]:
    def read(message: dict[str, Any]) -> Event:
        hook = message["hook"]
        return kind(*_subject(hook), _seconds(hook.get("elapsed_seconds", 0)))

    return read


def _provisioner_said(message: dict[str, Any]) -> ProvisionerSaid:
    hook = message["hook"]
    return ProvisionerSaid(_text(hook["resource"]["addr"]), _text(hook["provisioner"]), _text(hook["output"]).rstrip())


def _diagnostic_seen(message: dict[str, Any]) -> DiagnosticSeen:
    found = message["diagnostic"]
    return DiagnosticSeen(_text(found["severity"]), diagnostic(found))


_READERS: dict[str, Callable[[dict[str, Any]], Event]] = {
    "version": _started,
    "planned_change": _planned,
    "resource_drift": _drifted,
    "change_summary": _summary,
    "apply_start": _resource_started,
    "apply_progress": _timed(ResourceProgress),
    "apply_complete": _timed(ResourceDone),
    "apply_errored": _timed(ResourceFailed),
    "provision_progress": _provisioner_said,
    "diagnostic": _diagnostic_seen,
}
