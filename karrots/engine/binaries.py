"""The engine's programs on this computer: found in a folder the user names, in the cache, or built.

The cache holds one folder a recipe (recipe.digest), so that two versions of karrots do not build over each other.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from karrots import places
from karrots.engine import assets, recipe
from karrots.engine.probe import VARIABLE, probe
from karrots.errors import PreflightFailed

if TYPE_CHECKING:
    from collections.abc import Collection

    from karrots.engine.recipe import Recipe, Say


@dataclass(frozen=True)
class Binaries:
    """`versions` as in recipe.MODULES, plus `go`, what they were built with."""

    folder: Path
    versions: dict[str, str]

    def path(self, program: str) -> Path:
        return self.folder / program


def digest() -> str:
    return recipe.digest(recipe.engine())


def cached_folder() -> Path:
    return places.engine_binaries() / digest()


def locate() -> Binaries | None:
    """What can be used at once, or None; nothing is started.

    Raises PreflightFailed when KARROTS_ENGINE_BIN names a folder that lacks something.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return _named(Path(named).expanduser().absolute(), recipe.engine())
    folder = cached_folder()
    return _read(folder) if complete(folder, recipe.engine()) else None


def ensure(say: Say | None = None) -> Binaries:
    """As `locate`, and build what is not there.

    `say` gets (done, total, what, expected seconds left); a total of 0 means there is no count yet.
    """
    found = locate()
    if found is None:
        return _build(recipe.engine(), cached_folder(), say or (lambda *_: None))
    if os.environ.get(VARIABLE):
        _probe_once(found, recipe.engine())
    return found


def built(what: Recipe, folder: Path, say: Say) -> Binaries:
    """The programs of a recipe in `folder`, whose parent is its cache; built when they are not there."""
    return _read(folder) if complete(folder, what) else _build(what, folder, say)


def _build(what: Recipe, folder: Path, say: Say) -> Binaries:
    from karrots.engine import build

    with build.sole_builder(folder.parent, say, what.title):
        if not complete(folder, what):
            build.build(what, folder, say)
    return _read(folder)


def _named(folder: Path, what: Recipe) -> Binaries:
    for name in (*(program.name for program in what.programs), *assets.FILES):
        if not (folder / name).is_file():
            raise PreflightFailed(
                f"{VARIABLE} names a folder that is not a whole engine",
                why=f"{folder} has no file '{name}'",
                hint=f"unset {VARIABLE} to let karrots build its own",
            )
    return _read(folder)


def complete(folder: Path, what: Recipe) -> bool:
    """Every file is there and as long as it was when it was built."""
    try:
        files: dict[str, int] = _manifest(folder)["files"]
        wanted = {program.name for program in what.programs}
        return wanted <= files.keys() and all((folder / name).stat().st_size == size for name, size in files.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _manifest(folder: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((folder / assets.VERSIONS).read_bytes())
    return manifest


def _read(folder: Path) -> Binaries:
    try:
        manifest = _manifest(folder)
        return Binaries(folder, dict(manifest["versions"]) | {"go": str(manifest.get("go", ""))})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PreflightFailed(
            f"'{assets.VERSIONS}' in {folder} cannot be read",
            why=str(error),
            hint=f"unset {VARIABLE} to let karrots build its own",
        ) from error


def _probe_once(found: Binaries, what: Recipe) -> None:
    """Probe a folder of the user's, and again only when a file in it changed: each cluster start comes by here."""
    state = hashlib.sha256(str(found.folder).encode())
    for program in what.programs:
        stat = found.path(program.name).stat()
        state.update(f"\0{stat.st_size} {stat.st_mtime_ns} {stat.st_mode}".encode())
    mark = places.engine_binaries() / f"probed-{state.hexdigest()[:24]}"
    if not mark.exists():
        probe(found.folder, what.programs)
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()


def prune(keep: Collection[str]) -> list[str]:
    """Remove the built engines whose digests are not in `keep`; returns those removed."""
    removed = []
    for folder in sorted(places.engine_binaries().glob("*/")):
        if folder.name not in keep and (folder / assets.VERSIONS).is_file():
            shutil.rmtree(folder)
            removed.append(folder.name)
    return removed


def size() -> int:
    """Bytes that built engines take."""
    return sum(path.stat().st_size for path in places.engine_binaries().rglob("*") if path.is_file())
