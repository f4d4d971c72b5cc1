"""`karrots demo`: the whole story for real, on a copy of the demo fleet, leaving nothing behind.

It goes through the same operations as the command line, and prints each command it stands for.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from karrots import computer, files, places
from karrots.adapters import terraform
from karrots.adapters.git import Repository, init_repository
from karrots.adapters.git_checkout import Checkout
from karrots.adapters.kube import Kube
from karrots.engine import cluster as engine
from karrots.engine.ports import is_free
from karrots.errors import Failed, KarrotsError
from karrots.fleet.ledger import Ledger
from karrots.ops.apply import sync
from karrots.ops.branch import BranchOptions, branch
from karrots.ops.bringup import Cluster, Options
from karrots.ops.create import create
from karrots.ops.destroy import destroy, gone_text
from karrots.ops.diff import Options as Compared
from karrots.ops.diff import of_two
from karrots.ops.engine import ready
from karrots.ops.leftovers import DEMO, DEMO_MARK
from karrots.report.events import Noted
from karrots.report.text import count_text, seconds_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from karrots.ops.destroy import Receipt
    from karrots.ops.settings import Settings

PARENT, COPY, STORY = "qa", "qa-feature-1234", "feature/JIRA-1234"
DIRECTORY = f"clusters/{PARENT}"
CHANGED = f"{DIRECTORY}/flux/apps/front/deployment.yaml"
BEFORE, AFTER = "shop/front:1.5.0", "shop/front:1.6.0"
FRONT = "/apis/apps/v1/namespaces/shop/deployments/front"
TIMEOUT = 180.0


@dataclass(frozen=True)
class Chapter:
    title: str
    seconds: float


@dataclass(frozen=True)
class Story:
    """`left` counts what is left of each kind, looked for after the end; `folder` is the fleet when it was kept."""

    chapters: tuple[Chapter, ...]
    receipt: Receipt
    left: dict[str, int]
    folder: str
    kept: bool


@dataclass
class Teller:
    """Runs the chapters and keeps their times."""

    settings: Settings
    chapters: list[Chapter] = field(default_factory=list)
    ports: set[int] = field(default_factory=set)

    def say(self, line: str) -> None:
        self.settings.reporter.emit(Noted(line))

    @contextmanager
    def chapter(self, title: str, *commands: str) -> Iterator[None]:
        self.say("")
        for command in commands:
            self.say(f"$ {command}")
        began = time.monotonic()
        yield
        self.chapters.append(Chapter(title, round(time.monotonic() - began, 3)))


def demo(settings: Settings, *, keep: bool) -> Story:
    terraform.locate()  # what can be missing is looked at before the engine is built for minutes
    programs = ready(settings.reporter).folder
    logs = places.runs()
    folder = Path(tempfile.mkdtemp(prefix=DEMO))
    mark(folder, keep=keep)
    fleet = folder / "fleet"
    with own_state(folder, programs, keep=keep):
        teller = Teller(replace(settings, start=fleet / DIRECTORY, argv="karrots demo", ask=lambda _: True))
        try:
            receipt = tell(teller, fleet, keep=keep)
            left = {} if keep else {**leftovers(fleet), **listening(teller.ports)}
        except BaseException as error:
            if isinstance(error, KarrotsError):
                error.log = rescued(error.log, logs)
            if keep:
                teller.say(f"kept: {fleet}; its clusters: karrots ls -C {fleet / DIRECTORY}")
            raise
        finally:
            if not keep:
                take_down(folder, fleet)
    if not keep:
        left |= {"processes": processes_in(folder), "files": int(folder.exists())}
    if not keep and any(left.values()):
        raise Failed("the demo left something behind", why=", ".join(f"{k} {v}" for k, v in left.items()))
    return Story(tuple(teller.chapters), receipt, left, str(fleet) if keep else "", keep)


def mark(folder: Path, *, keep: bool) -> None:
    """Who it belongs to, for `karrots doctor --repair` after a kill."""
    born = computer.born(os.getpid())
    files.write(folder / DEMO_MARK, json.dumps({"pid": os.getpid(), "born": born, "keep": keep}))


@contextmanager
def own_state(folder: Path, programs: Path, *, keep: bool) -> Iterator[None]:
    """States, runs and clusters of the demo live in its own folder, unless it stays for a look around."""
    settings = {} if keep else {"KARROTS_HOME": str(folder / "home"), "KARROTS_ENGINE_BIN": str(programs)}
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def tell(teller: Teller, fleet: Path, *, keep: bool) -> Receipt:
    checkout = set_up(teller, fleet)
    made(teller)
    branched(teller)
    teller.ports = {port for c in of_fleet(fleet) for port in engine.ports_of(c.id)}
    changed(teller, checkout, fleet)
    compared(teller)
    promoted(teller, checkout, fleet)
    return cleared(teller, keep=keep)


def set_up(teller: Teller, fleet: Path) -> Checkout:
    with teller.chapter("a fleet repository", f"git init {fleet}", f"cd {fleet / DIRECTORY}"):
        shutil.copytree(places.data() / "clusters", fleet / "clusters", ignore=shutil.ignore_patterns(".terraform"))
        shutil.copy(places.data() / "karrots.yaml", fleet / "karrots.yaml")
        checkout = Checkout(fleet)
        init_repository(fleet, "main")
        checkout.identify("karrots demo", "demo@example.com")
        Repository.discover(fleet).commit_paths(["karrots.yaml", "clusters"], "The shop, on two clusters")
    return checkout


def made(teller: Teller) -> None:
    with teller.chapter("a cluster, by Terraform", "karrots create"):
        create(teller.settings, None, Options({}, timeout=TIMEOUT))


def branched(teller: Teller) -> None:
    with teller.chapter("a copy of it for a story", f"karrots branch {STORY} {COPY}"):
        result = branch(teller.settings, STORY, COPY, BranchOptions({}, timeout=TIMEOUT))
        assert isinstance(result, Cluster)  # noqa: S101  (only a dry run gives something else)
        teller.say(f"{count_text(result.flux_ready, 'Flux object')} Ready, following {STORY}")


def changed(teller: Teller, checkout: Checkout, fleet: Path) -> None:
    commands = (
        f"git switch {STORY}",
        f"sed -i s,{BEFORE},{AFTER}, {CHANGED} && git commit -am 'Front 1.6.0'",
        f"karrots sync {COPY}",
    )
    with teller.chapter("a commit on the story goes live", *commands):
        checkout.switch(STORY)
        file = fleet / CHANGED
        file.write_text(file.read_text("utf-8").replace(BEFORE, AFTER), "utf-8")
        Repository.discover(fleet).commit_paths([CHANGED], "Front 1.6.0")
        began = time.monotonic()
        sync(teller.settings, COPY, timeout=TIMEOUT)
        expect_image(fleet, COPY, AFTER)
        expect_image(fleet, PARENT, BEFORE)
        teller.say(
            f"live on {COPY} after {seconds_text(time.monotonic() - began)}: {AFTER}; {PARENT} still runs {BEFORE}"
        )


def compared(teller: Teller) -> None:
    with teller.chapter("the two compared", f"karrots diff {PARENT} {COPY}"):
        found = of_two(teller.settings, PARENT, COPY, Compared(("content",)))
        if [file.path for file in found.files] != ["flux/apps/front/deployment.yaml"]:
            raise Failed("the diff shows something else than the story's change")
        for line in found.patch.splitlines():
            teller.say(f"  {line}")


def promoted(teller: Teller, checkout: Checkout, fleet: Path) -> None:
    with teller.chapter(
        "promotion is a merge", "git switch main", f"git merge --no-ff {STORY}", f"karrots sync {PARENT}"
    ):
        checkout.switch("main")
        checkout.merge(STORY)
        sync(teller.settings, PARENT, timeout=TIMEOUT)
        expect_image(fleet, PARENT, AFTER)
        teller.say(f"live on {PARENT}: {AFTER}")


def cleared(teller: Teller, *, keep: bool) -> Receipt:
    with teller.chapter("the copy goes, with a receipt", f"karrots destroy {COPY} --yes"):
        receipt = destroy(teller.settings, COPY, named=True, yes=True, timeout=TIMEOUT)
        teller.say(f"receipt: {receipt.place}: {gone_text(receipt)}")
    if not keep:
        with teller.chapter("and so does its parent", f"karrots destroy {PARENT} --yes"):
            destroy(teller.settings, PARENT, named=True, yes=True, timeout=TIMEOUT)
    return receipt


def expect_image(fleet: Path, name: str, image: str) -> None:
    """Ask the cluster's own API server what runs. Raises Failed."""
    found = next(c for c in of_fleet(fleet) if c.name == name)
    kube = Kube(engine.access(found.id))
    try:
        deployment = kube.get(FRONT) or {}
    finally:
        kube.close()
    containers = deployment.get("spec", {}).get("template", {}).get("spec", {}).get("containers", [{}])
    if containers[0].get("image") != image:
        raise Failed(f"'{name}' runs {containers[0].get('image')} where {image} was expected")


def of_fleet(fleet: Path) -> list[engine.Status]:
    """The engine's clusters that sync from the demo's repository."""
    return [c for c in engine.clusters() if Path(c.repository).is_relative_to(fleet)]


def take_down(folder: Path, fleet: Path) -> None:
    """Whatever happened before, nothing of the demo stays."""
    for found in of_fleet(fleet):
        engine.down(found.id)
    shutil.rmtree(folder, ignore_errors=True)


def leftovers(fleet: Path) -> dict[str, int]:
    """What the two destroys left, counted before the demo's folder goes."""
    states = places.terraform_states()
    return {
        "clusters": len(of_fleet(fleet)),
        "records": len(Ledger(Repository.discover(fleet)).records()),
        "states": len(list(states.iterdir())) if states.is_dir() else 0,
    }


def listening(ports: set[int]) -> dict[str, int]:
    return {"ports": sum(1 for port in ports if not is_free(port, reuse=True))}


def rescued(log: Path | None, logs: Path) -> Path | None:
    """The failed run's folder, brought out of the folder that goes with the demo."""
    if log is None or not log.is_dir() or log.parent == logs:
        return log
    shutil.copytree(log, places.private_folder(logs) / log.name)
    return logs / log.name


def processes_in(folder: Path) -> int:
    """Processes whose command line names the demo's folder."""
    import psutil

    own = os.getpid()
    lines = ((p.pid, " ".join(p.info["cmdline"] or ())) for p in psutil.process_iter(["cmdline"]))
    return sum(1 for pid, line in lines if pid != own and str(folder) in line)
