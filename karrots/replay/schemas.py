"""Recorded schemas of providers: those that ship with karrots, and files of the user's."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from karrots import files, places
from karrots.errors import NotFound, UsageError

if TYPE_CHECKING:
    from pathlib import Path

LARGEST = 256 << 20  # bytes; that of the largest provider is 14 MB
RECORDING = re.compile(r"(?P<name>[a-z0-9-]+)-(?P<version>\d[^/]*)\.json\.gz")
ADDRESS = re.compile(r"[a-z0-9.-]+(:\d+)?/[a-z0-9_-]+/[a-z0-9_-]+")
HOW_TO_RECORD = "terraform providers schema -json > schema.json   (in an initialised root)"


@dataclass(frozen=True)
class Recorded:
    """One provider. `version` is None where nobody knows it: the recording of Terraform does not say."""

    address: str
    version: str | None
    file: Path

    @property
    def name(self) -> str:
        return self.address.rpartition("/")[2]

    @property
    def label(self) -> str:
        return f"{self.name} {self.version or f'of {self.file.name}'}"

    @cached_property
    def schema(self) -> dict[str, Any]:
        """Raises UsageError when the file holds no recording."""
        found: dict[str, Any] = _document(self.file)["provider_schemas"][self.address]
        return found


def shipped(folder: Path | None = None) -> list[Recorded]:
    """Those in karrots, or in another folder of the same form; by name and version, the newest last."""
    folder = folder or places.schemas()
    found = [
        Recorded(f"registry.terraform.io/hashicorp/{match['name']}", match["version"], path)
        for path in folder.iterdir()
        if (match := RECORDING.fullmatch(path.name))
    ]
    return sorted(found, key=lambda each: (each.name, order(each.version or "")))


def order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def of_file(file: Path) -> list[Recorded]:
    """All providers in the answer of `terraform providers schema -json`. Raises UsageError, NotFound."""
    document = _document(file)
    version = document.get("x_provider_version")
    return [Recorded(address, version, file) for address in document["provider_schemas"]]


def _document(file: Path) -> dict[str, Any]:
    try:
        data = files.content(file, LARGEST)
        document: Any = json.loads(gzip.decompress(data) if file.suffix == ".gz" else data)
    except FileNotFoundError as error:
        raise NotFound(f"there is no file '{file}'", hint=HOW_TO_RECORD) from error
    except (OSError, EOFError, ValueError, RecursionError) as error:
        raise UsageError(f"'{file}' cannot be read", why=str(error), hint=HOW_TO_RECORD) from error
    if not isinstance(document, dict) or not isinstance(document.get("provider_schemas"), dict):
        raise _not_a_recording(file, "it has no 'provider_schemas'")
    providers = document["provider_schemas"]
    for address, provider in providers.items():
        if not ADDRESS.fullmatch(address) or not isinstance(provider, dict) or "provider" not in provider:
            raise _not_a_recording(file, f"'{address}' in it is no provider")
    return document


def _not_a_recording(file: Path, why: str) -> UsageError:
    return UsageError(f"'{file}' is not a recorded schema", why=why, hint=HOW_TO_RECORD)
