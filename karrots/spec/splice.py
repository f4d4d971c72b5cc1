"""Lines put into, and taken out of, YAML that people wrote: every other line stays as it is, comments where they stand.

The round-trip writer (edit.py) keeps a comment with the line above it, so that a key added to a group would land below
the comment of the next group, and one taken out would take that comment along.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import yaml

from karrots.errors import UsageError
from karrots.spec import yaml_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STEP = 2


def add_key(text: str, path: Sequence[str], value: Mapping[str, str] | str) -> str:
    """`text` with a new last key in the group above it; the group is made where it is missing or empty."""
    *above, name = path
    indent = STEP * len(above)
    lines = _entry(name, value, indent)
    found = _find(text, above)
    if found is None and len(above) == 1:
        return f"{text.rstrip()}\n\n{above[0]}:\n" + "".join(lines)
    if found is None and _find(text, above[:1]):
        return add_key(add_key(text, above, {}), path, value)
    if found is None:
        raise _by_hand(path)
    key, group = found
    if _is_empty(group):
        return _put(_opened(text, key, group), key.end_mark.line + 1, lines)
    if not isinstance(group, yaml.MappingNode) or group.flow_style:
        raise _by_hand(path)
    indent = group.value[0][0].start_mark.column
    return _put(text, _last_line(group, text) + 1, _entry(name, value, indent))


def drop_key(text: str, path: Sequence[str]) -> str:
    """`text` without the key and all below it; a group that is empty then stays as `{}`."""
    *above, _ = path
    found, parent = _find(text, path), _find(text, above)
    if found is None or parent is None or getattr(parent[1], "flow_style", True):
        raise _by_hand(path)
    key, value = found
    lines = text.splitlines(keepends=True)
    last = max(_last_line(value, text), key.end_mark.line)
    kept = [*lines[: key.start_mark.line], *lines[last + 1 :]]
    if len(parent[1].value) == 1:
        opener = parent[0].end_mark.line
        kept[opener] = kept[opener].replace(":", ": {}", 1)
    return "".join(kept)


def add_item(text: str, group: str, item: str) -> str:
    found = _find(text, (group,))
    if found is None:
        return f"{text.rstrip()}\n{group}:\n  - {item}\n"
    key, listed = found
    if _is_empty(listed):
        return _put(_opened(text, key, listed), key.end_mark.line + 1, [f"  - {item}\n"])
    if not isinstance(listed, yaml.SequenceNode) or listed.flow_style:
        raise _by_hand((group, item))
    return _put(text, _last_line(listed, text) + 1, [f"{' ' * listed.start_mark.column}- {item}\n"])


def drop_item(text: str, group: str, item: str) -> str:
    found = _find(text, (group,))
    key, listed = found or (None, None)
    if key is None or not isinstance(listed, yaml.SequenceNode):
        return text
    lines = text.splitlines(keepends=True)
    gone = {each.start_mark.line for each in listed.value if each.value == item}
    if gone and (listed.flow_style or any(_bare(lines[line]) != f"- {item}" for line in gone)):
        raise _by_hand((group, item))
    kept = [line for number, line in enumerate(lines) if number not in gone]
    if gone and len(listed.value) == len(gone):
        opener = key.end_mark.line
        kept[opener] = kept[opener].replace(":", ": []", 1)
    return "".join(kept)


def _bare(line: str) -> str:
    return line.split(" #", maxsplit=1)[0].strip()


def items(text: str, group: str) -> list[str]:
    found = _find(text, (group,))
    return [each.value for each in found[1].value] if found and isinstance(found[1], yaml.SequenceNode) else []


def has(text: str, path: Sequence[str]) -> bool:
    return _find(text, path) is not None


def is_one_document(text: str) -> bool:
    return len(yaml_file.documents(text, "the file")) == 1


def _find(text: str, path: Sequence[str]) -> tuple[yaml.Node, yaml.Node] | None:
    """The key at the path, and its value."""
    node: yaml.Node = yaml_file.load_text(text, "the file").node
    key = node
    for step in path:
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        found = next(((k, v) for k, v in pairs if k.value == step), None)
        if found is None:
            return None
        key, node = found
    return key, node


def _is_empty(node: yaml.Node) -> bool:
    return not node.value or (isinstance(node, yaml.ScalarNode) and node.value in ("~", "null"))


def _opened(text: str, key: yaml.Node, value: yaml.Node) -> str:
    """An empty value taken away, so that lines below the key become its value."""
    lines = text.splitlines(keepends=True)
    number = key.end_mark.line
    if value.start_mark.line != number or value.end_mark.line != number:
        return text
    line = lines[number]
    colon = line.index(":", key.end_mark.column)
    lines[number] = line[: colon + 1] + line[max(value.end_mark.column, colon + 1) :].rstrip() + "\n"
    return "".join(lines)


def _last_line(node: yaml.Node, text: str) -> int:
    """The last line with something of the value; a block's own end is where the next begins, comments between."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        key, value = node.value[-1]
        return max(int(key.end_mark.line), _last_line(value, text))
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return _last_line(node.value[-1], text)
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
        lines = text.splitlines()[: node.end_mark.line]
        return len("\n".join(lines).rstrip().splitlines()) - 1
    return int(node.end_mark.line)


def _put(text: str, at: int, lines: Sequence[str]) -> str:
    before = text.splitlines(keepends=True)
    if before and not before[-1].endswith("\n"):
        before[-1] += "\n"
    return "".join([*before[:at], *lines, *before[at:]])


def _entry(name: str, value: Mapping[str, str] | str, indent: int) -> list[str]:
    lead = " " * indent
    if isinstance(value, str):
        return [f"{lead}{name}: {_quoted(value)}\n"]
    if not value:
        return [f"{lead}{name}: {{}}\n"]
    return [f"{lead}{name}:\n", *(f"{lead}{' ' * STEP}{key}: {_quoted(told)}\n" for key, told in value.items())]


def _quoted(text: str) -> str:
    plain = text.replace("-", "").replace("_", "").isalnum() and not text[0].isdigit()
    return text if plain or text in ("true", "false") else json.dumps(text, ensure_ascii=False)


def _by_hand(path: Sequence[str]) -> UsageError:
    named = ".".join(path)
    return UsageError(
        f"cannot edit '{named}'", why="it is not written as a block, a line for each", hint="edit the file by hand"
    )
