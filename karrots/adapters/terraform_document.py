"""A Terraform state as a document: serial and lineage, outputs, how much it holds; pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from karrots.errors import Failed

if TYPE_CHECKING:
    from collections.abc import Mapping


class StateMalformed(Failed):
    """Not a Terraform state."""


class StateRefused(Failed):
    """A state that would go back in time, belongs to another cluster, or was sent without the lock."""


def parse(data: bytes) -> dict[str, Any]:
    """OpenTofu's encrypted states have no more in clear than serial and lineage, so no more is asked for."""
    state = read(data)
    if not state["lineage"]:
        raise StateMalformed("what was sent is not a Terraform state", why="serial or lineage is missing")
    return state


def read(data: bytes) -> dict[str, Any]:
    """As `parse`, but the lineage may be '': Terraform says so of a state that was never kept."""
    try:
        state = json.loads(data)
        complete = _is_serial(state["serial"]) and isinstance(state["lineage"], str)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise StateMalformed("what was sent is not a Terraform state", why=repr(error)) from error
    if not complete:
        raise StateMalformed("what was sent is not a Terraform state", why="serial or lineage is missing")
    return dict(state)


def clear(state: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The state, empty when there is none; a state that OpenTofu has encrypted must not pass for an empty one."""
    if state and "encrypted_data" in state:
        raise Failed("the Terraform state is encrypted", why="only OpenTofu can read it", hint="tofu output")
    return state or {}


def resources(state: Mapping[str, Any] | None) -> int:
    """How many objects Terraform manages by this state."""
    found = clear(state).get("resources") or []
    try:
        return sum(len(resource["instances"]) for resource in found if resource.get("mode") == "managed")
    except (TypeError, KeyError, AttributeError) as error:
        raise Failed("the resources of the Terraform state cannot be read", why=repr(error)) from error


def _is_serial(value: Any) -> bool:
    """As Terraform counts: an unsigned number of 64 bits, which also fits a file's name."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 64
