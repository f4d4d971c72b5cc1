"""Edits of YAML that people wrote: comments, order and quotes stay, and as few lines change as can be."""

from __future__ import annotations

import io
import re
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

from karrots.errors import UsageError
from karrots.spec import yaml_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from ruamel.yaml import YAML

# Long lines stay as they are.
WIDTH = 1 << 16


def set_key(text: str, path: str, value: str | int) -> str:
    """`text` with the value at the dotted `path` set; missing groups on the way are made."""

    def change(root: Any) -> None:
        *groups, last = path.split(".")
        for group in groups:
            if root.get(group) is None:
                root[group] = {}
            root = root[group]
            if not isinstance(root, MutableMapping):
                raise UsageError(f"cannot set '{path}'", why=f"'{group}' is a single value")
        root[last] = value

    return edit(text, 0, change)


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
    except YAMLError as error:
        raise UsageError(
            "the file cannot be edited without rewriting it", why=str(error), hint="edit it by hand"
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
    match = re.search(r"^( *)(?:- )?[^\s#-][^\n]*:[ ]*(?:#[^\n]*)?\n(?:[ ]*(?:#[^\n]*)?\n)*?( *)- ", text, re.MULTILINE)
    return 0 if match and len(match[2]) <= len(match[1]) else 2
