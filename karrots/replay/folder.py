"""A user's Terraform root as links in a folder of the run's own: nothing is written where the user's files are."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

from karrots import files, places
from karrots.errors import NotFound, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

# In HCL and in its JSON form.
LOCAL_MODULE = re.compile(r'"?source"?\s*[=:]\s*"(\.\.?/[^"$%]*)"')
CONSTRAINT = re.compile(r'"?version"?\s*[=:]\s*"([^"]+)"')
# Terraform's own: settings of other runs, and the state of the real thing.
LEFT_OUT = re.compile(r"\.terraform|\.terraform\.lock\.hcl|terraform\.tfstate.*|.*\.tfplan|errored\.tfstate")
TEXTS = (".tf", ".tf.json", ".tofu", ".tofu.json")
OVERRIDE = "karrots_rehearsal_override.tf"
# Takes the place of the root's own backend, or of a `cloud` block.
BACKEND = 'terraform {\n  backend "local" {}\n}\n'


def linked(root: Path, into: Path, variables: Sequence[Path] = ()) -> Path:
    """The run's root: `root` as links, with the local modules it uses beside it as they lie beside the user's.

    Raises NotFound where there is no Terraform, UsageError for a file of variables that is none.
    """
    root = root.resolve()
    if not texts(root):
        raise NotFound(f"there is no Terraform in '{root}'", why="no file in it ends in .tf", hint=f"ls {root}")
    folders = [root, *modules(root)]
    base = _common(folders)
    made = into / root.relative_to(base)
    _link_root(root, made)
    for folder in folders[1:]:
        _link_module(folder, root, into / folder.relative_to(base))
    _link_downloaded(root, made)
    _link_variables(variables, made)
    files.write(made / OVERRIDE, BACKEND, durable=False)
    return made


def texts(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name.endswith(TEXTS)) if folder.is_dir() else []


def modules(root: Path) -> list[Path]:
    """Folders that the root, or a module of its, names as a module's source by a relative path."""
    found: dict[Path, None] = {}
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        for named in _sources(folder):
            if named.is_dir() and named not in found and named != root:
                found[named] = None
                waiting.append(named)
    return list(found)


def _sources(folder: Path) -> Iterator[Path]:
    for file in texts(folder):
        for source in LOCAL_MODULE.findall(_text(file)):
            yield (folder / source).resolve()


def constraints(root: Path) -> Iterator[str]:
    """The texts in which a root and its modules say which versions they want, of whatever."""
    for folder in (root, *modules(root), *_downloaded(root)):
        for file in texts(folder):
            yield from CONSTRAINT.findall(_text(file))


def _downloaded(root: Path) -> list[Path]:
    """By the list that Terraform's init made; one we cannot read names nothing."""
    try:
        listed = json.loads(_text(root / ".terraform" / "modules" / "modules.json") or "{}")
        return [root / module["Dir"] for module in listed.get("Modules", [])]
    except (ValueError, TypeError, LookupError, AttributeError):
        return []


def _text(file: Path) -> str:
    return file.read_text("utf-8", "replace") if file.is_file() else ""


def _common(folders: Sequence[Path]) -> Path:
    root = folders[0]
    return next(base for base in (root, *root.parents) if all(folder.is_relative_to(base) for folder in folders))


def _link_root(root: Path, made: Path) -> None:
    _folder(made)
    for entry in root.iterdir():
        if not LEFT_OUT.fullmatch(entry.name):
            files.link(made / entry.name, entry)


def _link_module(folder: Path, root: Path, place: Path) -> None:
    """As one link, or, when the root is in it, entry by entry around the root."""
    if folder.is_relative_to(root) or (place.exists() and not root.is_relative_to(folder)):
        return  # the root's own links lead there
    if not root.is_relative_to(folder):
        _folder(place.parent)
        files.link(place, folder)
        return
    for entry in folder.iterdir():
        if not LEFT_OUT.fullmatch(entry.name) and not root.is_relative_to(entry) and not (place / entry.name).exists():
            files.link(place / entry.name, entry)


def _link_downloaded(root: Path, made: Path) -> None:
    """Modules from registries, as the user's own init brought them."""
    downloaded = root / ".terraform" / "modules"
    manifest = downloaded / "modules.json"
    if not manifest.is_file():
        return
    place = made / ".terraform" / "modules"
    _folder(place)
    for entry in downloaded.iterdir():
        if entry.is_dir():
            files.link(place / entry.name, entry)
    files.write(place / manifest.name, manifest.read_bytes(), durable=False)


def _link_variables(variables: Sequence[Path], made: Path) -> None:
    for number, file in enumerate(variables):
        if not file.is_file():
            raise NotFound(f"there is no file '{file}'", hint="--var-file FILE names one of variables")
        ending = next((end for end in (".tfvars.json", ".tfvars") if file.name.endswith(end)), None)
        if ending is None:
            raise UsageError(f"'{file}' is no file of variables", why="it ends in .tfvars or .tfvars.json")
        files.link(made / f"zz-rehearsal-{number:02}.auto{ending}", file.resolve())


def _folder(path: Path) -> None:
    if not os.path.lexists(path):
        places.private_folder(path)
