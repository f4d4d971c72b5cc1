"""Marked secrets through every verb, failures included; then a search for them wherever they should not be."""

from __future__ import annotations

import base64
import os
import random
import stat
import subprocess
import sys
import threading
import zipfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import TYPE_CHECKING
from unittest import mock

import psutil

from karrots import places
from karrots.errors import ExitCode
from tests.support.private_host import PrivateHost, command_lines, private_host
from tests.support.repositories import git
from tests.torture.frame import Torture, Wrong
from tests.torture.real_world import PROGRAM, RealWorld, real_world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from tests.torture.frame import Place

LOOK_SECONDS = 0.02
# Handed over by the user, each on a way of its own.
GIVEN = (
    "address", "wrong address", "askpass", "GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "TF_TOKEN_fleet_example",
    "TF_VAR_handed_over", "proxy", "terraform", "provisioner", "kubernetes", "crash",
)  # fmt: skip
# Below the folder of karrots' state: what is meant to hold secrets, all of it for its owner alone.
PRIVATE = (
    "terraform/*/versions/*.json",
    "terraform/*/by-hand/address.json",
    "terraform/*/by-hand/terraform.tfstate",
    "kubeconfigs/*.json",
    "engine/clusters/*/access.json",
    "engine/clusters/*/kubeconfig",
    "engine/clusters/*/git-token",
    "engine/clusters/*/pki/*",
    "engine/clusters/*/etcd/*",
)
ROOT = """
locals {{ secret = sensitive(file("{folder}/terraform")) }}
resource "terraform_data" "holder" {{
  input = local.secret
  provisioner "local-exec" {{
    command     = "echo \\"$SECRET\\"; {end}"
    environment = {{ SECRET = sensitive(file("{folder}/provisioner")) }}
  }}
  triggers_replace = "{end}"
}}
output "secret" {{
  value     = terraform_data.holder.input
  sensitive = true
}}
"""
# A bug that has an address with a log-in in its hands.
CRASH = """
import sys
from pathlib import Path
from karrots import app
from karrots.adapters.git import Repository
def broken(*_):
    raise RuntimeError("cannot parse " + Path(sys.argv.pop()).read_text())
Repository.branch_commit = Repository.head = Repository.resolve = Repository.remote = broken
sys.exit(app.run(sys.argv[1:-1]))
"""


@dataclass
class Markers:
    """Secret texts by where they come from. What is looked for is their core, as it stands or in base64."""

    cores: dict[str, str]

    @classmethod
    def drawn(cls, dice: random.Random) -> Markers:
        return cls({name: f"Qz{dice.getrandbits(96):024x}" for name in GIVEN})

    def value(self, name: str) -> str:
        """With all that shells, templates and line-wise readers trip over."""
        return f"$HOME ${{x}} '\"ü\n{self.cores[name]}\nlast"

    def found_in(self, data: bytes) -> set[str]:
        return {name for name, core in self.cores.items() if any(form in data for form in _forms(core))}


def _forms(core: str) -> list[bytes]:
    raw = core.encode()
    return [raw, *(base64.b64encode(b"-" * shift + raw)[4:-4] for shift in range(3))]


@dataclass
class Watch:
    """Sees command lines while karrots is at work, and learns the password of each state backend."""

    passwords: set[str] = field(default_factory=set)
    lines: set[str] = field(default_factory=set)
    over: threading.Event = field(default_factory=threading.Event)

    def look(self) -> None:
        while not self.over.wait(LOOK_SECONDS):
            self.lines |= command_lines()
            for process in psutil.process_iter(["name"]):
                if process.info["name"] in ("terraform", "tofu"):
                    with suppress(psutil.Error):
                        self.passwords.add(process.environ().get("TF_HTTP_PASSWORD", ""))


@contextmanager
def watched() -> Iterator[Watch]:
    watch = Watch()
    thread = threading.Thread(target=watch.look, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        watch.over.set()
        thread.join()


@dataclass
class Canary:
    world: RealWorld
    host: PrivateHost
    markers: Markers
    hits: set[str] = field(default_factory=set)
    kept: set[str] = field(default_factory=set)

    def search(self, where: str, data: bytes) -> None:
        self.hits |= {f"{name}: {where}" for name in self.markers.found_in(data)}

    def say(self, verb: str, *words: str, expect: int = ExitCode.DONE, **settings: str) -> bytes:
        """One verb with all it can say, which is searched."""
        spoken = [verb, "-vv", *words] if verb == "run" else [verb, *words, "-vv"]
        return self._done([*PROGRAM, *spoken], " ".join((verb, *words)), expect, settings)

    def _done(self, argv: list[str], title: str, expect: int, settings: Mapping[str, str]) -> bytes:
        env = {**os.environ, **settings}
        done = subprocess.run(argv, cwd=self.world.directory, env=env, capture_output=True, timeout=180, check=False)
        said = done.stdout + done.stderr
        self.search(f"what karrots {title} said", said)
        if done.returncode != expect:
            self.hits.add(f"karrots {title} ended with {done.returncode}: {said[-1500:].decode('utf-8', 'replace')}")
        return said

    # What the user hands over

    @property
    def given(self) -> Path:
        return self.world.root / "given"

    def give(self) -> None:
        self.given.mkdir(mode=0o700)
        for name in GIVEN:
            (self.given / name).write_text(self.markers.value(name))
        answer = self.given / "answer.sh"
        answer.write_text(f"#!/bin/sh\ncase $1 in User*) echo ada ;; *) echo {self.markers.cores['askpass']} ;; esac\n")
        answer.chmod(0o700)
        (self.given / "crash").write_text(f"http://ada:{self.markers.cores['crash']}@127.0.0.1:9/")

    def point_to(self, address: str) -> None:
        """By hand, because git would show the address among its arguments."""
        config = self.world.root / "fleet/.git/config"
        lines = (line for line in config.read_text().splitlines() if not line.strip().startswith("url ="))
        kept = "\n".join(lines).replace('[remote "origin"]', f'[remote "origin"]\n\turl = {address}')
        config.write_text(kept + "\n")

    def root(self, end: str) -> None:
        """A root of the user's own that holds secrets; its provisioner ends in `end`."""
        (self.world.directory / "terraform/secret.tf").write_text(ROOT.format(folder=self.given, end=end))
        git(self.world.directory, "add", "-A", ".")
        git(self.world.directory, "commit", "-qm", f"Secrets, and {end}")

    # The verbs

    def story(self) -> None:
        self.say("eject")
        self.root("true")
        self.point_to(self.host.url(self.markers.cores["address"]))
        self.say("doctor")
        self.say("create", "qa")
        self.learn("qa")
        self.say("branch", "feature/secret", "qa-secret")
        secret = ("create", "secret", "generic", "marked", f"--from-file=it={self.given / 'kubernetes'}")
        self.say("run", "qa", "--", "kubectl", *secret)
        self.looks()
        self.failures()
        self.root("true ")
        self.say("apply", "qa")
        self.say("sync", "qa")
        self.search_processes()
        self.search_files()
        if not {"terraform", "kubernetes"} <= self.kept:
            raise Wrong(f"the search does not even find what is in the state and in etcd: {self.kept}")
        self.say("destroy", "qa-secret", "--yes")
        self.say("destroy", "qa", "--yes", "-o", "json")

    def looks(self) -> None:
        for form in ("text", "json"):
            for words in (
                ("ls", "--fetch"), ("status",), ("show", "qa"), ("tree",), ("diff", "qa", "qa-secret"),
                ("identity", "qa"), ("env", "qa"), ("kubeconfig", "qa"), ("logs",), ("lint",), ("version",),
                ("engine", "list"), ("engine", "status"), ("engine", "logs", "qa"),
            ):  # fmt: skip
                self.say(*words, "-o", form)
        self.say("create", "qa", "--dry-run")
        self.say("render", expect=ExitCode.USAGE)
        self.say("run", "qa", "--", "terraform", "-chdir=terraform", "init", "-input=false")
        self.say("run", "qa", "--", "terraform", "-chdir=terraform", "output")

    def failures(self) -> None:
        self.root("exit 3")
        self.say("apply", "qa", expect=ExitCode.FAILED)
        self.point_to(self.host.url(self.markers.cores["wrong address"]))
        self.say("ls", "--fetch", expect=ExitCode.LOGIN_NEEDED)
        self.say("apply", "qa", expect=ExitCode.LOGIN_NEEDED)
        self.point_to(f"http://ada:{self.markers.cores['wrong address']}@127.0.0.1:9/shared.git")
        self.say("ls", "--fetch", expect=ExitCode.FAILED)
        self.point_to(self.host.url())
        self.host.password = self.markers.cores["askpass"]
        self.say("ls", "--fetch", GIT_ASKPASS=str(self.given / "answer.sh"))
        self.host.password = self.markers.cores["address"]
        crash = [sys.executable, "-c", CRASH, "ls", "--fetch", "-vv", str(self.given / "crash")]
        self._done(crash, "ls, which is broken,", ExitCode.BUG, {})
        self.point_to(self.host.url(self.markers.cores["address"]))

    def learn(self, name: str) -> None:
        """Secrets that karrots drew itself."""
        record = self.world.record(name)
        assert record is not None
        folder = places.engine_clusters() / record.id
        self.markers.cores["token of the git server"] = (folder / "git-token").read_text().strip()
        for key in folder.glob("pki/*.key"):
            self.markers.cores[f"key {key.name}"] = key.read_text().splitlines()[1]

    # The search

    def search_processes(self) -> None:
        for line in self.host.seen:
            self.search(f"command line {line[:120]!a}", os.fsencode(line))

    def search_files(self) -> None:
        for path in sorted(self.world.root.rglob("*")):
            if path.is_file() and not path.is_symlink() and self._is_searched(path):
                for name, data in _contents(path):
                    self.search(f"file {name.relative_to(self.world.root)}", data)
        for place in self.world.repositories:
            words = ["git", "cat-file", "--batch-all-objects", "--batch", "--buffer"]
            done = subprocess.run(words, cwd=place, capture_output=True, check=True)
            self.search(f"objects of {place.name}", done.stdout)

    def _is_searched(self, path: Path) -> bool:
        """All but what the user wrote, and what is meant to hold secrets when nobody else can read it."""
        if path.is_relative_to(self.given) or path == self.world.root / "fleet/.git/config":
            return False
        below = path.relative_to(places.state()) if path.is_relative_to(places.state()) else None
        if below is None or not any(fnmatch(str(below), pattern) for pattern in PRIVATE):
            return True
        if not is_private(path):
            self.hits.add(f"others may read {below}")
        self.kept |= self.markers.found_in(path.read_bytes())
        return False


def is_private(path: Path) -> bool:
    """The file is its owner's alone, or a folder above it is."""
    return any(stat.S_IMODE(os.lstat(place).st_mode) & 0o077 == 0 for place in (path, path.parent))


def _contents(path: Path) -> Iterator[tuple[Path, bytes]]:
    """The file, and each part of an archive (as saved plans are)."""
    yield path, path.read_bytes()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                yield path / name, archive.read(name)


def settings(markers: Markers) -> dict[str, str]:
    """The user's environment."""
    named = ("GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "TF_TOKEN_fleet_example", "TF_VAR_handed_over")
    proxy = f"http://ada:{markers.cores['proxy']}@127.0.0.1:9"
    return {name: markers.cores[name] for name in named} | {"HTTPS_PROXY": proxy, "https_proxy": proxy}


@contextmanager
def secrets(place: Place) -> Iterator[Callable[[int], None]]:
    def run(seed: int) -> None:
        markers = Markers.drawn(random.Random(seed))
        with real_world(place.folder, place.engine) as world, private_host(world.root, "") as host:
            host.password = markers.cores["address"]
            git(world.root / "shared.git", "config", "http.receivepack", "true")
            canary = Canary(world, host, markers)
            canary.give()
            with mock.patch.dict(os.environ, settings(markers)), watched() as watch:
                canary.story()
            markers.cores |= {f"password {n} of the state": text for n, text in enumerate(watch.passwords - {""})}
            host.seen |= watch.lines
            canary.search_processes()
            canary.search_files()
            place.notes["secrets looked for, of them drawn by karrots"] = (
                f"{len(markers.cores)}, {len(markers.cores) - len(GIVEN)}"
            )
            place.notes["command lines seen"] = str(len(host.seen))
        if canary.hits:
            raise Wrong("\n".join(sorted(canary.hits)))

    yield run


ROWS: tuple[Torture, ...] = (
    Torture(
        name="secrets",
        title="marked secrets through every verb, failures included",
        promise="in no argument list, log, journal, report, plan, git object, temporary file, cache or output",
        world=secrets,
        wanted=5,
        usual=1,
        slice=1,
    ),
)
