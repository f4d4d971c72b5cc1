"""Building the engine's programs with Go: once a recipe, with progress, whole or not at all."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from karrots.adapters import process
from karrots.engine import assets, recipe, toolchain
from karrots.engine.locks import held
from karrots.engine.probe import probe
from karrots.errors import Failed, PreflightFailed, TimedOut, ToolFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from karrots.engine.recipe import Recipe, Say
    from karrots.engine.toolchain import Go

GB = 10**9
# Measured with Go 1.26.8 on linux/amd64.
MODULE_BYTES = 3 * GB
CACHE_BYTES = 4 * GB
PROGRAM_BYTES = 1 * GB
SMALL_SHARE = 0.1  # of all that, and plenty for a program whose modules take 60 MB
BUILD_BYTES = MODULE_BYTES + CACHE_BYTES + PROGRAM_BYTES  # where there is nothing yet; README.md names it
LINK_SECONDS = 20.0
LISTING_SECONDS = 1800.0
BUILD_SECONDS = 7200.0
SCRATCH = ".building-"
LOG = "build.log"


@dataclass
class Progress:
    """Counts the packages Go says it has begun, and keeps what else it says."""

    total: int
    say: Say
    started: float = field(default_factory=time.monotonic)
    done: int = 0
    complaints: list[str] = field(default_factory=list)

    def line(self, line: str) -> None:
        """One event of `go build -json -v`; the name of a package alone means that it is being built."""
        try:
            event = json.loads(line)
        except ValueError:
            return
        package, output = event.get("ImportPath", ""), event.get("Output", "")
        if output.strip() == package:
            self.done += 1
            self.say(min(self.done, self.total), self.total, package, self.seconds_left())
        elif output.strip():
            self.complaints.append(output.rstrip())

    def seconds_left(self) -> float:
        elapsed = time.monotonic() - self.started
        return elapsed / max(self.done, 1) * max(self.total - self.done, 0) + LINK_SECONDS


@contextmanager
def sole_builder(home: Path, say: Say, title: str = "the engine") -> Iterator[None]:
    """Wait until nobody else on this computer builds."""
    lock = home / "build.lock"
    if lock.exists():
        say(0, 0, f"waiting for another build of {title}", None)
    with held(lock, f"the build of {title}", wait=BUILD_SECONDS):
        yield


def build(what: Recipe, target: Path, say: Say) -> None:
    """Make `target` hold the recipe's programs; the caller is the sole builder.

    Raises ToolMissing without Go, PreflightFailed on a full disk or when a program does not work, ToolFailed when Go
    fails.
    """
    began = time.monotonic()
    for left in target.parent.glob(f"{SCRATCH}*"):
        shutil.rmtree(left, ignore_errors=True)
    say(0, 0, "looking for Go", None)
    go = toolchain.ensure(recipe.go_floor(what.modules))
    total = _packages_to_build(go, what, target, say)
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=target.parent) as scratch:
        folder = Path(scratch) / "engine"
        folder.mkdir()
        _compile(go, what, folder, target.parent / LOG, Progress(total, say))
        if not what.small:
            say(total, total, "collecting Flux's definitions and kwok's stages", 1.0)
        _finish(go, what, folder, seconds=time.monotonic() - began)
        probe(folder, what.programs)
        shutil.rmtree(target, ignore_errors=True)
        folder.rename(target)


def _packages_to_build(go: Go, what: Recipe, target: Path, say: Say) -> int:
    """Fetch what is missing in Go's module cache, and count the packages that are not in its build cache."""
    modules = [name for name in recipe.MODULES.values() if name in (what.modules / "go.mod").read_text("utf-8")]
    cold = not all((go.module_cache / "cache" / "download" / _escaped(name)).exists() for name in modules)
    portion = SMALL_SHARE if what.small else 1
    programs = int(PROGRAM_BYTES * portion)
    toolchain.require_space({go.module_cache: int(MODULE_BYTES * portion) if cold else 0, target.parent: programs})
    say(0, 0, "downloading Go modules" if cold else "reading Go modules", None)
    try:
        listing = process.run(
            [go.program, "list", "-deps", "-f", "{{.Stale}}", *(program.package for program in what.programs)],
            cwd=what.modules,
            env=go.environment(recipe.BUILD_FLAGS),
            timeout=LISTING_SECONDS,
        )
    except (ToolFailed, TimedOut) as error:
        raise Failed(
            f"the Go modules of {what.title} could not be had",
            why=error.why,
            hint=f"see whether the module proxy answers (GOPROXY is {go.proxy}), then run the command again",
        ) from error
    packages = listing.text.split()
    stale = packages.count("true")
    share = portion * stale / max(len(packages), 1)
    toolchain.require_space({go.build_cache: int(CACHE_BYTES * share), target.parent: programs})
    return stale


def _escaped(module: str) -> str:
    """A module's path in Go's cache: capitals are written `!` and the small letter."""
    return "".join(f"!{letter.lower()}" if letter.isupper() else letter for letter in module)


def _compile(go: Go, what: Recipe, folder: Path, log: Path, progress: Progress) -> None:
    log.unlink(missing_ok=True)
    # One call for all: what two programs share is compiled once. -json puts what -v says on stdout as events.
    argv = [go.program, "build", "-json", "-v", "-ldflags", what.ldflags, "-o", f"{folder}/"]
    argv += [program.package for program in what.programs]
    status = process.stream(
        argv, cwd=what.modules, env=go.environment(recipe.BUILD_FLAGS), errors=log, on_line=progress.line, grace=30.0
    )
    if status != 0:
        raise _failure(argv, status, log, progress, folder, what.title)


def _failure(
    argv: list[str], status: int, log: Path, progress: Progress, folder: Path, title: str = "the engine"
) -> ToolFailed | PreflightFailed:
    if shutil.disk_usage(folder).free < PROGRAM_BYTES // 10:
        return PreflightFailed(
            "the disk is full", why=f"nothing is left on the disk of {folder.parent}", hint="free 6 GB and run it again"
        )
    said = "\n".join(progress.complaints) + "\n" + log.read_text("utf-8", "replace")
    return ToolFailed(
        f"{title} could not be built",
        argv=argv,
        status=status,
        tail=said.strip()[-process.TAIL_BYTES :],
        hint="run the command again: what is built already is kept in Go's cache",
        log=log,
    )


def _finish(go: Go, what: Recipe, folder: Path, *, seconds: float) -> None:
    for program in what.programs:
        built = _go_names_it(program.package)
        if built != program.name:
            (folder / built).rename(folder / program.name)
    if not what.small:
        assets.write(go, what.modules, folder)
    manifest = {
        "built": datetime.now(UTC).isoformat(timespec="seconds"),
        "files": {path.name: path.stat().st_size for path in sorted(folder.iterdir())},
        "go": go.version_text,
        "seconds": round(seconds),
        "versions": recipe.versions(what.modules),
    }
    (folder / assets.VERSIONS).write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n", "utf-8")


def _go_names_it(package: str) -> str:
    """`go build` names a program by the last element of its package's path that is not a major version."""
    last = package.rsplit("/", 2)
    return last[-2] if last[-1][:1] == "v" and last[-1][1:].isdigit() else last[-1]
