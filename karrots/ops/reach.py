"""`karrots env`, `run` and `kubeconfig`: the way into one cluster, never through the user's own kubeconfig."""

from __future__ import annotations

import json
import os
import shutil
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from karrots import places
from karrots.adapters import process
from karrots.adapters.kube import credential
from karrots.adapters.kube import kubeconfig as document
from karrots.adapters.terraform_state import StateServer
from karrots.errors import Failed, NotFound, UsageError
from karrots.fleet import backends
from karrots.fleet.record import new_id
from karrots.ops.apply import named
from karrots.providers import provider
from karrots.render.files import write
from karrots.steps.state import settings_by_hand, state_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from karrots.fleet.record import Record
    from karrots.fleet.workspace import Workspace
    from karrots.ops.settings import Settings

TERRAFORM_PROGRAMS = ("terraform", "tofu")


@dataclass(frozen=True)
class Way:
    """How to reach a cluster: a private kubeconfig and what a shell needs to use it."""

    cluster: str
    server: str
    kubeconfig: str
    context: str


def way(settings: Settings, name: str | None) -> tuple[Record, Way]:
    """Writes the private kubeconfig (mode 0600) when it is missing or old."""
    workspace, record = named(settings, name, fresh=False)
    access = provider(record.provider).access(record, {}, workspace.section(record.provider))
    if access is None:
        raise NotFound(f"cluster '{record.name}' is not running", hint=f"karrots apply {record.name}")
    file = places.kubeconfig(record.id)
    places.private_folder(file.parent)
    file.touch(mode=0o600)
    text = json.dumps(document(record.name, access, login(workspace, record)), indent=2) + "\n"
    write({file.name: text}, file.parent)
    return record, Way(record.name, access.server, str(file), record.name)


def login(workspace: Workspace, record: Record) -> tuple[str, ...]:
    """The command that a kubeconfig gets a token from: with full paths, as it is run from anywhere."""
    return (sys.executable, "-m", "karrots", "-C", str(workspace.repo.root.resolve()), "token", record.name)


def credential_text(settings: Settings, name: str | None) -> str:
    """One line of JSON, for a kubeconfig's exec entry."""
    workspace, record = named(settings, name, fresh=False)
    tokens = provider(record.provider).tokens(record, workspace.section(record.provider))
    if tokens is None:
        raise UsageError(
            f"cluster '{record.name}' has no tokens",
            why=f"clusters of the provider '{record.provider}' are reached with the files that its kubeconfig names",
            hint=f"karrots kubeconfig {record.name}",
        )
    return json.dumps(credential(tokens.now())) + "\n"


def kubeconfig_text(settings: Settings, name: str | None) -> str:
    _, found = way(settings, name)
    return Path(found.kubeconfig).read_text("utf-8")


def run(settings: Settings, name: str, argv: Sequence[str]) -> int:
    """The command with KUBECONFIG set; Terraform also gets the cluster's state. Gives the command's exit status."""
    if not argv:
        raise UsageError("there is no command to run", hint=f"karrots run {name} -- kubectl get pods -A")
    record, found = way(settings, name)
    environment = {**os.environ, "KUBECONFIG": found.kubeconfig, "KARROTS_CLUSTER": record.name}
    with ExitStack() as stack:
        if Path(argv[0]).name in TERRAFORM_PROGRAMS:
            environment |= served_state(stack, record)
        status = process.replace_with(resolved(argv), environment)
    return status if status >= 0 else 128 - status  # as a shell tells of a signal


def served_state(stack: ExitStack, record: Record) -> dict[str, str]:
    """The state for Terraform by hand: always at the same address, and with its working data in a private folder."""
    folder = places.private_folder(state_folder(record))
    data = places.private_folder(folder / "by-hand")
    if not backends.is_own(backends.of(record)):
        return {**settings_by_hand(record), "TF_DATA_DIR": str(data)}
    kept = data / "address.json"
    address = tuple(json.loads(kept.read_text("utf-8"))) if kept.is_file() else None
    server = stack.enter_context(opened(folder, address))
    kept.touch(mode=0o600)
    write({kept.name: json.dumps(server.address)}, data)
    return {**server.environment(), "TF_DATA_DIR": str(data)}


def opened(folder: Path, address: tuple[int, str] | None) -> StateServer:
    """Raises Failed when another program took the port meanwhile."""
    server = StateServer(folder, new_id(), address=address)
    try:
        _ = server.address
    except OSError as error:
        raise Failed(
            f"the state cannot be served at port {address[0] if address else 0} again",
            why=str(error),
            hint=f"remove {folder / 'by-hand'}, then: terraform init -reconfigure",
        ) from error
    return server


def resolved(argv: Sequence[str]) -> list[str]:
    """Kubectl may be the engine's own where the computer has none."""
    if argv[0] == "kubectl" and shutil.which("kubectl") is None:
        from karrots.engine import binaries

        built = binaries.locate()
        if built is not None:
            return [str(built.folder / "kubectl"), *argv[1:]]
    return list(argv)
