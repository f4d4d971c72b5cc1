"""One side's Terraform root, as it would be laid out, and the outputs of its state where that is on this computer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from karrots import places
from karrots.adapters.terraform_store import StateStore
from karrots.diff.model import Problem
from karrots.diff.terraform import Root
from karrots.errors import KarrotsError
from karrots.fleet import backends, identity
from karrots.ops.diff_sides import specification
from karrots.providers import provider
from karrots.render import terraform as rendering
from karrots.steps.infrastructure import identity_variables, is_rendered
from karrots.steps.state import state_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from karrots.adapters.terraform_values import Output
    from karrots.fleet.workspace import Workspace
    from karrots.ops.diff_sides import Subject
    from karrots.spec.cluster import ClusterSpec

FOLDER = "terraform/"
VALUES = ".auto.tfvars.json"


def root(workspace: Workspace, found: Subject, files: Mapping[str, bytes]) -> Root:
    """Raises KarrotsError where the content has no specification that can be read."""
    side, record = found.side, found.record
    spec = specification(found, files)
    where = record.provider if record else spec.provider
    problems: list[Problem] = []
    texts = _texts(workspace, files, spec, where)
    values = {path: _values(text) for path, text in texts.items() if path.endswith(VALUES)}
    own = identity.terraform_variables(record) if record else {}
    if record is not None:
        values[rendering.IDENTITY_FILE] = _identity(workspace, found, spec, problems)
    outputs = _outputs(found, problems)
    return Root(
        side.label, where, {path: text for path, text in texts.items() if path not in values}, values,
        None if outputs is None else {name: output.value for name, output in outputs.items()},
        frozenset(name for name, output in (outputs or {}).items() if output.sensitive),
        {**side.identity, **{name: str(value) for name, value in own.items()}}, frozenset(own), side.overrides,
        tuple(problems),
    )  # fmt: skip


def _texts(workspace: Workspace, files: Mapping[str, bytes], spec: ClusterSpec, where: str) -> Mapping[str, str]:
    if is_rendered(spec, provider(where)):
        return rendering.render(spec, places.templates() / where, workspace.backend(where))
    below = {path.removeprefix(FOLDER): data for path, data in files.items() if path.startswith(FOLDER)}
    return {path: data.decode("utf-8", "replace") for path, data in below.items()}


def _values(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _identity(workspace: Workspace, found: Subject, spec: ClusterSpec, problems: list[Problem]) -> Mapping[str, Any]:
    """In a cloud some of it is the cloud's word; where that cannot be had, the rest is compared."""
    assert found.record is not None  # noqa: S101
    try:
        return identity_variables(found.record, provider(found.record.provider), workspace, spec)
    except KarrotsError as error:
        message = f"what the cloud says of it could not be asked: {error.message}"
        problems.append(Problem(found.label, message, hint=error.hint))
        return identity.terraform_variables(found.record)


def _outputs(found: Subject, problems: list[Problem]) -> Mapping[str, Output] | None:
    record = found.record
    if record is None or not found.runs:
        return None
    if not backends.is_own(backends.of(record)):
        problems.append(Problem(found.label, "its outputs are in a state that the cloud keeps, and are not compared"))
        return None
    try:
        store = StateStore(state_folder(record))
        return store.outputs() if store.folder.is_dir() else None
    except KarrotsError as error:
        problems.append(Problem(found.label, error.message, hint=error.hint))
        return None
