"""`karrots doctor`: is this computer ready, and what to type where it is not."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from karrots import __version__, places
from karrots.adapters import terraform
from karrots.adapters.git import installed_version
from karrots.errors import KarrotsError
from karrots.fleet.workspace import Workspace
from karrots.providers.base import Check

if TYPE_CHECKING:
    from karrots.ops.settings import Settings

GIT_FLOOR = (2, 38)
ENGINE_BYTES = 6 * 2**30
RUN_BYTES = 512 * 2**20


@dataclass(frozen=True)
class Diagnosis:
    checks: tuple[Check, ...]

    @property
    def problems(self) -> int:
        return sum(1 for check in self.checks if not check.ok)


def doctor(settings: Settings) -> Diagnosis:
    return Diagnosis((karrots(), git(), git_identity(settings), terraform_tool(), engine(), disk(), fleet(settings)))


def versions() -> Diagnosis:
    """What is installed; nothing of it is a problem here."""
    return Diagnosis((karrots(), git(), terraform_tool(), engine()))


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
    try:
        found = Workspace.open(settings.start).repo.identity()
    except KarrotsError:
        return Check("git identity", ok=True, found="not looked at outside a repository")
    if found is None:
        return Check(
            "git identity",
            ok=False,
            found="not set",
            hint="git config --global user.name …; git config --global user.email …",
        )
    return Check("git identity", ok=True, found=f"{found[0]} <{found[1]}>")


def terraform_tool() -> Check:
    try:
        tool = terraform.locate()
    except KarrotsError as error:
        return Check("terraform", ok=False, found=error.message, hint=error.hint)
    return Check("terraform", ok=True, found=f"{tool.kind} {tool.version} ({tool.path})")


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
    from karrots.engine import binaries

    free = shutil.disk_usage(places.private_folder(places.state())).free
    try:
        needed = RUN_BYTES if binaries.locate() is not None else ENGINE_BYTES
    except KarrotsError:
        needed = ENGINE_BYTES
    hint = "" if free >= needed else f"free {needed / 2**30:.1f} GiB, or: karrots engine clean"
    return Check("disk", ok=free >= needed, found=f"{free / 2**30:.1f} GiB free", hint=hint)


def fleet(settings: Settings) -> Check:
    try:
        workspace = Workspace.open(settings.start)
        remote = workspace.remote
    except KarrotsError as error:
        return Check("fleet", ok=False, found=error.message, hint=error.hint)
    shared = f"shared through '{remote}'" if remote else "not shared (no remote)"
    return Check("fleet", ok=True, found=f"{workspace.repo.root}, {shared}")
