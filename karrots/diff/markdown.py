"""A comparison for a pull request: a table of scores, what is risky, the rest folded; bounded in size. Pure.

Whatever comes from clusters or content stands in a code element or a fenced block, where nobody is mentioned, nothing
is linked and no tag is one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from karrots.diff.document import groups
from karrots.diff.text import SIGNS, WHOLE, percent, places, values
from karrots.report.text import clean, count_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from karrots.diff.document import Difference, Differences, Group, LevelScore
    from karrots.diff.model import Departure

# GitHub takes 65,536 characters in a comment, GitLab a million.
LARGEST = 60_000
MOST_RISKS = 20
MOST_FILES = 100
LONGEST_PATCH = 20_000
CUT = "\n_{} more are not shown: this comment would be too long for a pull request._\n"
_SPECIAL = re.compile(r"[&<>|`*_\[\]\\~#!$()]")


def markdown(found: Difference, largest: int = LARGEST) -> str:
    return f"## {_title(found)}\n\n" + "".join(_fitted(_blocks(found), largest - 500))


def many(found: Differences) -> str:
    rows = [(code(each.b.label), percent(each.percent), _classes(each)) for each in found.compared]
    head = f"## {code(found.parent)} and {count_text(len(found.compared), 'cluster')} beside it\n\n"
    table = _table(("cluster", "zero-diff", "differences"), rows)
    room = (LARGEST - len(head) - len(table)) // max(len(found.compared), 1)
    return head + table + "".join("\n" + markdown(each, max(room, 2_000)) for each in found.compared)


def _classes(found: Difference) -> str:
    named = ((name, sum(getattr(score, name) for score in found.scores)) for name in ("unexpected", "expected"))
    return ", ".join(f"{number} {name}" for name, number in named)


def _title(found: Difference) -> str:
    score = f": zero-diff {percent(found.percent)}" if any(each.compared for each in found.scores) else ""
    return f"{code(found.a.label)} → {code(found.b.label)}{score}"


def _fitted(blocks: Iterable[str], room: int) -> Iterator[str]:
    """As many whole blocks as there is room for."""
    left = 0
    for block in blocks:
        room -= len(block)
        if room >= 0 and not left:
            yield block
        else:
            left += 1
    if left:
        yield CUT.format(count_text(left, "part"))


def _blocks(found: Difference) -> Iterator[str]:
    """Each closes what it opens, so that any of them may be the last."""
    if found.scores:
        yield _table(("level", "zero-diff", "objects", "differ", "unexpected", "expected", "runtime"),
                     map(_score_row, found.scores))  # fmt: skip
    yield from (f"\n> {code(each.level)} {code(each.side)} {code(each.message)}\n" for each in found.troubles)
    yield from _risks(found.departures)
    yield from (_folded(group, found.labels) for group in groups(found.departures) if group.level != "content")
    if found.files:
        yield _details(f"content: {count_text(len(found.files), 'file')}", _names(found) + _patch(found.patch))
    for title, settings in (("overrides", found.overrides), ("identity, which always differs", found.identity)):
        if settings:
            rows = [(code(each.key), code(each.a), code(each.b)) for each in settings]
            yield _details(title, _table(("key", code(found.a.label), code(found.b.label)), rows))


def _score_row(score: LevelScore) -> tuple[str, ...]:
    if not score.compared:
        return score.level, "not compared", *("",) * 5
    counts = (score.total, score.objects, score.unexpected, score.expected, score.runtime)
    return score.level, percent(score.percent), *map(str, counts)


def _risks(departures: Iterable[Departure]) -> Iterator[str]:
    risky = [each for each in departures if each.risk]
    if risky:
        yield f"\n**{count_text(len(risky), 'risk')}**\n\n"
    for each in risky[:MOST_RISKS]:
        said = (f" {code(each.path)}" if each.path else "", f": {code(each.risk_reason)}" if each.risk_reason else "")
        yield f"- **{each.risk}** {code(str(each.key))}{''.join(said)}\n"
    if len(risky) > MOST_RISKS:
        yield f"- … {len(risky) - MOST_RISKS} more\n"


def _folded(group: Group, labels: tuple[str, str]) -> str:
    counts = ", ".join(f"{number} {name}" for name, number in group.counts.items())
    risk = f" · <b>{group.risk}</b>" if group.risk else ""
    return _details(
        f"{group.level} · {code(str(group.key))} · {counts}{risk}", _block("diff", _lines(group.departures, labels))
    )


def _lines(departures: Iterable[Departure], labels: tuple[str, str]) -> Iterator[str]:
    for each in departures:
        yield f"{SIGNS[each.change]} {each.path or WHOLE}"
        yield from (line if line.startswith(("+", "-")) else f"  {line}" for line in values(each))
        yield f"  # {each.classed}{f': {each.reason}' if each.reason else ''}"
        yield from (f"  # {line}" for line in places(each, labels))


def _names(found: Difference) -> str:
    """On their own, as the text of the first may be so long that the others are cut off."""
    over = len(found.files) - MOST_FILES
    listed = "".join(f"- {file.status} {code(file.path)}\n" for file in found.files[:MOST_FILES])
    return listed + (f"- … {over} more\n" if over > 0 else "") + "\n"


def _patch(patch: str) -> str:
    short = patch if len(patch) <= LONGEST_PATCH else patch[:LONGEST_PATCH] + "\n… cut here\n"
    return _block("diff", short.splitlines())


def _details(summary: str, inside: str) -> str:
    return f"\n<details><summary>{summary}</summary>\n\n{inside}\n</details>\n"


def _block(language: str, lines: Iterable[str]) -> str:
    """Fenced by more backticks than the text has anywhere."""
    text = "".join(f"{' '.join(clean(line).splitlines())}\n" for line in lines)
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    return f"{fence}{language}\n{text}{fence}\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def code(text: str) -> str:
    """In one line, with every character that could mean something written as a number."""
    plain = " ".join(clean(text).split())
    return f"<code>{_SPECIAL.sub(lambda found: f'&#{ord(found[0])};', plain)}</code>" if plain else ""
