"""A cluster directory of which only the heads of objects are read: kind, group, namespace and name.

The whole of an object is read when it is asked for, which a comparison does for those that differ. Objects are told
apart by the text they are written in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from sys import intern
from typing import TYPE_CHECKING, Any

import yaml

from karrots.diff.tokens import unmarked
from karrots.lint.finding import Finding
from karrots.lint.tree import KUSTOMIZATION_FILES, Tree
from karrots.spec import yaml_file
from karrots.spec.flux_components import LABELS
from karrots.spec.yaml_file import Document

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# etcd takes objects of 1.5 MiB (--max-request-bytes), and YAML is longer than JSON.
LARGEST = 4 << 20
_SEPARATOR = re.compile(r"---(?:[ \t]+#[^\n]*|[ \t]*)(?=\n|$)")
_WORD = r"[ \t]+[\"']?([A-Za-z0-9_.:/${}*-]+)[\"']?[ \t]*(?:[ \t]#[^\n]*)?(?:\n|$)"
_VERSION, _KIND = re.compile(rf"\napiVersion:{_WORD}"), re.compile(rf"\nkind:{_WORD}")
_METADATA = re.compile(r"\nmetadata:[ \t]*\n((?:[ ]+[^\n]*(?:\n|$)|[ \t]*\n)+)")
_INDENT = re.compile(r" +(?=[^ #\n])")
# What more than its head is needed of, to find out what else there is to build.
_WHOLE = (".toolkit.fluxcd.io/", "kustomize.config.k8s.io/")
# In a document whose keys may stand anywhere, or come from elsewhere.
_ODD = ("\n{", "\n?", "\n%", "\n<<", "\n...", "\n'", '\n"', "\t")


@dataclass(frozen=True, slots=True)
class Chunk:
    """One document of a file: where its text is, and the line of the file before which it begins.

    The text is read again when it is asked for, as all of them together may be more than there is room for.
    """

    files: Mapping[str, bytes] = field(repr=False)
    path: str
    begin: int
    end: int
    first: int
    digest: bytes = b""
    substitutes: bool = False
    recent: list[tuple[Chunk, Document]] = field(default_factory=list, repr=False, compare=False)

    @property
    def text(self) -> str:
        return _text(self.files.get(self.path, b""))[self.begin : self.end]


@dataclass(frozen=True, slots=True)
class Head(Document):
    """A document of which `value` is the head alone, or the whole when there is a node."""

    chunk: Chunk = field(default=Chunk({}, "", 0, 0, 0), repr=False)

    def position(self, path: Sequence[str | int] = ()) -> tuple[int, int]:
        if self.node is _NO_NODE:
            return self.chunk.first + 1, 1
        line, column = Document.position(self, path)
        return self.chunk.first + line, column

    def scalar_line(self, path: Sequence[str | int], offset: int) -> int:
        return self.chunk.first + (1 if self.node is _NO_NODE else Document.scalar_line(self, path, offset))


_NO_NODE = yaml.ScalarNode("tag:yaml.org,2002:str", "")


class Heads(Tree):
    """`recent` is the document that was read last, as it is mostly asked for more than once."""

    def __init__(self, files: Mapping[str, bytes], directory: str) -> None:
        super().__init__(files, directory)
        self.recent: list[tuple[Chunk, Document]] = []

    def _parse(self, path: str) -> tuple[Document, ...]:
        data = self.files[path]
        try:
            text = _text(data)
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            self.broken[path] = Finding(path, line, "broken-yaml", "error", "", "the file is not UTF-8 text")
            return ()
        whole = path.rpartition("/")[2] in KUSTOMIZATION_FILES
        odd = [word for word in _ODD if word[-1] in text and word in text]
        found = self._chunks(text, path)
        return tuple(each for chunk in found for each in self._documents(*chunk, odd=odd, whole=whole))

    def _chunks(self, text: str, path: str) -> Iterator[tuple[Chunk, str]]:
        for begin, end, first in pieces(text):
            part = text[begin:end]
            if not part.strip():
                continue
            digest = blake2b(part.strip().encode(), digest_size=16).digest()
            yield Chunk(self.files, path, begin, end, first, digest, "${" in part, self.recent), part

    def _documents(self, chunk: Chunk, text: str, *, odd: Sequence[str], whole: bool) -> Iterator[Document]:
        head = None if whole or any(word in text for word in odd) else _head(text)
        if head is not None:
            yield Head(head, chunk.path, 0, _NO_NODE, chunk)
            return
        try:
            yield from (Head(each.value, chunk.path, 0, each.node, chunk) for each in parsed(text, chunk.path))
        except yaml_file.YamlProblem as problem:
            line = chunk.first + (problem.line or 1)
            self.broken[chunk.path] = Finding(chunk.path, line, "broken-yaml", "error", "", problem.problem)


def nothing(path: str, line: int) -> Head:
    """For an object that no document holds; `line` is where it is asked for."""
    return Head({}, path, 0, _NO_NODE, Chunk({}, path, 0, 0, line - 1))


def _text(data: bytes) -> str:
    text = data.decode("utf-8-sig")
    return unmarked(text.replace("\r\n", "\n") if "\r" in text else text)


def pieces(text: str) -> Iterator[tuple[int, int, int]]:
    """Begin and end of each document, and the lines before it.

    They are told apart by their separators: a block of text can hold none, as its lines are indented.
    """
    begin, line = 0, 0
    at = 0 if text.startswith("---") else text.find("\n---") + 1
    while at or text.startswith("---", at):
        match = _SEPARATOR.match(text, at)
        if match is not None:
            yield begin, at, line
            line += text.count("\n", begin, match.end())
            begin = match.end()
        at = text.find("\n---", at + 3) + 1
        if not at:
            break
    yield begin, len(text), line


def parsed(text: str, path: str) -> list[Document]:
    """All of it. Raises YamlProblem, whose line counts from the text's first."""
    return yaml_file.documents(text, path, largest=LARGEST)


def whole(document: Document) -> Any:
    """The value of a document that may be a head. Raises YamlProblem with the line in its file."""
    return full(document).value


def full(document: Document) -> Document:
    if not isinstance(document, Head) or document.node is not _NO_NODE:
        return document
    for chunk, known in document.chunk.recent:
        if chunk is document.chunk:
            return known
    try:
        found = parsed(document.chunk.text, document.source)
    except yaml_file.YamlProblem as problem:
        line = document.chunk.first + (problem.line or 1)
        raise yaml_file.YamlProblem(problem.problem, source=document.source, line=line) from problem
    if len(found) != 1:
        raise yaml_file.YamlProblem("it holds no object", source=document.source, line=document.chunk.first + 1)
    document.chunk.recent[:] = [(document.chunk, found[0])]
    return found[0]


def line_of(document: Document, path: Sequence[str | int]) -> int:
    """The line in the file of the part at `path`, of the deepest part that exists when it does not."""
    if not isinstance(document, Head) or document.node is not _NO_NODE:
        return document.position(path)[0]
    try:
        return document.chunk.first + full(document).position(path)[0]
    except yaml_file.YamlProblem:
        return document.chunk.first + 1


def _head(text: str) -> dict[str, Any] | None:
    """None where a whole reading is needed."""
    text = f"\n{text}"
    version, kind = _only(_VERSION, "\napiVersion:", text), _only(_KIND, "\nkind:", text)
    metadata = _only(_METADATA, "\nmetadata:", text)
    if version is None or kind is None or metadata is None:
        return None
    if kind.endswith("List") or any(word in version for word in _WHOLE):
        return None
    named = _named(metadata)
    return None if named is None else {"apiVersion": intern(version), "kind": intern(kind), "metadata": named}


def _only(pattern: re.Pattern[str], begin: str, text: str) -> str | None:
    at = text.find(begin)
    if at < 0 or text.find(begin, at + 1) >= 0:
        return None
    match = pattern.match(text, at)
    return match[1] if match else None


def _named(block: str) -> dict[str, Any] | None:
    indent = _INDENT.match(block) or _INDENT.search(block)
    if indent is None:
        return None
    found: dict[str, Any] = {}
    for word in ("name", "namespace"):
        values = _field(indent[0], word).findall(block)
        if len(values) > 1 or (not values and (word == "name" or f"{word}:" in block)):
            return None
        if values:
            found[word] = values[0]
    if "part-of: flux\n" in block and "instance: flux-system\n" in block:  # one of Flux's components
        return {**found, "labels": dict(LABELS)}
    return None if "kustomize.toolkit.fluxcd.io/" in block or "config.kubernetes.io" in block else found


@lru_cache(maxsize=64)
def _field(indent: str, word: str) -> re.Pattern[str]:
    return re.compile(rf"^{indent}{word}:{_WORD}", re.MULTILINE)
