"""SIGKILL in the middle of an apply: Terraform's own local backend, for comparison, beside karrots' state server.

What is promised of the second: when karrots is killed, Terraform is told to stop and saves, so each resource it has
reported is in the state that the next run takes over, with its id. When Terraform itself is killed, the state is the
last one it sent (it sends one every 20 s at most) and never a damaged one. In both cases the next run ends the work.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import psutil

from karrots.adapters import terraform
from karrots.adapters.terraform import LOG, Root, locate
from karrots.adapters.terraform_state import StateServer
from karrots.adapters.terraform_store import UNSAVED, StateStore
from karrots.errors import KarrotsError
from tests.support import environment
from tests.torture.frame import Torture, Wrong

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.torture.frame import Place

RESOURCES = 300
ENDED = 20.0  # seconds for a Terraform that was told to stop
ROOT = """terraform {{
  backend "{backend}" {{}}
}}
resource "terraform_data" "one" {{
  count = {count}
  input = count.index
}}
"""
# Applies until it is killed, or until its Terraform is.
APPLIER = """
import sys
from pathlib import Path
from karrots.adapters.terraform import Root, locate
from karrots.adapters.terraform_state import StateServer
with StateServer(Path(sys.argv[2]), "the first run") as server:
    root = Root(Path(sys.argv[1]), locate(), state=server)
    root.init()
    root.apply(root.plan())
"""


@contextmanager
def _home(place: Place) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="terraform-", dir=place.folder) as name:
        home = Path(name).resolve()
        env = environment.inherited() | environment.settings(home) | {"TMPDIR": str(home)}
        with mock.patch.dict(os.environ, env, clear=True):
            yield home


def _root(folder: Path, backend: str) -> Path:
    folder.mkdir()
    (folder / "main.tf").write_text(ROOT.format(backend=backend, count=RESOURCES))
    return folder


def _reported(log: Path) -> dict[int, str]:
    """Ids of the resources that Terraform has said to be created, by number."""
    found = {}
    for line in log.read_text().splitlines() if log.exists() else ():
        with suppress(ValueError):
            event = json.loads(line)
            if event.get("type") == "apply_complete":
                found[int(event["hook"]["resource"]["resource_key"])] = str(event["hook"]["id_value"])
    return found


def _await(process: subprocess.Popen[bytes], log: Path, number: int) -> bool:
    """Until so many are reported; False when it has ended before."""
    while process.poll() is None:
        if log.exists() and log.read_bytes().count(b'"type":"apply_complete"') >= number:
            return True
        time.sleep(0.001)
    return False


def _ids(state: dict[str, Any]) -> dict[int, str]:
    return {
        instance["index_key"]: instance["attributes"]["id"]
        for resource in state["resources"]
        for instance in resource["instances"]
    }


# The comparison


@contextmanager
def local_backend(place: Place) -> Iterator[Callable[[int], None]]:
    """Nothing here is a failure: what became of the state is counted in the notes."""
    seen: Counter[str] = Counter()
    with _home(place) as home:
        tool = str(locate().path)
        ready = _root(home / "ready", "local")
        subprocess.run([tool, "init", "-input=false"], cwd=ready, env=terraform.environment(), check=True,
                       capture_output=True)  # fmt: skip

        def run(seed: int) -> None:
            folder = home / f"run-{seed}"
            shutil.copytree(ready, folder)
            _apply_and_kill([tool, "apply", "-auto-approve", "-input=false", "-json"], folder, seed)
            seen[_condition(folder)] += 1
            place.notes["state with the local backend"] = ", ".join(f"{k}: {n}" for k, n in sorted(seen.items()))
            shutil.rmtree(folder)

        yield run


def _apply_and_kill(argv: list[str], folder: Path, seed: int) -> None:
    log = folder / LOG
    with log.open("wb") as sink:
        process = subprocess.Popen(argv, cwd=folder, env=terraform.environment(), stdout=sink, stderr=sink)
    _await(process, log, random.Random(seed).randint(1, RESOURCES))
    process.kill()
    process.wait()


def _condition(folder: Path) -> str:
    file = folder / "terraform.tfstate"
    if not file.exists() or not file.stat().st_size:
        return "missing or empty"
    try:
        held = _ids(json.loads(file.read_text()))
    except (ValueError, KeyError):
        return "corrupt"
    return "complete" if _reported(folder / LOG).items() <= held.items() else "lacks resources that were reported"


# The same through karrots


@contextmanager
def state_server(place: Place) -> Iterator[Callable[[int], None]]:
    seen: Counter[str] = Counter()
    with _home(place) as home:

        def run(seed: int) -> None:
            draw = random.Random(seed)
            victim = draw.choice(("karrots", "Terraform"))
            folder = home / f"run-{seed}"
            folder.mkdir()
            lost = _killed(folder, victim, draw.randint(1, RESOURCES))
            seen[f"SIGKILL of {victim}"] += 1
            seen[f"reported resources not in the state after SIGKILL of {victim}"] += lost
            place.notes.update({name: str(count) for name, count in seen.items()})
            shutil.rmtree(folder)

        yield run


def _killed(folder: Path, victim: str, number: int) -> int:
    """Counts the resources that were reported and are not in the state. Raises Wrong."""
    first = _root(folder / "first", "http")
    state = folder / "state"
    applier = subprocess.Popen(
        [sys.executable, "-c", APPLIER, str(first), str(state)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    terraforms: list[psutil.Process] = []
    if _await(applier, first / LOG, number):
        terraforms = _working(applier, first)
        for each in terraforms if victim == "Terraform" else [psutil.Process(applier.pid)]:
            each.kill()
    applier.wait(ENDED)
    if psutil.wait_procs(terraforms, timeout=ENDED)[1]:
        raise Wrong(f"Terraform still runs {ENDED:.0f} s after SIGKILL of {victim}")
    reported, serial = _reported(first / LOG), _serial(state)
    lost = _finished(folder, state, reported, serial, must_hold=victim == "karrots")
    if (first / UNSAVED).exists():
        raise Wrong(f"{UNSAVED} is left after the next run")
    return lost


def _working(applier: subprocess.Popen[bytes], folder: Path) -> list[psutil.Process]:
    with suppress(psutil.Error):
        return [child for child in psutil.Process(applier.pid).children() if Path(child.cwd()) == folder]
    return []


def _serial(folder: Path) -> int:
    try:
        store = StateStore(folder)
        store.current()
        return store.serial or 0
    except KarrotsError as error:
        raise Wrong(f"the state cannot be read: {error.message}: {error.why}") from error


def _finished(folder: Path, state: Path, reported: dict[int, str], serial: int, *, must_hold: bool) -> int:
    """The next run, in a folder of its own: takes over, plans and applies what is missing."""
    with StateServer(state, "the second run") as server:
        root = Root(_root(folder / "second", "http"), locate(), state=server)
        try:
            root.init()
            plan = root.plan()
            held = _ids(server.store.current() or {"resources": []})
            lost = sum(held.get(number) != made for number, made in reported.items())
            if must_hold and lost:
                raise Wrong(f"{lost} of {len(reported)} reported resources are not in the state")
            if (server.store.serial or 0) < serial or plan.destructive:
                raise Wrong(f"the serial went back from {serial}, or what exists would be made anew")
            root.apply(plan)
        except KarrotsError as error:
            raise Wrong(f"the next run failed: {error.message}: {error.why}") from error
        if server.store.resources() != RESOURCES:
            raise Wrong(f"the next run ended with {server.store.resources()} of {RESOURCES} resources")
    return lost


ROWS: tuple[Torture, ...] = (
    Torture(
        name="raw-local",
        title=f"for comparison: SIGKILL of plain Terraform, local backend, {RESOURCES} resources",
        promise="none; what became of the state is in the notes",
        world=local_backend,
        wanted=40,
        usual=3,
        slice=1,
    ),
    Torture(
        name="raw-http",
        title=f"the same through karrots' state server, SIGKILL of karrots or of Terraform, {RESOURCES} resources",
        promise="the state is readable and never older; of karrots: each reported resource is in it; the next run ends",
        world=state_server,
        wanted=40,
        usual=3,
        slice=1,
    ),
)
