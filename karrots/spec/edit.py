"""Edits of YAML that people wrote: comments, order and quotes stay, and as few lines change as can be."""

from __future__ import annotations

import io
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

from karrots.errors import UsageError
from karrots.spec import yaml_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from ruamel.yaml import YAML

# Long lines stay as they are.
WIDTH = 1 << 16
# What the round-trip reader raises on texts that the strict one took: dates of the 13th month, keys of mixed kinds,
# a document too few. Nothing has been written when it does.
SLIPS = (ValueError, TypeError, LookupError, AttributeError, RecursionError)


def set_key(text: str, path: str, value: str | int) -> str:
    """`text` with the value at the dotted `path` set; missing groups on the way are made."""

    def change(root: Any) -> None:
        *groups, last = path.split(".")
        root = _mapping(root, path, "the file")
        for group in groups:
            if root.get(group) is None:
                root[group] = {}
            root = _mapping(root[group], path, f"'{group}'")
        root[last] = _as_written(root.get(last), value)

    return edit(text, 0, change)


def _as_written(before: Any, value: str | int) -> str | int:
    """In the quotes that the value had before."""
    from ruamel.yaml.scalarstring import ScalarString

    return type(before)(value) if isinstance(before, ScalarString) and isinstance(value, str) else value


def _mapping(value: Any, path: str, what: str) -> Any:
    if not isinstance(value, MutableMapping):
        raise UsageError(f"cannot set '{path}'", why=f"{what} is a single value or a list", hint="edit it by hand")
    return value


def edit(text: str, index: int, change: Callable[[Any], None]) -> str:
    """`text` after `change` was called with the root of its document number `index`."""
    yaml_file.documents(text, "the file")  # within bounds, before the slower reader sees it
    from ruamel.yaml.error import YAMLError

    yaml = _round_trip(text)
    out = io.StringIO()
    try:
        documents = list(yaml.load_all(text))
        change(documents[index])
        yaml.dump_all(documents, out)
    except (YAMLError, *SLIPS) as error:
        raise UsageError(
            "the file cannot be edited without rewriting it", why=str(error)[:400], hint="edit it by hand"
        ) from error
    return out.getvalue()


def _round_trip(text: str) -> YAML:
    from ruamel.yaml import YAML

    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = WIDTH
    yaml.explicit_start = text.lstrip().startswith("---")
    offset = _list_indent(text)
    yaml.indent(mapping=2, sequence=2 + offset, offset=offset)
    return yaml


def _list_indent(text: str) -> int:
    """How far this file indents the first list below its key: 0 or 2."""
    key: int | None = None
    for line in text.splitlines():
        stripped = line.lstrip(" ")
        indent = len(line) - len(stripped)
        if not stripped or stripped.startswith("#"):
            continue
        if key is not None and stripped.startswith("- "):
            return 0 if indent <= key else 2
        key = _opened(indent, stripped)
    return 2


def _opened(indent: int, stripped: str) -> int | None:
    """Where a key begins that has its value in the lines below; a comment may follow it."""
    plain = stripped.removeprefix("- ")
    if plain.startswith(("#", "-")):
        return None
    head, colon, comment = plain.partition(": #")
    bare = head + ":" if colon and not comment.count("\n") else plain.rstrip()
    return indent if bare.endswith(":") and len(bare) > 1 else None
