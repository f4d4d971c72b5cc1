"""A comparison as one HTML file that works from disk: side by side, with filters. Pure, but for the template's text.

Everything from clusters and content is escaped by the template, and a policy in the file lets no script run but ours,
whatever else comes to stand in it.
"""

from __future__ import annotations

import base64
import difflib
import hashlib
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from karrots.diff.document import CLASSES, groups
from karrots.diff.model import LEVELS
from karrots.diff.text import WHOLE, percent, places, shortened
from karrots.report.text import clean, count_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from karrots.diff.document import Difference, Group, LevelScore
    from karrots.diff.model import Departure, Level, ObjectKey


Unchanged: TypeAlias = "Mapping[tuple[Level, ObjectKey], Sequence[tuple[str, str]]]"
NONE_UNCHANGED: Unchanged = MappingProxyType({})
SAME = "same"
LARGEST = 230_000  # characters of differences in one page; with all around them it stays below 300 KB
ROW_COST = 330  # of a row without its texts
MOST_LINES = 1_500  # of one file
HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)")
Line = tuple[bool, str]


@dataclass(frozen=True)
class Row:
    """One setting or one line of a file; `a` and `b` are lines, each with whether it differs, None for nothing."""

    name: str
    classed: str
    a: tuple[Line, ...] | None
    b: tuple[Line, ...] | None
    notes: tuple[str, ...] = ()
    risk: str = ""
    id: str = ""

    @property
    def size(self) -> int:
        texts = (self.name, *self.notes, *(text for lines in (self.a, self.b) for _, text in lines or ()))
        return ROW_COST + sum(map(len, texts))


@dataclass(frozen=True)
class Entry:
    """One object or one file."""

    id: str
    level: str
    kind: str
    label: str
    heading: str
    rows: tuple[Row, ...]
    counts: str = ""
    risk: str = ""

    @property
    def size(self) -> int:
        return 2 * ROW_COST + 2 * len(self.label) + sum(row.size for row in self.rows)


@dataclass(frozen=True)
class Pair:
    """All that is shown of two sides."""

    a: str
    b: str
    percent: str
    scores: tuple[tuple[str, ...], ...]
    troubles: tuple[str, ...]
    objects: tuple[Entry, ...]
    left_out: str
    settings: tuple[tuple[str, Sequence[object]], ...] = field(default=())

    @property
    def listing(self) -> tuple[Entry, ...]:
        return self.objects


def page(found: Sequence[Difference], template: Path, unchanged: Unchanged = NONE_UNCHANGED) -> str:
    """`template` is the folder with diff.html.j2; `unchanged` are the equal settings of objects that differ."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = ((template / f"diff.{kind}").read_text("utf-8").strip() for kind in ("css", "js"))
    pairs = [_pair(each, number, LARGEST // len(found), unchanged) for number, each in enumerate(found)]
    entries = [entry for pair in pairs for entry in pair.objects]
    return clean(
        environment.get_template("diff.html.j2").render(
            title=_title(found),
            style=Markup(style),  # noqa: S704  (our own files)
            script=Markup(script),  # noqa: S704
            style_hash=_hash(style),
            script_hash=_hash(script),
            pages=pairs,
            levels=[level for level in LEVELS if level in {entry.level for entry in entries}],
            classes=CLASSES,
            kinds=sorted({entry.kind for entry in entries}),
        )
    )


def _title(found: Sequence[Difference]) -> str:
    first = found[0]
    return clean(f"{first.a.label} → {', '.join(each.b.label for each in found)}")


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _pair(found: Difference, number: int, room: int, unchanged: Unchanged) -> Pair:
    entries = [*_objects(found, number, unchanged), *_files(found.patch, number)]
    shown, left = _fitted(entries, room)
    over = f"{count_text(left, 'thing')} more did not fit into this page: karrots diff -o json has all" if left else ""
    compared = any(each.compared for each in found.scores)
    return Pair(
        clean(found.a.label), clean(found.b.label), percent(found.percent) if compared else "",
        tuple(map(_score, found.scores)), tuple(clean(_trouble(each)) for each in found.troubles), tuple(shown), over,
        tuple((title, rows) for title, rows in (
            ("overrides", found.overrides), ("identity (always differs)", found.identity),
        ) if rows),
    )  # fmt: skip


def _fitted(entries: Iterable[Entry], room: int) -> tuple[list[Entry], int]:
    shown: list[Entry] = []
    left = 0
    for entry in entries:
        room -= entry.size
        if room >= 0:
            shown.append(entry)
        else:
            left += 1
    return shown, left


def _score(score: LevelScore) -> tuple[str, ...]:
    if not score.compared:
        return score.level, "not compared", *("-",) * 5
    counts = (score.total, score.objects, score.unexpected, score.expected, score.runtime)
    return score.level, percent(score.percent), *map(str, counts)


def _trouble(trouble: object) -> str:
    parts = (getattr(trouble, name) for name in ("level", "side", "path", "message"))
    return ": ".join(filter(None, parts))


# Objects


def _objects(found: Difference, number: int, unchanged: Unchanged) -> Iterator[Entry]:
    for group in groups(found.departures):
        if group.level != "content":  # git's lines say more
            yield _entry(group, number, found.labels, unchanged.get((group.level, group.key), ()))


def _entry(group: Group, number: int, labels: tuple[str, str], same: Sequence[tuple[str, str]]) -> Entry:
    own = _id(number, group.level, str(group.key))
    rows = [_row(each, labels, f"{own}-{at}") for at, each in enumerate(group.departures)]
    rows += [Row(clean(path), SAME, ((False, clean(value)),), ((False, clean(value)),)) for path, value in same]
    counts = ", ".join(f"{count} {name}" for name, count in group.counts.items())
    label = clean(str(group.key))
    return Entry(own, group.level, clean(group.key.kind), label, "setting", tuple(rows), counts, group.risk)


def _row(each: Departure, labels: tuple[str, str], own: str) -> Row:
    why = f"{each.classed}: {each.reason}" if each.reason else each.classed
    risk = f"{each.risk}: {each.risk_reason}" if each.risk_reason else each.risk
    a, b = _sides(shortened(clean(each.a)), shortened(clean(each.b)))
    notes = (why, *places(each, labels))
    return Row(
        clean(each.path or WHOLE), each.classed,
        None if each.change == "added" else a, None if each.change == "removed" else b,
        tuple(map(clean, notes)), clean(risk), own,
    )  # fmt: skip


def _sides(a: str, b: str) -> tuple[tuple[Line, ...], tuple[Line, ...]]:
    """Lines, and which of them the other side does not have."""
    one, other = a.splitlines() or [""], b.splitlines() or [""]
    blocks = difflib.SequenceMatcher(None, one, other, autojunk=True).get_matching_blocks()
    same_a = {block.a + at for block in blocks for at in range(block.size)}
    same_b = {block.b + at for block in blocks for at in range(block.size)}
    return (
        tuple((at not in same_a, line) for at, line in enumerate(one)),
        tuple((at not in same_b, line) for at, line in enumerate(other)),
    )


def _id(number: int, level: str, label: str) -> str:
    """The same in every page of the same two sides, so that a link goes on to work."""
    return f"d{number}-{level}-{hashlib.sha256(label.encode('utf-8', 'surrogateescape')).hexdigest()[:10]}"


# Files, out of git's text


def _files(patch: str, number: int) -> Iterator[Entry]:
    for part in re.split(r"^(?=diff --git )", patch, flags=re.MULTILINE):
        if part.startswith("diff --git "):
            yield _file(part.split("\n"), number)


def _file(lines: Sequence[str], number: int) -> Entry:
    label = clean(_path(lines))
    own = _id(number, "content", label)
    rows = tuple(_with_ids(_file_rows(lines), own))
    notes = [
        line for line in lines[1:] if line.startswith(("new file", "deleted file", "rename", "Binary", "old mode"))
    ]
    rows = rows or (Row("the file", "unexpected", None, None, tuple(map(clean, notes)), "", f"{own}-0"),)
    return Entry(own, "content", "file", label, "line", rows, count_text(sum(r.classed != SAME for r in rows), "line"))


def _path(lines: Sequence[str]) -> str:
    for start in ("+++ b/", "--- a/", "rename to "):
        for line in lines:
            if line.startswith(start):
                return line.removeprefix(start)
            if line.startswith("@@"):
                break
    return lines[0].removeprefix("diff --git ")


def _with_ids(rows: Iterable[Row], own: str) -> Iterator[Row]:
    from dataclasses import replace

    for at, row in enumerate(rows):
        yield row if row.classed == SAME else replace(row, id=f"{own}-{at}")


def _file_rows(lines: Sequence[str]) -> Iterator[Row]:
    """Runs of removed and added lines stand side by side."""
    if len(lines) > MOST_LINES:
        said = ((False, f"{len(lines)} lines"),)
        yield Row("too long for a page", "unexpected", said, said)
        return
    old = new = 0
    less: list[str] = []
    more: list[str] = []
    inside = False
    for line in [*lines, "@@"]:
        if inside and line.startswith("-"):
            less.append(line[1:])
            continue
        if inside and line.startswith("+"):
            more.append(line[1:])
            continue
        yield from _run(less, more, old, new)
        old, new = old + len(less), new + len(more)
        less, more = [], []
        hunk = HUNK.match(line)
        if hunk:
            inside, old, new = True, int(hunk[1]), int(hunk[2])
        elif inside and line.startswith(" "):
            text = ((False, clean(line[1:])),)
            yield Row(f"{old} · {new}", SAME, text, text)
            old, new = old + 1, new + 1


def _run(less: Sequence[str], more: Sequence[str], old: int, new: int) -> Iterator[Row]:
    for at in range(max(len(less), len(more))):
        a = ((True, shortened(clean(less[at]))),) if at < len(less) else None
        b = ((True, shortened(clean(more[at]))),) if at < len(more) else None
        numbers = (str(old + at) if a else "", str(new + at) if b else "")
        yield Row(" · ".join(filter(None, numbers)), "unexpected", a, b)
