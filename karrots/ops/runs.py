"""`karrots logs`: what earlier runs did, from their folders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from karrots.errors import NotFound
from karrots.pipeline import journal_lines, past_runs

if TYPE_CHECKING:
    from pathlib import Path


ENDS = ("finished", "failed", "interrupted", "looked")


@dataclass(frozen=True)
class PastRun:
    """`outcome` is finished, failed, interrupted, looked (a dry run), running, or killed when the journal just stops.

    `began` in Unix seconds.
    """

    id: str
    verb: str
    cluster: str
    outcome: str
    began: float
    seconds: float
    folder: str


@dataclass(frozen=True)
class PastRuns:
    runs: tuple[PastRun, ...]


@dataclass(frozen=True)
class RunLog:
    run: PastRun
    journal: tuple[dict[str, Any], ...]
    files: tuple[str, ...]


def listed(cluster: str | None, limit: int) -> PastRuns:
    found = (run for run in map(read, past_runs()) if run is not None and cluster in (None, run.cluster))
    return PastRuns(tuple(run for run, _ in zip(found, range(limit), strict=False)))


def read(folder: Path) -> PastRun | None:
    lines = list(journal_lines(folder))
    if not lines or lines[0].get("what") != "begun":
        return None
    first, last = lines[0], lines[-1]
    ended = last.get("what") in ENDS
    return PastRun(
        id=folder.name,
        verb=str(first.get("verb")),
        cluster=str(first.get("cluster")),
        outcome=str(last["what"]) if ended else "running" if _lives(first) else "killed",
        began=float(first["at"]),
        seconds=round(float(last["at"]) - float(first["at"]), 3),
        folder=str(folder),
    )


def _lives(first: dict[str, Any]) -> bool:
    import psutil

    try:
        return bool(psutil.Process(int(first["pid"])).create_time() <= float(first["at"]) + 1)
    except (psutil.Error, ValueError, KeyError, OverflowError):
        return False


def one(run_id: str) -> RunLog:
    """`last`, an id, or the beginning of one. Raises NotFound."""
    for folder in past_runs() if run_id else ():
        run = read(folder) if run_id == "last" or folder.name.startswith(run_id.lower()) else None
        if run is not None:
            files = sorted(
                str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and ".terraform" not in p.parts
            )
            return RunLog(run, tuple(journal_lines(folder)), tuple(files))
    raise NotFound(f"there is no run '{run_id}'", hint="karrots logs")
