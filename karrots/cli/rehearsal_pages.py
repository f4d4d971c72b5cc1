"""A rehearsal for a pull request and for a test report: Markdown, and JUnit's XML.

JUnit's form has no standard; this keeps to what the readers of Jenkins, GitLab and GitHub's actions have in common.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from karrots.cli.rehearsal_texts import about, place, subject, terraform_line
from karrots.report.text import count_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from karrots.ops.rehearse import Rehearsal
    from karrots.rehearsal.model import Changed, Item, Noticed

FAILED = ("failed", "no word")
# What XML 1.0 has no way to write (https://www.w3.org/TR/xml/#charsets).
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
ROWS = 50
CHECKS = ("variables and files", "order", "the API server", "pruned", "Terraform")


def junit(done: Rehearsal) -> str:
    """One case for each of Flux's objects, and one for each check."""
    cases = [*map(_case, done.items), *_checks(done)]
    counts = {
        "tests": len(cases),
        "failures": sum(1 for case in cases if case.find("failure") is not None),
        "errors": 0,
        "skipped": sum(1 for case in cases if case.find("skipped") is not None),
    }
    numbers = {name: str(count) for name, count in counts.items()} | {"time": f"{done.seconds:.3f}"}
    suites = ET.Element("testsuites", {"name": "karrots rehearse", **numbers})
    suite = ET.SubElement(suites, "testsuite", {"name": xml_text(f"{done.directory} {subject(done)}"), **numbers})
    suite.extend(cases)
    ET.SubElement(suite, "system-out").text = xml_text(f"{done.verdict}\n{about(done)}\n")
    ET.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


def xml_text(text: str) -> str:
    return NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def _case(item: Item) -> ET.Element:
    case = _named(f"{item.kind}.{item.namespace}", item.name, item.path, item.line)
    told = "\n".join(filter(None, (f"{item.reason}: {item.why}", place(item.path, item.line), item.next)))
    if item.outcome in FAILED:
        _add(case, "failure", item.why, told, item.reason or item.outcome)
    elif item.outcome in ("waits", "not rehearsed", "suspended"):
        _add(case, "skipped", item.why)
    elif item.late:
        ET.SubElement(case, "system-out").text = xml_text(told)
    return case


def _checks(done: Rehearsal) -> Iterator[ET.Element]:
    for check in CHECKS[:3]:
        case = _named("check", check)
        own = [each for each in done.noticed if _check_of(each) == check]
        wrong = [each for each in own if each.severity == "error"]
        if wrong:
            _add(case, "failure", wrong[0].message, _lines(wrong), wrong[0].check)
        elif own:
            ET.SubElement(case, "system-out").text = xml_text(_lines(own))
        yield case
    pruned = _named("check", "pruned")
    if done.pruned:
        ET.SubElement(pruned, "system-out").text = xml_text(
            "".join(f"{each.label} {each.risk}\n" for each in done.pruned)
        )
    yield pruned
    yield _terraform(done)


def _terraform(done: Rehearsal) -> ET.Element:
    case = _named("check", "Terraform")
    if done.terraform is None:
        _add(case, "skipped", done.terraform_left_out)
    elif done.terraform.errors:
        found = [f"{each.file}:{each.line} {each.summary}: {each.detail}" for each in done.terraform.findings]
        _add(case, "failure", found[0], "\n".join(found), "terraform")
    return case


def _check_of(each: Noticed) -> str:
    if each.check in ("refused", "api-warning", "kubernetes"):
        return "the API server"
    return "order" if each.check in ("dependency-loop", "missing-dependency") else "variables and files"


def _lines(noticed: Iterable[Noticed]) -> str:
    return "".join(f"{place(each.path, each.line)} {each.object}: {each.message}\n" for each in noticed)


def _named(classname: str, name: str, path: str = "", line: int = 0) -> ET.Element:
    where = {"file": xml_text(path), "line": str(line)} if path else {}
    return ET.Element("testcase", {"classname": xml_text(classname), "name": xml_text(name), "time": "0", **where})


def _add(case: ET.Element, tag: str, message: str, told: str = "", kind: str = "") -> None:
    found = ET.SubElement(case, tag, {"message": xml_text(message)} | ({"type": xml_text(kind)} if kind else {}))
    found.text = xml_text(told) or None


def markdown(done: Rehearsal) -> str:
    """The verdict first; long lists are folded."""
    mark = "✅" if done.passed else "❌"
    parts = [f"### {mark} Rehearsal of `{_code(done.directory)}`: {_plain(done.verdict)}", _plain(about(done))]
    failed = [item for item in done.items if item.outcome in FAILED]
    parts += _table("Failed", ("what", "cause", "where", "try"), [_row(item) for item in failed], folded=False)
    for severity, title in (("error", "Errors"), ("warning", "Warnings")):
        rows = [
            (f"`{_code(n.object)}`", _plain(n.message), _where(n.path, n.line), _plain(n.next))
            for n in done.noticed
            if n.severity == severity
        ]
        parts += _table(title, ("what", "why", "where", "try"), rows, folded=severity == "warning")
    others = [item for item in done.items if item.outcome in ("not rehearsed", "waits", "suspended") or item.late]
    parts += _table("Not failed, and not simply Ready", ("what", "cause", "where", "try"), [_row(i) for i in others])
    parts += _changes(done.changes)
    rows = [(f"`{_code(h.object)}`", _plain(h.reason), _where(h.path, h.line), h.hold) for h in done.held]
    parts += _table("A fence held", ("what", "why", "where", "how"), rows)
    images = [(f"`{_code(i.name)}`", _plain(", ".join(i.used_by))) for i in done.images]
    parts += _table("Images", ("image", "used by"), images)
    return "\n\n".join([*parts, _plain(terraform_line(done))]) + "\n"


def _changes(changes: Sequence[Changed]) -> Iterator[str]:
    for effect, title in (("vanishes", "Pruned"), ("changes", "Changed"), ("appears", "New")):
        rows = [
            (f"`{_code(c.label)}`", _plain(", ".join(filter(None, (*c.fields, c.risk)))), _where(c.path, c.line))
            for c in changes
            if c.effect == effect
        ]
        yield from _table(title, ("what", "how", "where"), rows, folded=effect != "vanishes")


def _row(item: Item) -> tuple[str, str, str, str]:
    return f"`{_code(item.label)}`", _plain(item.why), _where(item.path, item.line), _plain(item.next)


def _where(path: str, line: int) -> str:
    return f"`{_code(path)}:{line}`" if path else ""


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], *, folded: bool = True) -> Iterator[str]:
    if not rows:
        return
    shown = [f"| {' | '.join(row)} |" for row in rows[:ROWS]]
    body = "\n".join([f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}", *shown])
    more = f"\n\n{count_text(len(rows) - ROWS, 'row')} more: `-o json`" if len(rows) > ROWS else ""
    head = f"{title} ({len(rows)})"
    if folded:
        yield f"<details><summary>{head}</summary>\n\n{body}{more}\n\n</details>"
    else:
        yield f"**{head}**\n\n{body}{more}"


def _plain(text: str) -> str:
    """Somebody's text in a table: on one line, and no mark-up of it counts."""
    one = " ".join(text.split())
    return re.sub(r"([\\`*_{}\[\]<>|#~])", r"\\\1", one).replace("@", "@\N{ZERO WIDTH NON-JOINER}")


def _code(text: str) -> str:
    return " ".join(text.split()).replace("`", "'").replace("|", "\\|")
