"""A world of real parts: git with a remote, Terraform, the engine; what can be seen in it, and what must hold in it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import psutil

from karrots import places
from karrots.adapters import flux
from karrots.adapters.git import Repository
from karrots.adapters.kube import Kube
from karrots.adapters.terraform_store import StateStore
from karrots.engine import cluster, ports
from karrots.errors import ExitCode, KarrotsError
from karrots.fleet.ledger import BRANCH, REF, View
from tests.support import environment, fleets
from tests.support.repositories import git
from tests.torture.frame import Wrong

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from karrots.fleet.record import Record

PROGRAM = (sys.executable, "-m", "karrots")
PATIENCE = 180.0  # for one run of karrots; the longest seen is far below
ORPHANS = 20.0  # seconds for what a killed karrots leaves behind to end by itself
LOOK_AGAIN = 0.02
DOCUMENTED = frozenset(int(code) for code in ExitCode if code != ExitCode.BUG)
# What the API server or a controller draws anew for each cluster.
DRAWN = ("clusterIP", "clusterIPs", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields")
VOLATILE = ("id", "created", "network", "operation", "state")
# Made from pods, which are drawn anew too.
FOLLOWING = ("Event", "ComponentStatus", "Endpoints", "EndpointSlice")
FLUX_LABEL = "kustomize.toolkit.fluxcd.io/name"


@dataclass(frozen=True)
class Ended:
    status: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found

    def said(self) -> str:
        return " ".join(self.err.split())[-500:]


@dataclass(frozen=True)
class Content:
    """What main holds: a few contents, so that each can be seen undisturbed once. `infrastructure` is Terraform's."""

    infrastructure: int = 0
    image: int = 0


@dataclass
class Picture:
    """A cluster as it should look after an undisturbed run, without what is drawn anew each time."""

    record: dict[str, Any]
    head: str
    applied: str
    flux: list[str]
    objects: dict[str, Any]

    def differences(self, other: Picture) -> list[str]:
        found = [
            f"{name} is {vars(self)[name]!r:.300}, undisturbed {vars(other)[name]!r:.300}"
            for name in ("record", "head", "applied", "flux")
            if vars(self)[name] != vars(other)[name]
        ]
        for name in sorted(self.objects.keys() | other.objects.keys()):
            ours, theirs = self.objects.get(name), other.objects.get(name)
            if ours != theirs:
                found.append(f"{name} is {ours!r:.300}, undisturbed {theirs!r:.300}")
        return found


@dataclass
class RealWorld:
    """Our own environment is the world's as long as it lives, so that karrots' own modules look into it too."""

    root: Path
    directory: Path
    serials: dict[str, int] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)

    # Doing

    def start(self, *words: str, path: Path | None = None) -> subprocess.Popen[str]:
        """karrots in the background, its output kept in files; `path` comes first on PATH."""
        env = dict(os.environ) | ({"PATH": f"{path}:{os.environ['PATH']}"} if path else {})
        with (self.root / "out").open("w") as out, (self.root / "err").open("w") as err:
            return subprocess.Popen([*PROGRAM, *words], cwd=self.directory, env=env, stdout=out, stderr=err, text=True)

    def finish(self, process: subprocess.Popen[str]) -> Ended:
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise Wrong(f"a run of karrots did not end in {PATIENCE:.0f} s: {self._said()}") from None
        ended = Ended(process.returncode, (self.root / "out").read_text(), (self.root / "err").read_text())
        if "Traceback" in ended.err or ended.status == ExitCode.BUG:
            raise Wrong(f"a traceback: {ended.said()}")
        return ended

    def _said(self) -> str:
        return " ".join((self.root / "err").read_text().split())[-300:]

    def karrots(self, *words: str, expect: int | None = 0) -> Ended:
        ended = self.finish(self.start(*words))
        if expect is not None and ended.status != expect:
            raise Wrong(f"karrots {' '.join(words)} ended with {ended.status}: {ended.said()}")
        return ended

    def change(self, content: Content) -> None:
        """A commit on main, unless it holds that content already."""
        for file, pattern, text in (
            ("cluster.yaml", r"log_level: .*", f"log_level: level-{content.infrastructure}"),
            ("cluster.yaml", r"count: \d+", f"count: {1 + content.infrastructure}"),
            ("flux/apps/front/deployment.yaml", r"shop/front:\S+", f"shop/front:1.{content.image}.0"),
        ):
            path = self.directory / file
            path.write_text(re.sub(pattern, text, path.read_text()))
        if git(self.directory, "status", "--porcelain"):
            self.karrots("render")
            git(self.directory, "commit", "-qam", f"Content {content.infrastructure}.{content.image}")
            git(self.directory, "push", "-q", "origin", "main")

    def forget_branch(self, branch: str) -> None:
        """So that the number of branches does not grow with the number of runs."""
        for words in (("branch", "-qD", branch), ("push", "-q", "origin", "--delete", branch)):
            subprocess.run(["git", *words], cwd=self.directory, capture_output=True, check=False)

    # Looking

    @property
    def repositories(self) -> tuple[Path, Path]:
        return self.root / "fleet", self.root / "shared.git"

    def view(self) -> View:
        """The ledger where it is shared."""
        shared = self.repositories[1]
        found = git(shared, "for-each-ref", "--format=%(objectname)", REF)
        repo = Repository.discover(self.directory)
        if found and not repo.resolve(found):
            git(self.directory, "fetch", "-q", "origin", f"+{REF}:refs/torture/fleet")
        return View(repo, found or None)

    def record(self, name: str) -> Record | None:
        return self.view().find(name)

    def refs(self) -> dict[str, str]:
        """Branches here and there, by repository and name."""
        found = {}
        for place in self.repositories:
            for line in git(place, "for-each-ref", "--format=%(refname) %(objectname)", "refs/heads").splitlines():
                name, commit = line.split()
                found[f"{place.name}:{name}"] = commit
        return found

    def picture(self, name: str) -> Picture:
        """Raises Wrong for a cluster that is not there."""
        view = self.view()
        record = view.find(name)
        if record is None:
            raise Wrong(f"'{name}' has no record")
        kube = Kube(cluster.access(record.id))
        try:
            objects = dict(_objects(kube))
            ready = [f"{each.label} {each.ready}" for each in flux.state(kube).objects]
        finally:
            kube.close()
        document = {key: value for key, value in record.document().items() if key not in VOLATILE}
        document["applied"] = record.applied.commit if record.applied else None
        document["expires"] = bool(record.expires)
        plain = _neutral(record, {"record": document, "objects": objects})
        head = git(self.directory, "rev-parse", f"refs/heads/{record.branch}")
        return Picture(plain["record"], head, view.applied(name) or "", sorted(ready), plain["objects"])

    def processes(self) -> list[psutil.Process]:
        """Of this world, but for ourselves: by command line, or by where they work."""
        return [found for found in psutil.process_iter() if found.pid != os.getpid() and self._ours(found)]

    def _ours(self, found: psutil.Process) -> bool:
        try:
            words = [*found.cmdline(), found.cwd()]
            return found.status() != psutil.STATUS_ZOMBIE and any(str(self.root) in word for word in words)
        except (psutil.Error, OSError):
            return False

    def passing(self) -> list[psutil.Process]:
        """Processes that are no part of a running cluster: karrots, Terraform, git, the engine's starter."""
        lasting = {c.pid for status in cluster.clusters() for c in status.components}
        found = []
        for process in self.processes():
            with suppress(psutil.Error):
                if lasting.isdisjoint((process.pid, *(parent.pid for parent in process.parents()))):
                    found.append(process)
        return found

    def wait_for_orphans(self) -> None:
        """What a killed karrots left behind ends by itself; raises Wrong when it does not."""
        until = time.monotonic() + ORPHANS
        while left := self.passing():
            if time.monotonic() > until:
                raise Wrong(f"still running {ORPHANS:.0f} s after the kill: {', '.join(map(_command, left))}")
            time.sleep(LOOK_AGAIN)

    # What must hold at any time

    def check(self, before: Mapping[str, str]) -> None:
        """Raises Wrong. `before`: the branches before the command that was killed."""
        self._check_repositories()
        self._check_branches(before)
        self._check_ledger()
        self._check_states()

    def _check_repositories(self) -> None:
        for place in self.repositories:
            words = ["git", "fsck", "--strict", "--no-dangling", "--no-progress"]
            done = subprocess.run(words, cwd=place, capture_output=True, text=True, check=False)
            if done.returncode or done.stdout.strip():
                raise Wrong(f"git fsck in {place.name}: {done.stdout} {done.stderr}")
        changed = git(self.repositories[0], "status", "--porcelain")
        here = git(self.repositories[0], "symbolic-ref", "HEAD")
        if changed or here != "refs/heads/main":
            raise Wrong(f"the work tree was touched: {here} {changed}")

    def _check_branches(self, before: Mapping[str, str]) -> None:
        after = self.refs()
        for name, commit in before.items():
            place = self.root / name.partition(":")[0]
            now = after.get(name)
            if now is None or (now != commit and not (name.endswith(BRANCH) and _holds(place, now, commit))):
                raise Wrong(f"{name} was at {commit[:10]} and is at {now and now[:10]}")
        here, there = (after.get(f"{place.name}:{REF}") for place in self.repositories)
        if here != there and not (there and (here is None or self._follows(there, here))):
            raise Wrong(f"the ledger here ({here}) is no earlier one of the shared one ({there})")

    def _follows(self, there: str, here: str) -> bool:
        return _holds(self.repositories[1], there, here)

    def _check_ledger(self) -> None:
        try:
            view = self.view()
            records = view.records
            view.receipts()
        except KarrotsError as error:
            raise Wrong(f"the ledger cannot be read: {error.message}: {error.why}") from error
        if len(records) != len(view.cluster_names()):
            raise Wrong(f"a folder of the ledger has no record: {view.cluster_names()}")
        for record in records:
            if record.phase == "ready" and record.applied is None:
                raise Wrong(f"'{record.name}' is ready and nothing was applied")
            if record.applied:
                wanted = git(self.directory, "rev-parse", f"{record.applied.commit}:{record.directory}")
                if view.applied(record.name) != wanted:
                    raise Wrong(f"applied/ of '{record.name}' is not the tree of {record.applied.commit[:10]}")

    def _check_states(self) -> None:
        folder = places.terraform_states()
        for place in sorted(folder.iterdir()) if folder.is_dir() else ():
            store = StateStore(place)
            try:
                store.current()
                serial = store.serial or 0
            except KarrotsError as error:
                raise Wrong(f"the state of {place.name} cannot be read: {error.message}: {error.why}") from error
            known = self.serials.get(place.name, 0)
            if serial < known:
                raise Wrong(f"the serial of {place.name} went back from {known} to {serial}")
            self.serials[place.name] = serial

    # What must be so after a destroy

    def held(self, record: Record | None) -> Held:
        if record is None:
            return Held("")
        try:
            return Held(record.id, tuple(cluster.ports_of(record.id)))
        except KarrotsError:
            return Held(record.id)

    def check_gone(self, held: Held) -> None:
        """Raises Wrong when anything of it is left on this computer."""
        taken = [port for port in held.ports if not ports.is_free(port, reuse=True)]
        files = self._unexplained()
        running = [_command(found) for found in self.processes() if held.id and held.id in _command(found)]
        locks = [str(path) for place in self.repositories for path in place.rglob("*.lock")]
        if left := [*map(str, taken), *files, *running, *locks]:
            raise Wrong(f"left after the destroy: {', '.join(left)}")

    def _unexplained(self) -> list[str]:
        """Files that belong to no cluster that lives, and were not there after the first destroy."""
        living = {record.id for record in self.view().records}
        files = {path for path in self.kept_files() if not any(each in path for each in living)}
        self.kept = self.kept or files
        return sorted(files - self.kept)

    def kept_files(self) -> list[str]:
        """All that karrots keeps, but for the folders of its runs."""
        home = self.root / "karrots"
        runs = places.runs()
        return [str(path.relative_to(home)) for path in sorted(home.rglob("*")) if runs not in path.parents]


@dataclass(frozen=True)
class Held:
    """What a cluster held on this computer."""

    id: str
    ports: tuple[int, ...] = ()


def _command(found: psutil.Process) -> str:
    with suppress(psutil.Error):
        return " ".join(found.cmdline())[:200]
    return "?"


def _holds(place: Path, tip: str, other: str) -> bool:
    words = ["git", "merge-base", "--is-ancestor", other, tip]
    return subprocess.run(words, cwd=place, capture_output=True, check=False).returncode == 0


def _neutral(record: Record, document: Any) -> Any:
    """With the cluster's own names taken out."""
    text = json.dumps(document)
    names = {"ID": record.id, "DOMAIN": record.domain, "BRANCH": record.branch, "NETWORK": record.network}
    for label, value in {**names, "NAME": record.name}.items():
        text = re.sub(rf"(?<![\w-]){re.escape(value)}(?![\w-])", label, text) if value else text
    return json.loads(text)


def lasting(labels: dict[str, str] | None) -> dict[str, str]:
    """Without those that the controller of nodes adds some moments after a node is there."""
    return {name: value for name, value in (labels or {}).items() if not name.startswith("beta.")}


def _objects(kube: Kube) -> Iterator[tuple[str, Any]]:
    """All that Flux made, and the nodes: what it says, without what every API server draws for itself."""
    for path, kind in _kinds(kube):
        query = {} if kind == "Node" else {"labelSelector": FLUX_LABEL}
        for found in kube.list(path, **query):
            meta = found["metadata"]
            body = {key: value for key, value in found.items() if key not in ("metadata", "status")}
            yield (
                f"{kind} {meta.get('namespace', '')}/{meta['name']}",
                _undrawn({**body, "labels": lasting(meta.get("labels"))}),
            )


def _kinds(kube: Kube) -> Iterator[tuple[str, str]]:
    groups = (kube.get("/apis") or {}).get("groups", ())
    for base in ("/api/v1", *(f"/apis/{group['preferredVersion']['groupVersion']}" for group in groups)):
        for resource in (kube.get(base) or {}).get("resources", ()):
            if "list" in resource["verbs"] and resource["kind"] not in FOLLOWING:
                yield f"{base}/{resource['name']}", resource["kind"]


def _undrawn(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: _undrawn(value) for key, value in part.items() if key not in DRAWN}
    return [_undrawn(each) for each in part] if isinstance(part, list) else part


@contextmanager
def real_world(folder: Path, engine: Path) -> Iterator[RealWorld]:
    """The shop without its HelmRelease, shared through a bare repository; what runs at the end is ended."""
    with tempfile.TemporaryDirectory(prefix="real-", dir=folder) as name:
        root = Path(name).resolve()
        (root / "tmp").mkdir()
        own = {"KARROTS_ENGINE_BIN": str(engine), "TMPDIR": str(root / "tmp")}
        env = environment.inherited() | environment.settings(root) | own
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        with mock.patch.dict(os.environ, env, clear=True):
            directory = fleets.shop(root, remote=True)
            fleets.without_release(directory)
            git(directory, "push", "-q", "origin", "main")
            world = RealWorld(root, directory)
            try:
                yield world
            finally:
                _end(world)


def _end(world: RealWorld) -> None:
    until = time.monotonic() + ORPHANS
    while (left := world.processes()) and time.monotonic() < until:
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, timeout=1)
