"""Tables for people: columns as wide as their content, cut only where the terminal ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from karrots.report.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, width: int | None = None) -> str:
    """Left-aligned columns two blanks apart; with `width` the widest columns give way until a row fits."""
    cells = [[clean(cell).replace("\n", " ") for cell in row] for row in (head, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    if width is not None:
        widths = narrowed(widths, [len(cell) for cell in head], width - 2 * (len(head) - 1))
    return "".join(_line(row, widths) for row in cells)


def checks_table(rows: Sequence[tuple[str, bool, str, str]], *, width: int | None = None) -> str:
    """What was looked at, whether it is well and what was found; a row that is not well is followed by its mend."""
    lines = table(
        ("", "CHECK", "FOUND"), [("ok" if ok else "NO", what, found) for what, ok, found, _ in rows], width=width
    )
    head, *told = lines.splitlines(keepends=True)
    hints = [_hint(hint) if not ok else "" for _, ok, _, hint in rows]
    return head + "".join(line + hint for line, hint in zip(told, hints, strict=True))


def _hint(hint: str) -> str:
    return "".join(f"    try: {line}\n" for line in clean(hint).splitlines())


def narrowed(widths: list[int], floors: Sequence[int], room: int) -> list[int]:
    """Take from the widest column, one character at a time, never below its heading or 6."""
    widths = list(widths)
    while sum(widths) > room:
        spare = [w - max(6, f) for w, f in zip(widths, floors, strict=True)]
        at = max(range(len(widths)), key=lambda i: (spare[i] > 0, widths[i]))
        if spare[at] <= 0:
            break
        widths[at] -= 1
    return widths


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    parts = [_fit(cell, size) for cell, size in zip(row, widths, strict=True)]
    return "  ".join(parts).rstrip() + "\n"


def _fit(cell: str, size: int) -> str:
    return cell.ljust(size) if len(cell) <= size else cell[: size - 1] + "…"
