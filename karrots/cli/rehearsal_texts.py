"""How a person reads a rehearsal: the verdict, then what to do something about, then the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from karrots.cli.texts import rehearsed_text
from karrots.report.text import count_text, seconds_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from karrots.ops.rehearse import Rehearsal
    from karrots.rehearsal.model import Changed, Held, Image, Item, Noticed

SHOWN = 20
WORDS = {"no word": "no word", "not rehearsed": "could not be rehearsed"}


def rehearsal_text(done: Rehearsal, columns: int | None) -> str:
    lines = [f"{done.directory} {subject(done)}: {done.verdict}", about(done)]
    for part in (
        _items("FAILED", [i for i in done.items if i.outcome in ("failed", "no word")]),
        _noticed("ERRORS", [n for n in done.noticed if n.severity == "error"]),
        _items("COULD NOT BE REHEARSED", [i for i in done.items if i.outcome == "not rehearsed"]),
        _items("WAIT FOR THESE", [i for i in done.items if i.outcome == "waits"]),
        _noticed("WARNINGS", [n for n in done.noticed if n.severity == "warning"]),
        _items("READY ONLY WHEN ASKED AGAIN", [i for i in done.items if i.late]),
        _changes("PRUNED", [c for c in done.changes if c.effect == "vanishes"]),
        _changes("CHANGED", [c for c in done.changes if c.effect == "changes"]),
        _changes("NEW", [c for c in done.changes if c.effect == "appears"]),
        _held(done.held),
        _images(done.images),
    ):
        lines += [""] * bool(part) + part
    lines += ["", terraform_line(done)]
    played = rehearsed_text(done.terraform, columns) if done.terraform else ""
    return "\n".join(lines) + "\n" + played


def subject(done: Rehearsal) -> str:
    return f"at {done.commit[:10]} ({done.what})"


def about(done: Rehearsal) -> str:
    other = done.against
    beside = "with no other side"
    if other.name and other.same:
        beside = f"the same content as '{other.name}'"
    elif other.name:
        beside = f"on top of '{other.name}' at {other.commit[:10]}" + (
            "" if other.ready else ", which is not Ready itself"
        )
    took = seconds_text(done.seconds)
    return (
        f"{count_text(done.applied, 'object')} on Kubernetes {done.kubernetes}, {beside}; pods were simulated; {took}"
    )


def place(path: str, line: int) -> str:
    return f"{path}:{line}" if path else "not in a file"


def terraform_line(done: Rehearsal) -> str:
    if done.terraform is None:
        return f"Terraform was left out: {done.terraform_left_out}"
    return f"Terraform: {count_text(done.terraform.errors, 'error')}"


def _items(title: str, items: Sequence[Item]) -> list[str]:
    lines = []
    for item in items:
        lines.append(f"  {item.label}  {place(item.path, item.line)}")
        lines += [f"      {item.reason + ': ' if item.reason and item.outcome == 'failed' else ''}{item.why}"] * bool(
            item.why
        )
        lines += [f"      try: {item.next}"] * bool(item.next)
    return [title, *lines] if lines else []


def _noticed(title: str, noticed: Sequence[Noticed]) -> list[str]:
    lines = []
    for each in noticed[:SHOWN]:
        lines.append(f"  {place(each.path, each.line)}  {each.object}: {each.message} ({each.check})")
        lines += [f"      try: {each.next}"] * bool(each.next)
    return [title, *lines, *_more(noticed)] if lines else []


def _changes(title: str, changes: Sequence[Changed]) -> list[str]:
    lines = [f"  {_changed(each)}" for each in changes[:SHOWN]]
    return [title, *lines, *_more(changes)] if lines else []


def _changed(each: Changed) -> str:
    notes = ", ".join(filter(None, (*each.fields, each.risk)))
    where = f"  {place(each.path, each.line)}" if each.path else ""
    return f"{each.label}{f': {notes}' if notes else ''}{where}"


def _held(held: Sequence[Held]) -> list[str]:
    lines = [f"  {each.object} ({each.hold}): {each.reason}  {place(each.path, each.line)}" for each in held[:SHOWN]]
    return ["A FENCE HELD", *lines, *_more(held)] if lines else []


def _images(images: Sequence[Image]) -> list[str]:
    lines = [f"  {each.name}  {', '.join(_some(each.used_by))}" for each in images[:SHOWN]]
    return ["IMAGES", *lines, *_more(images)] if lines else []


def _some(names: Sequence[str]) -> Iterable[str]:
    return names if len(names) <= 3 else [*names[:3], f"and {len(names) - 3} more"]


def _more(rows: Sequence[object]) -> Iterator[str]:
    if len(rows) > SHOWN:
        yield f"  and {len(rows) - SHOWN} more: -o json"
