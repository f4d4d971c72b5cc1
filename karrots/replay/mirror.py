"""A folder from which Terraform installs played providers, and from nowhere else."""

from __future__ import annotations

import json
import platform
import re
import sys
from typing import TYPE_CHECKING

from karrots import files, places
from karrots.replay.rules import rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from karrots.replay.schemas import Recorded

SETTINGS = "terraform.rc"
FOLDERS = ("mirror", "packages", "plugins")
REGISTRIES = ("registry.terraform.io", "registry.opentofu.org")
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
NUMBERS = re.compile(r"\d+(?:\.\d+){0,2}(?:-[0-9A-Za-z.-]+)?")
ANY_VERSION = "1.0.0"
# No way out: modules and providers that are not here must not come from elsewhere.
NO_NETWORK = {
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9"),
    **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost"),
    "GIT_ALLOW_PROTOCOL": "file",
}


def lay_out(folder: Path, program: Path, recorded: Iterable[Recorded], asked: Iterable[str]) -> dict[str, str]:
    """Environment for Terraform. `asked` are the texts in which the root names versions.

    A recording of unknown version is offered in each version that the root could mean, and Terraform chooses.
    """
    mirror = folder / "mirror"
    candidates = versions(asked)
    for each in recorded:
        package = _package(mirror, each, program)
        for host, version in _names(each, candidates):
            _offer(mirror / host / _path(each) / version / _platform(), package)
    plugins = places.private_folder(folder / "plugins")
    settings = folder / SETTINGS
    files.write(settings, _settings(mirror), durable=False)
    return {"TF_CLI_CONFIG_FILE": str(settings), "TF_PLUGIN_CACHE_DIR": str(plugins), **NO_NETWORK}


def versions(asked: Iterable[str]) -> list[str]:
    """Version numbers that fulfil constraints such as `~> 6.27` or `> 5.0, < 7`: those named, and the next after."""
    found = {ANY_VERSION}
    for text in asked:
        for number in NUMBERS.findall(text):
            first, dash, rest = number.partition("-")
            parts = [int(part) for part in first.split(".")]
            parts += [0] * (3 - len(parts))
            found.add(".".join(map(str, parts)) + dash + rest)
            found.add(".".join(map(str, [*parts[:2], parts[2] + 1])))
    return sorted(found)


def _names(each: Recorded, candidates: list[str]) -> Iterator[tuple[str, str]]:
    host = each.address.partition("/")[0]
    hosts = REGISTRIES if host in REGISTRIES else (host,)
    # Terraform takes a version with a dash (5.3.0-dev) only when it is asked for by name.
    own = [each.version.partition("-")[0]] if each.version else candidates
    yield from ((host, version) for host in hosts for version in own)


def _path(each: Recorded) -> str:
    return each.address.partition("/")[2]


def _package(mirror: Path, each: Recorded, program: Path) -> Path:
    """The folder of one provider: the program under its name, its schema and the rules beside it."""
    version = each.version or "recorded"
    package = places.private_folder(mirror.parent / "packages" / each.address.replace("/", "_") / version)
    recording = {"provider_schemas": {each.address: each.schema}}
    files.write(package / "schema.json", json.dumps(recording, separators=(",", ":")), durable=False)
    files.write(package / "rules.json", json.dumps(rules()), durable=False)
    files.link(package / f"terraform-provider-{each.name}_v{version}", program)
    return package


def _offer(place: Path, package: Path) -> None:
    """Terraform follows a link to a package, and only there."""
    places.private_folder(place.parent)
    files.link(place, package)


def _platform() -> str:
    machine = platform.machine().lower()
    return f"{sys.platform}_{MACHINES.get(machine, machine)}"


def _settings(mirror: Path) -> str:
    lines = [
        "provider_installation {",
        "  filesystem_mirror {",
        f"    path = {json.dumps(str(mirror))}",
        "  }",
        "}",
        "",
    ]
    registries = "".join(f'host "{host}" {{\n  services = {{}}\n}}\n' for host in REGISTRIES)
    return "\n".join(lines) + registries
