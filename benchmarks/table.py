"""The results as a table for people. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.row import Unit, Verdict
from karrots.report.tables import table
from karrots.report.text import count_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.row import Result, Target

HEAD = ("row", "karrots", "peer", "", "ratio", "target", "verdict")


def render(results: Sequence[Result], machine: Mapping[str, str]) -> str:
    """The table, what was seen beside it, what went wrong, and the computer."""
    rows = [line for result in results for line in lines(result)]
    notes = [note for result in results for note in remarks(result)]
    facts = [f"{name}: {value}" for name, value in machine.items()]
    parts = [table(HEAD, rows), *(["\n".join(notes) + "\n"] if notes else []), "\n".join(facts) + "\n"]
    return "\n".join(parts)


def markdown(results: Sequence[Result]) -> str:
    """The table alone, as docs/benchmarks.md holds it."""
    rows = [HEAD, tuple("---" for _ in HEAD), *(line for result in results for line in lines(result))]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def lines(result: Result) -> list[tuple[str, ...]]:
    """One line a peer; the row's own cells stand on the first."""
    row = result.row
    first = (row.title, quantity(result.median(), row.unit))
    last = (target(row.target, row.unit), str(result.verdict))
    peers = [(name, quantity(result.median(name), row.unit), times(result.ratio(name))) for name in result.peers]
    head, *others = peers or [("", "", "")]
    return [(*first, *head, *last), *(("", "", *other, "", "") for other in others)]


def remarks(result: Result) -> list[str]:
    """What the table has no room for: values seen in the same runs, and failures."""
    title = result.row.title
    beside = {"karrots": result.beside(), **{peer: result.beside(peer) for peer in result.peers}}
    seen = [f"{title}: {who}: {_listed(of, result.row.beside_unit)}" for who, of in beside.items() if of]
    failed = [f"{title}: {who} failed: {why}" for who, why in result.failures.items()]
    disturbed = [f"{title}: {count_text(result.disturbed, 'round')} beside other work"] if result.disturbed else []
    return [*seen, *failed, *disturbed]


def _listed(values: Mapping[str, float], unit: Unit) -> str:
    return ", ".join(f"{name} {quantity(value, unit)}" for name, value in values.items())


def quantity(value: float | None, unit: Unit) -> str:
    """4.21 s, 87 ms, 2.9 ms, 912 MiB; a dash for nothing."""
    if value is None:
        return "-"
    if unit is Unit.bytes:
        return f"{value / 2**20:.0f} MiB"
    if value >= 0.9995:
        return f"{value:.2f} s" if value < 99.5 else f"{value:.0f} s"
    return f"{value * 1000:.0f} ms" if value >= 0.00995 else f"{value * 1000:.1f} ms"


def times(ratio: float | None) -> str:
    if ratio is None:
        return "-"
    return f"{ratio:.2f}" if ratio < 9.995 else f"{ratio:.0f}"


def target(wanted: Target, unit: Unit) -> str:
    parts = []
    if wanted.most is not None:
        parts.append(f"≤ {quantity(wanted.most, unit)}")
    if wanted.times is not None:
        parts.append(f"ratio ≥ {wanted.times:g}")
    if wanted.aim is not None:
        parts.append(f"aim: ratio ≥ {wanted.aim:g}")
    return ", ".join(parts)


def fell_short(results: Sequence[Result]) -> list[str]:
    """Rows to look at."""
    return [r.row.name for r in results if r.verdict in (Verdict.short, Verdict.wrong)]
