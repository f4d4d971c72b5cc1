"""What `promote`, `rollback`, `rebase` and `history` answer, as people and pull requests read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from karrots import clock
from karrots.ops.preview import NOT_SHOWN, told
from karrots.report.tables import table
from karrots.report.text import age_text, clean, count_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from karrots.diff.sides import File
    from karrots.ops.history import History
    from karrots.ops.moving import Moved
    from karrots.ops.preview import Preview


def moved_text(moved: Moved) -> str:
    """A dry run shows what it saw; the rest is one line, and the commands that follow."""
    if moved.commit:
        following = "".join(f"next: {command}\n" for command in moved.next)
        return f"{moved.cluster}  {moved.branch}@{moved.commit[:10]}\n{following}"
    if moved.preview is None:
        return f"{moved.cluster}  nothing to move: '{moved.branch}' has it already\n"
    lines = "".join(f"{clean(line)}\n" for line in told(moved.preview))
    patch = moved.preview.infrastructure_patch
    return lines + (f"\n{patch}" if patch else "") + "".join(f"next: {command}\n" for command in moved.next)


def pull_request_text(moved: Moved) -> str:
    """Markdown: a title, and what a reviewer asks first."""
    seen = moved.preview
    if seen is None:
        return f"# Nothing to promote into {moved.cluster}\n\n`{moved.branch}` has it already.\n"
    return (
        "\n".join([f"# Promote {_plain(seen.source)} into {_plain(seen.cluster)}", "", *_sections(seen, moved)]) + "\n"
    )


def _sections(seen: Preview, moved: Moved) -> Iterator[str]:
    yield f"{count_text(len(seen.commits), 'commit')} onto `{seen.branch}` at {seen.old[:10]}."
    if seen.infrastructure:
        yield from _list("Infrastructure changes", _files(seen.infrastructure))
        yield from ("", _sentence(NOT_SHOWN), "", *_fenced("diff", seen.infrastructure_patch))
    acting = [f"`{each.what}`: {_plain(each.reason)} (`{each.path}`)" for each in seen.acts]
    yield from _list("Will act, and was held by the copy's fence", acting)
    yield from _list("Brings back what was rolled back", [f"`{commit[:10]}`" for commit in seen.brings_back])
    yield from _list("Other clusters that follow this branch", [f"`{name}`" for name in seen.also])
    yield from _list("Commits", [f"{each.id[:10]} {_plain(each.subject)}" for each in seen.commits])
    yield from _list(f"Files of {seen.cluster}", _files(seen.files))
    yield from _list("Files elsewhere", _files(seen.elsewhere))
    then = [f"karrots promote {seen.source} --into {seen.cluster}", *moved.next]
    yield from ("", "## After the merge", "", "`git pull`, then:", "", *_fenced("sh", "\n".join(then) + "\n"))


def _list(title: str, items: Sequence[str]) -> Iterator[str]:
    if items:
        yield from ("", f"## {title}", "")
        yield from (f"- {item}" for item in items)


def _files(files: Sequence[File]) -> list[str]:
    return [f"`{each.status} {each.path}`" for each in files]


def _fenced(kind: str, text: str) -> Iterator[str]:
    """A fence longer than any in the text."""
    mark = "`" * max(3, 1 + max((len(run) for run in _runs(text)), default=0))
    yield from (f"{mark}{kind}", text.rstrip("\n"), mark)


def _runs(text: str) -> Iterator[str]:
    import re

    yield from re.findall("`+", text)


def _plain(text: str) -> str:
    """Somebody's words, with nothing in them that Markdown or HTML would act on."""
    escaped = "".join(f"\\{c}" if c in "\\`*_[]#|~" else c for c in " ".join(clean(text).split()))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace("@", "&#64;")


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def history_text(found: History, columns: int | None) -> str:
    if not found.events:
        return f"nothing is known of '{found.cluster}'\n"
    now = clock.now()
    rows = [(age_text(e.when, now), e.verb or "-", e.who, e.commit[:10] or "-", e.what, e.look) for e in found.events]
    return table(("AGE", "VERB", "WHO", "COMMIT", "WHAT", "LOOK"), rows, width=columns)
