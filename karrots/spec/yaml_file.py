"""The one reader of YAML that people write: bounded, YAML 1.2 scalars, no duplicate keys, no tags.

libyaml's composer recurses in C and ends the whole process on 100,000 nested brackets, so the text goes through the
(iterative) event parser first, which counts depth, aliases and what the aliases unfold to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from karrots.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

MAX_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_ALIASES = 1_000
MAX_UNFOLDED = 200_000
MAX_DIGITS = 100
LONGEST = 400  # characters of a message: a key may have as many as the file


class YamlProblem(UsageError):
    """Text that is not the YAML we accept; `line` and `column` count from 1, 0 when the place is unknown."""

    def __init__(self, problem: str, *, source: str, line: int = 0, column: int = 0) -> None:
        if len(problem) > LONGEST:
            problem = problem[: LONGEST - 1] + "…"
        super().__init__(f"{place(source, line, column)}: {problem}", hint=schema_hint(source))
        self.problem = problem
        self.source = source
        self.line = line
        self.column = column


def schema_hint(source: str) -> str:
    """What to type to read which keys there are; '' for manifests, which are not ours."""
    kinds = {"karrots.yaml": "fleet", "cluster.yaml": "cluster"}
    kind = kinds.get(source.rpartition("/")[2])
    return f"mend the file; its keys: karrots schema {kind}" if kind else ""


def place(source: str, line: int, column: int) -> str:
    return f"{source}:{line}:{column}" if line else source


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document, number `index` of its file: its value, and where each part of it stands."""

    value: Any
    source: str
    index: int
    node: yaml.Node = field(repr=False, compare=False)

    def position(self, path: Sequence[str | int] = ()) -> tuple[int, int]:
        """Line and column of the part at `path`, of the deepest part that exists when it does not."""
        node: yaml.Node = self.node
        mark = node.start_mark
        for step in path:
            found = _child(node, step)
            if found is None:
                break
            mark, node = found
        return mark.line + 1, mark.column + 1

    def scalar_line(self, path: Sequence[str | int], offset: int) -> int:
        """The line of character `offset` of the text at `path`; exact for literal blocks, its start for others."""
        node: yaml.Node = self.node
        for step in path:
            found = _child(node, step)
            if found is None:
                break
            _, node = found
        line = int(node.start_mark.line) + 1
        if isinstance(node, yaml.ScalarNode) and node.style == "|":
            return line + 1 + str(node.value).count("\n", 0, offset)
        return line


def _child(node: yaml.Node, step: str | int) -> tuple[yaml.Mark, yaml.Node] | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and 0 <= step < len(node.value):
        item: yaml.Node = node.value[step]
        return item.start_mark, item
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return key.start_mark, value
    return None


def load(data: bytes | str, source: str) -> Document:
    """The only document of a file. Raises YamlProblem, also when there is none or more than one."""
    found = documents(data, source)
    if len(found) != 1:
        what = "holds more than one document" if found else "is empty"
        raise YamlProblem(f"the file {what}", source=source)
    return found[0]


def load_text(data: bytes | str, source: str) -> Document:
    """As `load`, but every scalar stays text as it is written, and plain nothing is None.

    A schema then gives each its type. So `kubernetes: 1.30` is not 1.3 and an account 012345678901 keeps its zero.
    """
    found = _documents(data, source, _TextLoader)
    if len(found) != 1:
        what = "holds more than one document" if found else "is empty"
        raise YamlProblem(f"the file {what}", source=source)
    return found[0]


def documents(data: bytes | str, source: str, *, largest: int = MAX_BYTES) -> list[Document]:
    """All documents of a file, without those that hold nothing."""
    return [document for document in _documents(data, source, _Loader, largest) if document.value is not None]


def _documents(
    data: bytes | str, source: str, loader: Callable[[str], _Loader], largest: int = MAX_BYTES
) -> list[Document]:
    text = _text(data, source, largest)
    with _yaml_problems(source):
        _guard(text, source)
        return list(_composed(loader(text), source))


def _composed(loader: _Loader, source: str) -> Iterator[Document]:
    try:
        index = 0
        while loader.check_node():
            node = loader.get_node()
            if node is not None:
                yield Document(loader.construct_document(node), source, index, node)
            index += 1
    finally:
        loader.dispose()


def _text(data: bytes | str, source: str, largest: int) -> str:
    if len(data) > largest:
        raise YamlProblem(f"the file is larger than {largest >> 20} MiB", source=source)
    if isinstance(data, str):
        return data
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        raise YamlProblem("the file is not UTF-8 text", source=source, line=line, column=column) from error


class _yaml_problems:  # noqa: N801  (a context manager, used like a function)
    """Everything PyYAML raises, as YamlProblem: a bad integer or a lone surrogate is a ValueError there."""

    def __init__(self, source: str) -> None:
        self.source = source

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, yaml.MarkedYAMLError):
            mark = error.problem_mark or error.context_mark
            problem = " ".join(str(error.problem or error.context).split())
            line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
            raise YamlProblem(problem, source=self.source, line=line, column=column) from error
        if isinstance(error, yaml.YAMLError | ValueError | RecursionError):
            raise YamlProblem(" ".join(str(error).split()), source=self.source) from error


@dataclass
class _Open:
    """A collection whose end has not come yet, and how many nodes it holds when aliases are unfolded."""

    anchor: str | None
    size: int = 1


class _Bounds:
    """Counts over the event stream; an anchor that is used inside itself has no size yet and is refused."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.open: list[_Open] = []
        self.anchors: dict[str, int | None] = {}
        self.aliases = 0

    def see(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.CollectionStartEvent):
            self._opens(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._closes(event)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.ScalarEvent):
            self._add(1, event.anchor, event)

    def _opens(self, event: yaml.CollectionStartEvent) -> None:
        if len(self.open) >= MAX_DEPTH:
            raise self._problem(f"nested deeper than {MAX_DEPTH} levels", event)
        if event.anchor:
            self.anchors[event.anchor] = None
        self.open.append(_Open(event.anchor))

    def _closes(self, event: yaml.Event) -> None:
        done = self.open.pop()
        self._add(done.size, done.anchor, event)

    def _alias(self, event: yaml.AliasEvent) -> None:
        self.aliases += 1
        if self.aliases > MAX_ALIASES:
            raise self._problem(f"more than {MAX_ALIASES} aliases", event)
        size = self.anchors.get(event.anchor or "", 1)
        if size is None:
            raise self._problem(f"the alias '*{event.anchor}' stands inside what it names", event)
        self._add(size, None, event)

    def _add(self, size: int, anchor: str | None, event: yaml.Event) -> None:
        if anchor:
            self.anchors[anchor] = size
        if self.open:
            self.open[-1].size += size
            if self.open[-1].size > MAX_UNFOLDED:
                raise self._problem(f"aliases unfold to more than {MAX_UNFOLDED} values", event)

    def _problem(self, problem: str, event: yaml.Event) -> YamlProblem:
        mark = event.start_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        return YamlProblem(problem, source=self.source, line=line, column=column)


def _guard(text: str, source: str) -> None:
    bounds = _Bounds(source)
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        bounds.see(event)


class _Loader(yaml.CSafeLoader):
    """YAML 1.2 core scalars; keys are text; a key twice, or a tag of one's own, is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: ARG002, FBT001, FBT002
        seen: dict[str, yaml.Node] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be text", key.start_mark)
            if key.value in seen:
                first = seen[key.value].start_mark.line + 1
                problem = f"the key '{key.value}' stands twice (first in line {first})"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen[key.value] = key
        self.flatten_mapping(node)
        return {str(key.value): self.construct_object(value, deep=True) for key, value in node.value}

    def construct_undefined(self, node: yaml.Node) -> Any:
        raise yaml.constructor.ConstructorError(None, None, f"the tag '{node.tag}' is not allowed", node.start_mark)

    def construct_yaml_map(self, node: yaml.MappingNode) -> Generator[dict[Any, Any], None, None]:
        yield self.construct_mapping(node)

    def construct_yaml_null(self, node: yaml.Node) -> None:  # noqa: ARG002  (PyYAML's signature)
        return None

    def construct_yaml_bool(self, node: yaml.ScalarNode) -> bool:
        return str(node.value).lower() == "true"

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        text = str(node.value)
        if len(text) > MAX_DIGITS:
            problem = f"a number of more than {MAX_DIGITS} digits"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        return int(text, 0) if text[:2] in ("0x", "0o") else int(text)

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        text = str(node.value).lower()
        return float(text.replace(".inf", "inf").replace(".nan", "nan"))


class _TextLoader(_Loader):
    pass


_STANDARD = "tag:yaml.org,2002:"
_NULL = (rf"{_STANDARD}null", re.compile(r"^(?:~|null|Null|NULL|)$"), ("~", "n", "N", ""))
_MERGE = (rf"{_STANDARD}merge", re.compile(r"^<<$"), ("<",))
_CORE = (
    (rf"{_STANDARD}bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), tuple("tTfF")),
    # A leading zero makes text of it: such numbers are accounts, modes and dates far more often than octal ones.
    (rf"{_STANDARD}int", re.compile(r"^(?:[-+]?(?:0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+)$"), tuple("-+0123456789")),
    (
        rf"{_STANDARD}float",
        re.compile(
            r"^(?:[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
            r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
        ),
        tuple("-+.0123456789"),
    ),
)


def _scalars(loader: type[_Loader], *rules: tuple[str, re.Pattern[str], tuple[str, ...]]) -> None:
    loader.yaml_implicit_resolvers = {}
    for tag, pattern, first in rules:
        loader.add_implicit_resolver(tag, pattern, list(first))


_Loader.yaml_constructors = {
    f"{_STANDARD}map": _Loader.construct_yaml_map,
    f"{_STANDARD}seq": yaml.CSafeLoader.construct_yaml_seq,
    f"{_STANDARD}str": yaml.CSafeLoader.construct_yaml_str,
    f"{_STANDARD}null": _Loader.construct_yaml_null,
    f"{_STANDARD}bool": _Loader.construct_yaml_bool,
    f"{_STANDARD}int": _Loader.construct_yaml_int,
    f"{_STANDARD}float": _Loader.construct_yaml_float,
    None: _Loader.construct_undefined,
}
_scalars(_Loader, _NULL, _MERGE, *_CORE)
_scalars(_TextLoader, _NULL, _MERGE)
