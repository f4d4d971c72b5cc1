"""Git's text of two trees without the values of Secrets that somebody committed. Pure.

It goes by lines and indents and not by YAML, so that a file which is broken, or only half of one, is covered as well.
"""

from __future__ import annotations

import ast
import os
import posixpath
import re
from typing import TYPE_CHECKING

from karrots.diff.secrecy import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Files = Mapping[str, bytes]

_SECRET = re.compile(r"""^[\s{,-]*["']?kind["']?\s*:\s*["']?Secret\b|["']kind["']\s*:\s*["']Secret["']""", re.MULTILINE)
_VALUES = re.compile(r"""^(?P<indent>\s*(?:- +)?)["']?(?:data|stringData)["']?\s*:""")
_GENERATOR = re.compile(r"^(?P<indent>)secretGenerator\s*:")
_FLOW = re.compile(r"""[{,]\s*["']?(?:data|stringData)["']?\s*:""")
_KEY = re.compile(r"""^(\s*(?:- +)?["']?[\w./-]+["']?\s*:)(?:\s.*)?$""", re.DOTALL)
# In a list of either form, or alone: `- tls.env`, `files: [key=tls.pem]`, `env: tls.env`.
_FILE = re.compile(r"""(?:^\s*-\s+|[\[,]\s*|:[ \t]+)["']?(?:[\w.-]+=)?(?P<path>[^\s#,\[\]"']+)""", re.MULTILINE)
_HUNK = re.compile(r"^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")
_GENERATES = re.compile(r"^secretGenerator\s*:.*?(?=^\S(?!ecretGenerator)|\Z)", re.MULTILINE | re.DOTALL)
_DOCUMENT = re.compile(r"^---(?:\s.*)?$")


def secret_lines(text: str) -> set[int]:
    """Numbers of the lines that hold values of Secrets."""
    found: set[int] = set()
    start = 1
    for document in _documents(text):
        if _SECRET.search("\n".join(document)):
            found.update(start + at for at in _below(document, _VALUES))
            found.update(start + at for at, line in enumerate(document) if _FLOW.search(line))
        found.update(start + at for at in _below(document, _GENERATOR))
        start += len(document)
    return found


def _documents(text: str) -> Iterator[list[str]]:
    document: list[str] = []
    for line in text.split("\n"):
        if _DOCUMENT.match(line) and document:
            yield document
            document = []
        document.append(line)
    yield document


def _below(lines: list[str], beginning: re.Pattern[str]) -> Iterator[int]:
    """Positions of what stands in a group, and of its own line."""
    indent: int | None = None
    for at, line in enumerate(lines):
        depth = len(line) - len(line.lstrip())
        if (
            indent is not None
            and line.strip()
            and (depth < indent or (depth == indent and not line.lstrip().startswith("-")))
        ):
            indent = None
        begins = beginning.match(line)
        if begins and indent is None:
            indent = len(begins["indent"])
        if indent is not None:
            yield at


def generated_from(files: Files) -> set[str]:
    """Files that a kustomization makes Secrets of."""
    found = set()
    for path, data in files.items():
        if posixpath.basename(path).lower().startswith("kustomization"):
            for block in _GENERATES.findall(data.decode("utf-8", "replace")):
                folder = posixpath.dirname(path)
                found |= {posixpath.normpath(posixpath.join(folder, each["path"])) for each in _FILE.finditer(block)}
    return found


def covered(patch: str, a: Files, b: Files) -> str:
    """`patch` with the files' paths as git gives them, below the same folders as `a` and `b`."""
    whole = generated_from(a) | generated_from(b)
    return "".join(_file(part, a, b, whole) for part in re.split(r"^(?=diff --git )", patch, flags=re.MULTILINE))


def _file(part: str, a: Files, b: Files, whole: set[str]) -> str:
    old, new = _name(part, "---"), _name(part, "+++")
    if old is None or new is None or not whole.isdisjoint((old, new)):
        return "\n".join(_lines(part.split("\n"), None, None))
    mine, theirs = _lines_of(a.get(old)), _lines_of(b.get(new))
    return "\n".join(_lines(part.split("\n"), mine, theirs)) if mine or theirs else part


def _lines_of(data: bytes | None) -> set[int]:
    return secret_lines(data.decode("utf-8", "replace")) if data else set()


def _name(part: str, side: str) -> str | None:
    """'' where there is no such file; None for a name that cannot be read, whose file is then covered as a whole."""
    found = re.search(rf"^{re.escape(side)} (.*?)\t?$", part, re.MULTILINE)
    if found is None or found[1] == "/dev/null":
        return ""
    said = found[1]
    if said.startswith('"'):
        try:
            said = os.fsdecode(ast.literal_eval(f"b{said}"))  # git's escapes are Python's too
        except (ValueError, SyntaxError):
            return None
    return said[2:] if said.startswith(("a/", "b/")) else None


def _lines(lines: list[str], a: set[int] | None, b: set[int] | None) -> Iterator[str]:
    """`a` and `b` are what to cover, None for all of it."""
    old = new = 0
    for line in lines:
        hunk = _HUNK.match(line)
        if hunk:
            old, new = int(hunk[1]), int(hunk[2])
            yield hunk[0]  # behind it git repeats a line of the file
            continue
        if not new and not old:
            yield line
            continue
        hidden = (line[:1] in {"-", " "} and (a is None or old in a)) or (
            line[:1] in {"+", " "} and (b is None or new in b)
        )
        yield _cover(line) if hidden and line[1:].strip() else line
        old, new = old + (line[:1] in {"-", " "}), new + (line[:1] in {"+", " "})


def _cover(line: str) -> str:
    """The key stays where there is one."""
    key = _KEY.match(line[1:])
    bare = key and not line[1:][key.end(1) :].strip()
    if key and bare:
        return line
    return f"{line[0]}{key[1]} {HIDDEN}" if key else f"{line[0]}{HIDDEN}"
