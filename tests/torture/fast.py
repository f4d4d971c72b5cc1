"""A world in which a whole create, branch, apply and destroy take milliseconds.

git, files, processes and karrots are real. Terraform and the engine's programs are `fastworld` (see its main.go), which
speaks the same protocols and keeps its world in files. test_fast.py holds it against the real ones.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psutil

from karrots import places
from karrots.engine import assets, components, recipe
from karrots.fleet.record import Record, from_json
from karrots.render.fleet import FleetOptions, render
from tests.support import environment, golang
from tests.torture.zygote import Ended, Running, Zygote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

SOURCES = Path(__file__).parent / "fastworld"
LEDGER = "refs/heads/karrots/fleet"
# Where the fast programs can be told to go wrong: in Terraform, in the engine's up and down, in an API server.
FAULT = "fastworld.fault"
# Names the programs for those who have another home than this computer's, where they would be built anew.
PROGRAMS = "FASTWORLD_PROGRAMS"
STAGES = (
    "tf.init", "tf.locked", "tf.plan", "tf.created", "tf.post", "tf.posted", "tf.unlock",
    "up.start", "up.ports", "up.pki", "up.access", "up.server", "up.done",
    "down.start", "down.ended", "down.done", "serve.start",
)  # fmt: skip
# Flux's kinds, as far as anybody asks for them.
KINDS = (
    ("source.toolkit.fluxcd.io", "v1", "gitrepositories", "GitRepository"),
    ("source.toolkit.fluxcd.io", "v1", "helmcharts", "HelmChart"),
    ("source.toolkit.fluxcd.io", "v1", "helmrepositories", "HelmRepository"),
    ("kustomize.toolkit.fluxcd.io", "v1", "kustomizations", "Kustomization"),
    ("helm.toolkit.fluxcd.io", "v2", "helmreleases", "HelmRelease"),
)
# What tree_hash reads of a cluster.
SHOWN = (
    "/api/v1/namespaces",
    "/api/v1/nodes",
    "/api/v1/configmaps",
    "/api/v1/secrets",
    "/apis/source.toolkit.fluxcd.io/v1/gitrepositories",
    "/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations",
)
# Fields of a record that differ between two runs that mean the same.
VOLATILE = ("id", "created", "expires", "state", "host_id")
# The pattern's commit is the same one everywhere.
DATES = {"GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z"}
PATIENCE = 10.0


@cache
def programs() -> Path:
    """The folder of the fast programs, built once on this computer and kept beside the engine's.

    It passes for a folder of engine programs (KARROTS_ENGINE_BIN), and holds `terraform` too.
    """
    built = os.environ.get(PROGRAMS)
    if built:
        return Path(built)
    go = golang.of_this_computer()
    state = hashlib.sha256(f"{go.version_text} {recipe.digest(recipe.engine())} {KINDS}".encode())
    for path in sorted(SOURCES.iterdir()):
        state.update(f"\0{path.name}\0".encode() + path.read_bytes())
    folder = _cache() / "fastworld" / state.hexdigest()[:24]
    if not folder.is_dir():
        _build(go.program, go.environment(("-trimpath", "-buildvcs=false"), offline=True), folder)
    return folder


def _cache() -> Path:
    """karrots' cache on this computer; a test has another home."""
    kept = {name: golang.ENVIRONMENT[name] for name in ("HOME", "XDG_CACHE_HOME") if name in golang.ENVIRONMENT}
    named = golang.ENVIRONMENT.get("KARROTS_HOME")
    if named:
        return Path(named) / "cache"
    return Path(kept.get("XDG_CACHE_HOME") or Path(kept["HOME"]) / ".cache") / "karrots"


def _build(go: str, env: Mapping[str, str], folder: Path) -> None:
    """Beside its place first, so that two builders do not meet: the later one finds it done."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    home = {"HOME": golang.ENVIRONMENT["HOME"]}
    with tempfile.TemporaryDirectory(prefix=".build-", dir=folder.parent) as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        subprocess.run([go, "build", "-o", str(made / "fastworld"), "."], cwd=SOURCES, env={**env, **home}, check=True)
        for name in ("terraform", *(program.name for program in recipe.engine().programs)):
            (made / name).symlink_to("fastworld")
        (made / assets.CRDS).write_text(json.dumps([_kind(*each) for each in KINDS]))
        (made / assets.STAGES).write_text("")
        versions = recipe.versions(recipe.engine().modules)
        files = {path.name: path.stat().st_size for path in made.iterdir()}
        (made / assets.VERSIONS).write_text(json.dumps({"versions": versions, "files": files, "go": "fast"}))
        with suppress(OSError):
            made.rename(folder)


def _kind(group: str, version: str, plural: str, kind: str) -> dict[str, Any]:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "names": {"plural": plural, "kind": kind},
            "scope": "Namespaced",
            "versions": [{"name": version, "served": True, "storage": True}],
        },
    }


@dataclass(frozen=True)
class FastWorld:
    """`folder` holds all of it. `fleet` is the repository, `remote` a bare one it shares, or None."""

    folder: Path
    remote: Path | None
    zygote: Zygote
    env: dict[str, str]

    @property
    def fleet(self) -> Path:
        return self.folder / "fleet"

    @property
    def qa(self) -> Path:
        return self.fleet / "clusters" / "qa"

    @property
    def home(self) -> Path:
        return Path(self.env["KARROTS_HOME"])

    @property
    def state(self) -> Path:
        return self.home / "state"

    # Doing

    def karrots(self, *argv: str, cwd: Path | None = None, timeout: float = 120.0, **env: str) -> Ended:
        return self.begin(*argv, cwd=cwd, **env).wait(timeout)

    def begin(self, *argv: str, cwd: Path | None = None, **env: str) -> Running:
        return self.zygote.begin(argv, cwd or self.qa, self.env | env)

    def git(self, *words: str, at: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *words], cwd=at or self.fleet, env=self.env, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def commit(self, path: str, text: str, message: str = "Change") -> str:
        """A file's new text, committed on the branch that is checked out; answers the commit."""
        file = self.fleet / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        self.git("add", path)
        self.git("commit", "-qm", message)
        return self.git("rev-parse", "HEAD")

    def fault(self, action: str, stage: str) -> None:
        """hold, kill or fail at one of STAGES (world.go, `at`)."""
        file = self.home / FAULT
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_suffix(".new")
        beside.write_text(f"{action} {stage}")
        beside.replace(file)

    def go_on(self) -> bool:
        """Take the fault away; False when it has struck already."""
        with suppress(FileNotFoundError):
            (self.home / FAULT).unlink()
            return True
        return False

    def restore(self) -> None:
        """Everything as it was at the beginning."""
        self.go_on()
        self.end_processes()
        shutil.rmtree(self.state, ignore_errors=True)
        for name in ("fleet", "remote.git", "tmp"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        (self.folder / "tmp").mkdir()
        shutil.copytree(self.folder / "pattern" / "fleet", self.fleet, symlinks=True)
        if self.remote is not None:
            shutil.copytree(self.folder / "pattern" / "remote.git", self.remote, symlinks=True)

    def end_processes(self) -> None:
        """Kill whatever runs for this world, until nothing does (a process may be starting another)."""
        end = time.monotonic() + PATIENCE
        while (left := self.processes()) and time.monotonic() < end:
            for each in left:
                with suppress(psutil.NoSuchProcess):
                    each.kill()
            psutil.wait_procs(left, timeout=1)

    # Looking

    def processes(self) -> list[psutil.Process]:
        """All that run for this world: whose words, settings or folder are in it."""
        mark = os.fsencode(self.folder) + b"/"
        ours = (os.getpid(), self.zygote.pid)
        found = [pid for pid in psutil.pids() if pid not in ours]
        return list(_alive(pid for pid in found if _mentions(pid, mark)))

    def at_work(self) -> list[psutil.Process]:
        """Those of them that are no component of a cluster: karrots' own programs, which end by themselves."""
        home = self.state / "engine" / "clusters"
        return [found for found in self.processes() if not components.owner(_words(found), home)]

    def records(self) -> dict[str, Record]:
        """The ledger's records by name, read with git alone."""
        done = self._git_quietly("ls-tree", "-r", "--name-only", LEDGER, "clusters/")
        paths = [path for path in done.splitlines() if path.endswith("/record.json") and path.count("/") == 2]
        return {path.split("/")[1]: from_json(self.git("cat-file", "blob", f"{LEDGER}:{path}"), path) for path in paths}

    ledger = records

    def branches(self, *, remote: bool = False) -> dict[str, str]:
        """Commit by branch, the ledger's among them."""
        at = self.remote if remote else self.fleet
        listed = self.git("for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/heads", at=at)
        return dict(line.split(" ", 1) for line in listed.splitlines())

    def _git_quietly(self, *words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=self.fleet, env=self.env, capture_output=True, text=True, check=False
        )
        return done.stdout

    def fsck(self, *, remote: bool = False) -> str:
        """What git has to say against the repository; '' when it is whole."""
        done = subprocess.run(
            ["git", "fsck", "--strict", "--no-dangling", "--no-progress"],
            cwd=self.remote if remote else self.fleet, env=self.env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return (done.stdout + done.stderr).strip()

    def left(self) -> list[str]:
        """What exists although no record says so, and what should never outlast a command."""
        known = {record.id for record in self.records().values()}
        return [
            *self._left_folders(known),
            *self._left_files(known),
            *self._left_processes(known),
        ]

    def litter(self) -> list[str]:
        """Files that were to replace another and did not get to it; `karrots doctor --repair` is who removes them."""
        return sorted(
            str(path.relative_to(self.home))
            for path in self.state.rglob(".*")
            if re.fullmatch(r"\..+\.\d+(\.new|\.[0-9a-f]{8})?", path.name)
        )

    def _left_folders(self, known: set[str]) -> Iterator[str]:
        for kind, place in (("cluster of the engine", "engine/clusters"), ("Terraform state", "terraform")):
            for path in _inside(self.state / place):
                if path.name not in known:
                    yield f"{kind} {path.name}"
        for place in ("kubeconfigs", "footprints"):
            for path in _inside(self.state / place):
                if path.stem not in known:
                    yield f"{place} {path.name}"

    def _left_files(self, known: set[str]) -> Iterator[str]:
        for path in _inside(self.state / "engine" / "locks"):
            yield f"lock of the engine {path.name}"
        for path in _inside(self.folder / "tmp"):
            yield f"temporary file {path.name}"
        for cluster_id in known:
            folder = self.state / "terraform" / cluster_id
            found = [folder / "lock.json", *folder.glob("workers/*.json"), *folder.rglob(".*.new")]
            yield from (f"of the Terraform state {path.relative_to(self.state)}" for path in found if path.exists())
        for path in self.state.glob("runs/*/terraform/errored.tfstate"):
            yield f"unsaved Terraform state {path.relative_to(self.state)}"
        for repository in (self.fleet / ".git", *([self.remote] if self.remote else [])):
            yield from _left_in(repository)

    def _left_processes(self, known: set[str]) -> Iterator[str]:
        meant = {pid for cluster_id in known for pid in self._cluster_pids(cluster_id)}
        for found in self.processes():
            if found.pid not in meant:
                yield f"process {found.pid}: {' '.join(_words(found))[:200]}"

    def _cluster_pids(self, cluster_id: str) -> set[int]:
        try:
            state = json.loads((self.state / "engine" / "clusters" / cluster_id / "state.json").read_bytes())
            return {int(entry["pid"]) for entry in state["processes"].values()}
        except (OSError, ValueError, KeyError):
            return set()

    def tree_hash(self, name: str) -> str:
        """What a finished create or branch means, whatever its ids, times and ports are."""
        text = json.dumps(self.tree(name), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def tree(self, name: str) -> dict[str, Any]:
        """What tree_hash is of, for people who look why two differ."""
        record = self.records()[name]
        branches = self.branches()
        remote = self.branches(remote=True).get(record.branch) if self.remote else None
        return {
            "branch": branches.get(record.branch),
            "remote branch": remote,
            "record": _lasting(record.document()),
            "applied": self.git("rev-parse", f"{LEDGER}:clusters/{name}/applied"),
            "objects": self.objects(record),
            "state": self._resources(record),
            "fsck": self.fsck() + (self.fsck(remote=True) if self.remote else ""),
        }

    def _resources(self, record: Record) -> list[str]:
        folder = self.state / "terraform" / record.id
        try:
            state = json.loads((folder / "versions" / (folder / "current").read_text()).read_bytes())
        except OSError:
            return []
        return sorted(
            f"{each['name']} {instance.get('status', '')}"
            for each in state["resources"]
            for instance in each["instances"]
        )

    def objects(self, record: Record) -> dict[str, Any]:
        """Names and specs of what is in the cluster's API server, secrets and identity blanked."""
        access = json.loads((self.state / "engine" / "clusters" / record.id / "access.json").read_bytes())
        shown = {}
        with api(access) as ask:
            for path in SHOWN:
                for item in ask(path)["items"]:
                    meta = item["metadata"]
                    label = f"{item['kind']}/{meta.get('namespace', '')}/{meta['name']}"
                    shown[label] = _blanked(item, record)
        return shown


def _inside(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _left_in(repository: Path) -> Iterator[str]:
    for folder, _, files in os.walk(repository):
        for name in files:
            if name.endswith(".lock") or name.startswith(("tmp_", ".tmp-", "incoming-")):
                yield f"git's {(Path(folder) / name).relative_to(repository.parent)}"


def _mentions(pid: int, mark: bytes) -> bool:
    """Read as bytes: this goes through every process of the computer, several times for each run."""
    place = Path(f"/proc/{pid}")
    for name in ("cmdline", "environ"):
        with suppress(OSError):
            if mark in (place / name).read_bytes().replace(b"\0", b"/"):
                return True
    with suppress(OSError):
        return os.fsencode((place / "cwd").readlink() / "_").startswith(mark)
    return False


def _alive(pids: Iterable[int]) -> Iterator[psutil.Process]:
    for pid in pids:
        with suppress(psutil.Error):
            found = psutil.Process(pid)
            if found.status() != psutil.STATUS_ZOMBIE:
                yield found


def _words(found: psutil.Process) -> list[str]:
    try:
        return found.cmdline()
    except psutil.Error:
        return []


def _lasting(record: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in record.items() if key not in VOLATILE}
    kept["operation"] = bool(record["operation"])
    kept["applied"] = {key: value for key, value in (record["applied"] or {}).items() if key != "when"}
    kept["parent"] = {key: value for key, value in (record["parent"] or {}).items() if key != "id"}
    return kept


def _blanked(item: dict[str, Any], record: Record) -> Any:
    spec = json.loads(json.dumps(item.get("spec", {})))
    if "url" in spec:
        spec["url"] = urlsplit(spec["url"]).path
    data = {
        key: "" if item["kind"] == "Secret" or key in _OWN else value for key, value in item.get("data", {}).items()
    }
    status = item.get("status", {})
    revision = status.get("lastAppliedRevision") or status.get("artifact", {}).get("revision")
    return {"spec": spec, "data": data, "revision": revision}


_OWN = ("cluster_id", "cluster_expires")


@contextmanager
def api(access: Mapping[str, str]) -> Iterator[Any]:
    """A function that answers what a GET of a path does, with the certificates that access.json names."""
    context = ssl.create_default_context(cadata=access["ca"])
    context.load_cert_chain(access["certificate"], access["key"])
    place = urlsplit(access["server"])
    connection = http.client.HTTPSConnection(place.hostname or "", place.port, timeout=30, context=context)

    def ask(path: str) -> dict[str, Any]:
        connection.request("GET", path)
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
        return answer

    try:
        yield ask
    finally:
        connection.close()


@contextmanager
def fast_world(folder: Path, *, remote: bool = False, zygote: Zygote | None = None) -> Iterator[FastWorld]:
    """A world in `folder`, which is made and left empty of processes; `zygote` may serve several worlds."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("home", "tmp", "pattern"):
        (folder / name).mkdir()
    own = zygote or Zygote.start()
    world = FastWorld(folder, folder / "remote.git" if remote else None, own, _environment(folder))
    try:
        _make_pattern(world)
        world.restore()
        yield world
    finally:
        world.end_processes()
        if zygote is None:
            own.stop()


def _environment(folder: Path) -> dict[str, str]:
    built = programs()
    own = {
        "KARROTS_TERRAFORM": str(built / "terraform"),
        "KARROTS_ENGINE_BIN": str(built),
        "TMPDIR": str(folder / "tmp"),
    }
    return environment.inherited() | environment.settings(folder / "home") | own


def _make_pattern(world: FastWorld) -> None:
    """The repository that restore copies: made once, with few files, as each restore pays for all of them."""
    root = world.folder / "pattern" / "fleet"
    for path, text in render(FleetOptions(), places.templates()).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    env = world.env | DATES

    def git(*words: str) -> None:
        subprocess.run(["git", *words], cwd=root, env=env, check=True, capture_output=True)

    git("init", "-q", "-b", "main", "--template=")
    git("add", "--all")
    git("commit", "-qm", "Begin")
    git("repack", "-adq")
    if world.remote is not None:
        git("clone", "-q", "--bare", "--template=", str(root), str(root.parent / "remote.git"))
        git("remote", "add", "origin", str(world.remote))


def kill(running: Running) -> Ended:
    running.send(signal.SIGKILL)
    return running.wait()


def usage(ended: Sequence[Ended]) -> tuple[float, float]:
    """Mean seconds and CPU seconds of some runs."""
    return sum(e.seconds for e in ended) / len(ended), sum(e.cpu for e in ended) / len(ended)
