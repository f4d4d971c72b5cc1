"""A cluster's record: identity, lineage, lease and applied state (docs/ledger.md).

Read by `json` and dataclasses alone: a fleet table reads a thousand of them at every start. Fields that this version
does not know are kept and written back, at every level.
"""

from __future__ import annotations

import json
import re
from dataclasses import MISSING, dataclass, field, fields
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from karrots import clock
from karrots.errors import Failed, UsageError
from karrots.spec import fence_words, json_file

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA = 1

Phase = Literal["claimed", "creating", "ready", "failed", "destroying"]
PHASES: tuple[str, ...] = get_args(Phase)

Part = TypeVar("Part")


@dataclass(frozen=True, kw_only=True)
class Parent:
    """`commit` is the fork point."""

    name: str
    id: str
    commit: str
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Applied:
    """`tool` and `tool_version` made the state: `terraform` or `tofu`."""

    commit: str
    tool: str
    tool_version: str
    when: str
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class State:
    """Where Terraform's state is kept; `settings` are the backend's own words: bucket, region …"""

    backend: str
    key: str
    settings: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Operation:
    """Who works on the cluster just now (karrots.fleet.operations).

    `born` tells its process from a later one of the same id; `until` is when its lease is over. `fenced` are the ids of
    operations it was taken over from that may still live, with blanks between.
    """

    id: str
    verb: str
    holder: str
    host: str
    pid: int
    started: str
    host_id: str = ""
    born: str = ""
    until: str = ""
    fenced: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Record:
    """One cluster.

    Times are UTC as RFC 3339 with seconds; `domain` is the whole one; `network` is a range in CIDR form, '' for none;
    `host` (for people) and `host_id` are the computer a local cluster lives on; `fence` maps what somebody opened or
    closed to `open` or `closed`; `extra` is what this version does not know.
    """

    id: str
    name: str
    directory: str
    branch: str
    provider: str
    created: str
    domain: str = ""
    network: str = ""
    owner: str = ""
    region: str = ""
    account: str = ""
    host: str = ""
    host_id: str = ""
    kubernetes: str = ""
    phase: Phase = "claimed"
    protected: bool = False
    expires: str | None = None
    parent: Parent | None = None
    applied: Applied | None = None
    state: State | None = None
    operation: Operation | None = None
    overrides: Mapping[str, str] = field(default_factory=dict)
    fence: Mapping[str, str] = field(default_factory=dict)
    schema: int = SCHEMA
    extra: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """As plain JSON values."""
        return _plain(self)


PARTS: dict[str, type[Any]] = {"parent": Parent, "applied": Applied, "state": State, "operation": Operation}

# The JSON types of the record's fields that are not text.
OTHER_TYPES: dict[str, tuple[type, ...]] = {
    "protected": (bool,),
    "expires": (str, NoneType),
    "overrides": (dict,),
    "fence": (dict,),
    "settings": (dict,),
    "schema": (int,),
    "pid": (int,),
    **{name: (part, NoneType) for name, part in PARTS.items()},
}
KINDS: tuple[type[Any], ...] = (Record, *PARTS.values())
TYPES = {
    kind: {each.name: OTHER_TYPES.get(each.name, (str,)) for each in fields(kind) if each.name != "extra"}
    for kind in KINDS
}

MAX_PID = 2**31 - 1

# Ids become names of folders, refs and tags.
_ID = re.compile(r"[0-9a-z]{26}")
ULID_FORM = re.compile(r"[0-7][0-9a-hjkmnp-tv-z]{25}")
HIGHEST_ID = "7" + "z" * 25


def new_id(after: str = "") -> str:
    """A ULID in small letters: sorts by time, fits tags, labels and state keys of every cloud.

    Ids of one process rise, and rise above `after` when that is one, also when the clock goes back.
    """
    from ulid import ULID

    made = str(ULID.from_timestamp(clock.seconds())).lower()
    floor = max(_newest[0], after if is_id(after) else "")
    if made <= floor < HIGHEST_ID:
        made = str(ULID.from_int(int(ULID.from_str(floor.upper())) + 1)).lower()
    _newest[0] = made
    return made


_newest = [""]


def is_id(text: str) -> bool:
    return ULID_FORM.fullmatch(text) is not None


def to_json(record: Record) -> str:
    """Raises UsageError for bytes that are no text: names of folders and words of a command line may hold some."""
    text = json.dumps(record.document(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    try:
        text.encode()
    except UnicodeEncodeError as error:
        around = text[max(0, error.start - 40) : error.start + 20].strip()
        raise UsageError(
            f"the cluster '{record.name}' cannot be written down",
            why=f"this is not UTF-8 text: {around!a}",
            hint="name folders and values in UTF-8",
        ) from error
    return text


def _plain(part: Any) -> dict[str, Any]:
    known = {name: getattr(part, name) for name in TYPES[type(part)]}
    return {
        **part.extra,
        **{name: _plain(value) if name in PARTS and value else value for name, value in known.items()},
    }


def from_json(text: str | bytes, source: str) -> Record:
    """`source` names the record in errors.

    Raises UsageError when a newer karrots wrote it, Failed when it is broken.
    """
    try:
        data = json_file.load(text)
        if not isinstance(data, dict):
            raise TypeError("it is not a JSON object")  # noqa: TRY301  (one place words all of it)
        _check_schema(data, source)
        for name, part in PARTS.items():
            if data.get(name) is not None:
                data[name] = _built(part, data[name], name)
        return _checked(_built(Record, data, ""))
    except (ValueError, TypeError) as error:
        raise Failed(
            f"the record '{source}' cannot be read", why=str(error), hint=f"git show karrots/fleet:{source}"
        ) from error


def _check_schema(data: Mapping[str, Any], source: str) -> None:
    schema = data.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        raise UsageError(
            f"the record '{source}' was written by a newer karrots",
            why=f"it has schema {schema}, this version knows {SCHEMA}",
            hint="pip install --upgrade karrots",
        )


def _built(kind: type[Part], data: Any, where: str) -> Part:
    """Raises TypeError that names the field which is missing or of the wrong type."""
    if not isinstance(data, dict):
        raise TypeError(f"{where} is not a JSON object")
    types = TYPES[kind]
    prefix = f"{where}." if where else ""
    extra: dict[str, Any] = {}
    known: dict[str, Any] = {"extra": extra}
    for name, value in data.items():
        expected = types.get(name)
        if expected is None:
            extra[name] = value
        elif isinstance(value, expected):
            known[name] = value
        else:
            raise TypeError(f"{prefix}{name} has the wrong type")
    try:
        return kind(**known)
    except TypeError:
        raise TypeError(f"{prefix}{_missing(kind, known)} is missing") from None


def _missing(kind: type[Any], known: Mapping[str, Any]) -> str:
    needed = (each.name for each in fields(kind) if each.default is each.default_factory is MISSING)
    return next((name for name in needed if name not in known), "a field")


def _checked(record: Record) -> Record:
    """What is said of a cluster reaches argument lists, paths and clocks, so it must have the form we give it."""
    if record.phase not in PHASES:
        raise ValueError(f"phase is '{record.phase}', and one of {', '.join(PHASES)} is known")
    if not _ID.fullmatch(record.id):
        raise ValueError("id has another form than karrots gives it")
    for name, texts in (("overrides", record.overrides), ("settings", record.state.settings if record.state else {})):
        if not all(isinstance(value, str) for value in texts.values()):
            raise ValueError(f"{name} holds something else than text")
    if not all(fence_words.is_word(word) and said in fence_words.STATES for word, said in record.fence.items()):
        raise ValueError("fence holds something else than names that are open or closed")
    if "\0" in record.branch:
        raise ValueError("branch holds a zero byte")
    if not _is_inside(record.directory):
        raise ValueError("directory is not a path inside the repository")
    if record.operation is not None:
        _check_operation(record.operation)
    return record


def _is_inside(directory: str) -> bool:
    """The same that `adapters.git_names.clean_path` takes, and no folder of git's own."""
    parts = directory.split("/")
    return not {"\n", "\0"} & set(directory) and not any(
        part in {"", ".", ".."} or part.lower() == ".git" for part in parts
    )


def _check_operation(operation: Operation) -> None:
    if not 0 < operation.pid <= MAX_PID:
        raise ValueError("operation.pid is not the number of a process")
    try:
        clock.moment(operation.started)
    except ValueError:
        raise ValueError("operation.started is not a time") from None
