"""Which Terraform: the one named by KARROTS_TERRAFORM, else terraform, else tofu from PATH."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from karrots.adapters import process, terraform_argv
from karrots.errors import PreflightFailed, TimedOut, ToolFailed, ToolMissing

VARIABLE = "KARROTS_TERRAFORM"
PROGRAMS = ("terraform", "tofu")
FLOOR = (1, 6, 0)
# `init -json` came with https://github.com/hashicorp/terraform/pull/34886 and https://github.com/opentofu/opentofu/pull/1453
INIT_JSON = {"terraform": (1, 9, 0), "tofu": (1, 7, 0)}
# The only place that tells the two apart: `version -json` says terraform_version for both.
BANNER = re.compile(r"^(Terraform|OpenTofu) v((\d+)\.(\d+)\.(\d+)\S*)", re.MULTILINE)
# https://opentofu.org/docs/intro/install/
INSTALLERS = {
    "brew": "brew install opentofu",
    "dnf": "sudo dnf install opentofu",
    "apk": "sudo apk add opentofu",
    "snap": "sudo snap install --classic opentofu",
}
ELSEWHERE = "https://developer.hashicorp.com/terraform/install or https://opentofu.org/docs/intro/install"


@dataclass(frozen=True)
class Tool:
    """`kind` is terraform or tofu, `version` as the tool writes it, without the v."""

    path: Path
    kind: str
    version: str
    release: tuple[int, int, int]

    @property
    def speaks_json_at_init(self) -> bool:
        return self.release >= INIT_JSON[self.kind]


def locate() -> Tool:
    """Raises ToolMissing when there is none, PreflightFailed when what is there cannot be used."""
    named = os.environ.get(VARIABLE)
    if named:
        return examine(_named(named))
    found = [path for path in map(process.find, PROGRAMS) if path]
    if not found:
        raise ToolMissing(
            "there is no Terraform on this computer",
            why=f"neither {' nor '.join(PROGRAMS)} is on PATH, and {VARIABLE} is not set",
            hint=_install_line(),
        )
    return _first_usable([Path(path) for path in found])


def examine(path: Path) -> Tool:
    """Ask a program what it is. Raises PreflightFailed when it is no Terraform or too old."""
    found = path.stat()
    return _examine(path, found.st_mtime_ns, found.st_size)


@cache
def _examine(path: Path, *_: int) -> Tool:
    """Asked once, as every question costs some 40 ms; the file's time and size tell another program of that name."""
    try:
        answer = process.run(
            terraform_argv.version(path),
            env=process.environment({"CHECKPOINT_DISABLE": "1"}),
            check=False,
        )
    except ToolFailed as error:
        raise _unusable(path, f"it does not start: {error.why}") from error
    except TimedOut as error:
        raise _unusable(path, f"it does not start: {error}") from error
    banner = BANNER.search(answer.text)
    if answer.status != 0 or banner is None:
        said = (answer.text or answer.stderr.decode("utf-8", "replace")).strip()[:200]
        raise _unusable(path, f"asked for its version it ended with status {answer.status} and said '{said}'")
    kind = {"Terraform": "terraform", "OpenTofu": "tofu"}[banner[1]]
    tool = Tool(path, kind, banner[2], (int(banner[3]), int(banner[4]), int(banner[5])))
    if tool.release < FLOOR:
        raise _unusable(path, f"it is version {tool.version}, and karrots needs {'.'.join(map(str, FLOOR))} or later")
    return tool


def _named(name: str) -> Path:
    path = process.find(name)
    if path:
        return Path(path).absolute()
    if Path(name).exists():
        raise _unusable(Path(name), "it is not an executable file")
    raise ToolMissing(
        f"there is no '{name}' on this computer",
        why=f"{VARIABLE} names it",
        hint=f"unset {VARIABLE}  # to use terraform or tofu from PATH",
    )


def _first_usable(paths: list[Path]) -> Tool:
    """The first that can be used; when none can, what is wrong with the first."""
    first, *others = paths
    try:
        return examine(first)
    except PreflightFailed:
        for other in others:
            return _first_usable([other])
        raise


def _unusable(path: Path, why: str) -> PreflightFailed:
    return PreflightFailed(f"'{path}' cannot be used as Terraform", why=why, hint=_install_line())


def _install_line() -> str:
    lines = [line for installer, line in INSTALLERS.items() if process.find(installer)]
    return lines[0] if lines else f"install one from {ELSEWHERE}"
