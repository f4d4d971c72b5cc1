"""`karrots doctor`: is this computer ready, and what to type where it is not."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from karrots import __version__
from karrots.adapters.git import global_identity, installed_version
from karrots.errors import KarrotsError, UsageError
from karrots.fleet.workspace import Workspace
from karrots.providers.base import Check
from karrots.steps import preflight, state_check

if TYPE_CHECKING:
    from karrots.ops.settings import Settings

GIT_FLOOR = (2, 38)


@dataclass(frozen=True)
class Diagnosis:
    checks: tuple[Check, ...]

    @property
    def problems(self) -> int:
        return sum(1 for check in self.checks if not check.ok)


def doctor(settings: Settings) -> Diagnosis:
    return Diagnosis(
        (
            karrots(),
            git(),
            git_identity(settings),
            preflight.terraform_tool(),
            engine(),
            disk(),
            fleet(settings),
            *states(settings),
        )
    )


def versions() -> Diagnosis:
    """What is installed; nothing of it is a problem here."""
    return Diagnosis((karrots(), git(), preflight.terraform_tool(), engine()))


def karrots() -> Check:
    return Check("karrots", ok=True, found=f"{__version__}, Python {sys.version.split()[0]}")


def git() -> Check:
    try:
        version = installed_version()
    except KarrotsError as error:
        return Check("git", ok=False, found=error.message, hint="install git 2.38 or later")
    text = ".".join(map(str, version))
    return Check(
        "git", ok=version >= GIT_FLOOR, found=text, hint="" if version >= GIT_FLOOR else "install git 2.38 or later"
    )


def git_identity(settings: Settings) -> Check:
    """Outside a repository the one that a new repository's commits would carry."""
    try:
        return preflight.git_identity(Workspace.open(settings.start).repo.identity())
    except UsageError:
        return preflight.git_identity(global_identity())
    except KarrotsError as error:
        return Check("git identity", ok=False, found=error.message, hint=error.hint)


def engine() -> Check:
    from karrots.engine import binaries

    try:
        built = binaries.locate()
    except KarrotsError as error:
        return Check("engine", ok=False, found=error.message, hint=error.hint)
    if built is None:
        return Check("engine", ok=False, found="not built", hint="karrots engine build")
    return Check(
        "engine",
        ok=True,
        found=f"Kubernetes {built.versions['kubernetes']}, kwok {built.versions['kwok']}",
    )


def disk() -> Check:
    """Room for clusters, and for the engine's build where it is not there yet."""
    from karrots.engine import binaries
    from karrots.engine.build import BUILD_BYTES

    try:
        built = binaries.locate() is not None
    except KarrotsError:
        built = False
    return preflight.disk_space(preflight.SPACE_NEEDED if built else BUILD_BYTES)


def fleet(settings: Settings) -> Check:
    try:
        workspace = Workspace.open(settings.start)
        remote = workspace.remote
    except KarrotsError as error:
        return Check("fleet", ok=False, found=error.message, hint=error.hint)
    shared = f"shared through '{remote}'" if remote else "not shared (no remote)"
    return Check("fleet", ok=True, found=f"{workspace.repo.root}, {shared}")


def states(settings: Settings) -> list[Check]:
    """The places in clouds that karrots.yaml names; nothing is said of a fleet that cannot be read, `fleet` does."""
    try:
        workspace = Workspace.open(settings.start)
        _ = workspace.settings
    except KarrotsError:
        return []
    return state_check.checks(workspace)
