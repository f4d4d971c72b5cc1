"""A cluster directory of which only the heads of objects are read: kind, group, namespace and name.

The whole of an object is read when it is asked for, which a comparison does for those that differ. Objects are told
apart by the text they are written in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import blake2b
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
_SEPARATOR = re.compile(r"^---(?:[ \t]+#[^\n]*|[ \t]*)$", re.MULTILINE)
_WORD = r"[\"']?([A-Za-z0-9_.:/${}*-]+)[\"']?[ \t]*(?:[ \t]#[^\n]*)?$"
_VERSION = re.compile(rf"^apiVersion:[ \t]+{_WORD}", re.MULTILINE)
_KIND = re.compile(r"^kind:[ \t]+[\"']?([A-Za-z0-9]+)[\"']?[ \t]*$", re.MULTILINE)
_METADATA = re.compile(r"^metadata:[ \t]*\n((?:[ ]+[^\n]*(?:\n|$)|[ \t]*\n)+)", re.MULTILINE)
_INDENT = re.compile(r" +(?=[^ #\n])")
# What more than its head is needed of, to find out what else there is to build.
_WHOLE = (".toolkit.fluxcd.io/", "kustomize.config.k8s.io/")
# Anything that stands for something said elsewhere, or that only a whole reading tells.
_ODD = re.compile(r"^(?:\{|%|<<|\?)|^\.\.\.$|^[ \t]*<<:|\t", re.MULTILINE)


@dataclass(frozen=True)
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

    @property
    def text(self) -> str:
        return _text(self.files.get(self.path, b""))[self.begin : self.end]


@dataclass(frozen=True)
class Head(Document):
    """A document of which `value` is the head alone, or the whole when there is a node."""

    chunk: Chunk = field(default=Chunk({}, "", 0, 0, 0), repr=False)

    def position(self, path: Sequence[str | int] = ()) -> tuple[int, int]:
        if self.node is _NO_NODE:
            return self.chunk.first + 1, 1
        line, column = super().position(path)
        return self.chunk.first + line, column

    def scalar_line(self, path: Sequence[str | int], offset: int) -> int:
        return self.chunk.first + (1 if self.node is _NO_NODE else super().scalar_line(path, offset))


_NO_NODE = yaml.ScalarNode("tag:yaml.org,2002:str", "")


class Heads(Tree):
    def _parse(self, path: str) -> tuple[Document, ...]:
        data = self.files[path]
        try:
            text = _text(data)
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            self.broken[path] = Finding(path, line, "broken-yaml", "error", "", "the file is not UTF-8 text")
            return ()
        whole = path.rpartition("/")[2] in KUSTOMIZATION_FILES
        return tuple(each for chunk in self._chunks(text, path) for each in self._documents(*chunk, whole=whole))

    def _chunks(self, text: str, path: str) -> Iterator[tuple[Chunk, str]]:
        for begin, end, first in pieces(text):
            part = text[begin:end]
            if not part.strip():
                continue
            digest = blake2b(part.strip().encode(), digest_size=16).digest()
            yield Chunk(self.files, path, begin, end, first, digest, "${" in part), part

    def _documents(self, chunk: Chunk, text: str, *, whole: bool) -> Iterator[Document]:
        head = None if whole else _head(text)
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
    return unmarked(data.decode("utf-8-sig").replace("\r\n", "\n"))


def pieces(text: str) -> Iterator[tuple[int, int, int]]:
    """Begin and end of each document, and the lines before it.

    They are told apart by their separators: a block of text can hold none, as its lines are indented.
    """
    begin, line = 0, 0
    for match in _SEPARATOR.finditer(text):
        yield begin, match.start(), line
        line += text.count("\n", begin, match.end())
        begin = match.end()
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
    try:
        found = parsed(document.chunk.text, document.source)
    except yaml_file.YamlProblem as problem:
        line = document.chunk.first + (problem.line or 1)
        raise yaml_file.YamlProblem(problem.problem, source=document.source, line=line) from problem
    if len(found) != 1:
        raise yaml_file.YamlProblem("it holds no object", source=document.source, line=document.chunk.first + 1)
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
    version, kind, metadata = _VERSION.findall(text), _KIND.findall(text), _METADATA.findall(text)
    if len(version) != 1 or len(kind) != 1 or len(metadata) != 1 or _ODD.search(text):
        return None
    if kind[0].endswith("List") or any(word in version[0] for word in _WHOLE):
        return None
    named = _named(metadata[0])
    return None if named is None else {"apiVersion": version[0], "kind": kind[0], "metadata": named}


def _named(block: str) -> dict[str, Any] | None:
    indent = _INDENT.match(block) or _INDENT.search(block)
    if indent is None:
        return None
    found: dict[str, Any] = {}
    for word in ("name", "namespace"):
        values = re.findall(rf"^{indent[0]}{word}:[ \t]+{_WORD}", block, re.MULTILINE)
        if len(values) > 1 or (not values and (word == "name" or f"{word}:" in block)):
            return None
        if values:
            found[word] = values[0]
    labels = {name: value for name, value in LABELS.items() if f"{name}: {value}\n" in block}
    if labels == LABELS:  # one of Flux's components
        return {**found, "labels": labels}
    return None if "kustomize.toolkit.fluxcd.io/" in block or "config.kubernetes.io" in block else found
