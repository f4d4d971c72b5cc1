"""`karrots flux pin`: the components of Flux as content of a cluster directory."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from karrots.adapters import flux_release
from karrots.adapters.flux_release import Manifest
from karrots.adapters.git_names import quoted
from karrots.errors import UsageError
from karrots.files import content as content_of
from karrots.fleet.workspace import CLUSTER_FILE, Workspace
from karrots.ops.content import present_spec
from karrots.render.files import write
from karrots.spec import flux_components
from karrots.spec.edit import set_key

if TYPE_CHECKING:
    from pathlib import Path

    from karrots.ops.settings import Settings
    from karrots.spec.flux_components import Components

SHA256 = re.compile(r"[0-9a-f]{64}")
HEAD = """\
# Flux's components, written by `karrots flux pin`. karrots applies them itself: this file belongs to no kustomization.
# Flux Version: v{version}
# From: {source}
# sha256 there: {sha256}
"""


@dataclass(frozen=True)
class Pinned:
    """`images` are all that the controllers of this version are started from; `files` as `render` tells it."""

    directory: str
    version: str
    source: str
    sha256: str
    controllers: tuple[str, ...]
    images: tuple[str, ...]
    files: dict[str, str]


def pin(
    settings: Settings,
    version: str,
    *,
    file: Path | None = None,
    sha256: str = "",
    releases: str = flux_release.RELEASES,
) -> Pinned:
    """From `file`, else from the flux program, else from the release, which is the only one to use the network.

    Nothing is written unless all of it can be.
    """
    version = wanted_version(version)
    if sha256 and not SHA256.fullmatch(sha256):
        raise UsageError(f"{quoted(sha256)} is no sha256", why="that has 64 digits of 0-9 and a-f")
    workspace = Workspace.open(settings.start, settings.warn)
    directory = workspace.directory()
    present_spec(workspace, directory)
    manifest = obtained(version, file, sha256, releases)
    text, components = stamped(manifest, version)
    folder = workspace.repo.root / directory
    cluster_yaml = set_key(content_of(folder / CLUSTER_FILE).decode("utf-8-sig"), "flux.version", version)
    done = write({flux_components.FILE: text, CLUSTER_FILE: cluster_yaml}, folder)
    return Pinned(
        directory, version, manifest.source, manifest.sha256, components.controllers, components.images,
        {written.path: written.outcome for written in done},
    )  # fmt: skip


def wanted_version(text: str) -> str:
    version = text.removeprefix("v")
    if not flux_components.VERSION.fullmatch(version):
        raise UsageError(
            f"{quoted(text)} is not a release of Flux",
            why="it is a version such as 2.9.5",
            hint="https://github.com/fluxcd/flux2/releases",
        )
    return version


def obtained(version: str, file: Path | None, sha256: str, releases: str) -> Manifest:
    if file is None:
        found = None if sha256 else flux_release.exported(version)
        return found or flux_release.released(version, sha256=sha256, releases=releases)
    try:
        given = Manifest(content_of(file.absolute()), file.name)
    except FileNotFoundError as error:
        raise UsageError(f"there is no file '{file}'") from error
    if sha256:
        flux_release.check(given, sha256)
    return given


def stamped(manifest: Manifest, version: str) -> tuple[str, Components]:
    """The text as it is committed, with a head that says which version it is and where it came from.

    A release's own manifest names no version: it is known from the address it was fetched from. Raises UsageError.
    """
    fetched = manifest.source.startswith(("https://", "http://"))
    head = HEAD.format(version=version, source=manifest.source, sha256=manifest.sha256)
    given = manifest.data.removeprefix(b"\xef\xbb\xbf")
    said = f"# Flux Version: v{version}\n".encode() if fetched else b""
    found = flux_components.read(said + given, manifest.source)
    if found.version != version:
        raise UsageError(
            f"'{manifest.source}' is Flux {found.version}, not {version}", hint=f"karrots flux pin {found.version}"
        )
    text = head.encode() + given
    return text.decode("utf-8"), flux_components.read(text, flux_components.FILE)
