"""A world of its own for each row: home, fleet, state and temporary files in one folder that is gone afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks.row import Wrong

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PATIENCE = 300.0
END_SECONDS = 20.0
# What could lead a measured program out of its world, or (the last) make it compile its modules at every start.
SCRUBBED = ("AWS_", "GOOGLE_", "CLOUDSDK_", "ARM_", "AZURE_", "KUBE", "TF_", "KARROTS_", "GIT_", "XDG_", "KWOK_")
DROPPED = ("PYTHONDONTWRITEBYTECODE",)
WHO = {"NAME": "Ada Example", "EMAIL": "ada@example.com"}


@dataclass(frozen=True)
class Ended:
    """A program's end: `seconds` from its start."""

    seconds: float
    out: str
    status: int = 0

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class World:
    root: Path
    engine: Path

    def run(self, *argv: str | Path, cwd: Path | None = None, expect: Sequence[int] = (0,), stdin: str = "") -> Ended:
        """Raises Wrong at another exit status."""
        words = [str(word) for word in argv]
        began = time.perf_counter()
        done = subprocess.run(
            words, cwd=cwd or self.root, input=stdin, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        seconds = time.perf_counter() - began
        if done.returncode not in expect:
            said = " ".join((done.stderr or done.stdout).split())[-400:]
            raise Wrong(f"{Path(words[0]).name} {' '.join(words[1:3])} ended with {done.returncode}: {said}")
        return Ended(seconds, done.stdout, done.returncode)

    def karrots(self, *words: str, cwd: Path | None = None, expect: Sequence[int] = (0,)) -> Ended:
        return self.run(program(), *words, cwd=cwd, expect=expect)

    def git(self, *words: str, cwd: Path, stdin: str = "") -> str:
        return self.run("git", *words, cwd=cwd, stdin=stdin).out.strip()

    def tool(self, name: str) -> Path:
        """A program of the engine."""
        return self.engine / name

    def processes(self, needle: str | None = None) -> list[psutil.Process]:
        """Whose command line names this world (or `needle`), but for our own."""
        wanted = needle or str(self.root)
        found = psutil.process_iter(["cmdline", "pid"])
        return [p for p in found if p.pid != os.getpid() and any(wanted in word for word in p.info["cmdline"] or ())]


def program() -> Path:
    """`karrots` as it is installed beside this Python."""
    return Path(sys.executable).parent / "karrots"


@contextmanager
def world(engine: Path) -> Iterator[World]:
    """While the block runs, our own environment is that of the world: what we call in-process lives in it too."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="karrots-bench-") as folder:
        root = Path(folder).resolve()
        made = World(root, engine)
        try:
            _set(environment(before, root, engine))
            yield made
        finally:
            end(root)
            _set(before)


def _set(environment: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)


def environment(before: Mapping[str, str], root: Path, engine: Path) -> dict[str, str]:
    """Makes the files it names."""
    kept = {name: value for name, value in before.items() if not name.startswith(SCRUBBED) and name not in DROPPED}
    (root / "tmp").mkdir()
    (root / "terraformrc").write_text("")
    (root / "gitconfig").write_text("[init]\n\tdefaultBranch = main\n")
    who = {f"GIT_{role}_{part}": value for role in ("AUTHOR", "COMMITTER") for part, value in WHO.items()}
    return {
        **kept,
        **who,
        "HOME": str(root),
        "TMPDIR": str(root / "tmp"),
        "KARROTS_HOME": str(root / "karrots"),
        "KARROTS_ENGINE_BIN": str(engine),
        "KWOK_WORKDIR": str(root / "kwok"),
        "TF_CLI_CONFIG_FILE": str(root / "terraformrc"),
        "GIT_CONFIG_GLOBAL": str(root / "gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "NO_COLOR": "1",
        "TERM": "dumb",
        "COLUMNS": "80",
    }


def end(root: Path) -> None:
    """Kill whatever was started in this world and still runs: named by a command line, or by where it works."""
    until = time.monotonic() + END_SECONDS
    while (left := inhabitants(root)) and time.monotonic() < until:
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=1)


def inhabitants(root: Path) -> list[psutil.Process]:
    """Not ourselves, and no zombies: they have neither words nor a place."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        words = [*(process.info["cmdline"] or ()), process.info["cwd"] or ""]
        if process.pid != os.getpid() and any(str(root) in word for word in words):
            found.append(process)
    return found
