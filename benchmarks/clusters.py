"""Rows on real clusters: the engine, branch, sync, destroy, memory."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from benchmarks import fleets
from benchmarks.kwokctl import WAIT, Kwokctl
from benchmarks.row import Contest, Reading, Run, Target, Unit, Wrong, row
from benchmarks.world import Ended, World, program, world
from karrots.adapters.kube import Kube
from karrots.engine import cluster, components

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from benchmarks.row import Bench

# What Flux applies of the shop as fleets.py leaves it.
OBJECTS = 20
# etcd, API server, controller-manager, scheduler, kwok.
BARE = 5
AT_ONCE = 5
SETTLE_SECONDS = 3.0
LIVE_SECONDS = 30.0
LOOK_SECONDS = 0.02


class Engine:
    """Clusters without karrots' verbs around them, as Terraform's provisioner starts them."""

    def __init__(self, made: World) -> None:
        self.world = made
        self.repository = fleets.shop(made).parents[1] / ".git"
        self._numbers = itertools.count()

    def up(self) -> tuple[float, float]:
        """Seconds until the API server answered, and until all was started; the cluster is checked and gone."""
        cluster_id = f"bench-{next(self._numbers)}"
        words = ["up", "--id", cluster_id, "--name", cluster_id, "--repository", str(self.repository), "--nodes", "1"]
        try:
            answered, ended = self._timed([sys.executable, "-m", "karrots.engine", *words])
            self._check(cluster_id)
            return answered, ended
        finally:
            cluster.down(cluster_id)

    def _timed(self, argv: list[str]) -> tuple[float, float]:
        began, answered = time.perf_counter(), 0.0
        with subprocess.Popen(argv, cwd=self.world.root, stdout=subprocess.PIPE, text=True) as child:
            for line in child.stdout or ():
                if line.startswith("API server answers"):
                    answered = time.perf_counter() - began
        seconds = time.perf_counter() - began
        if child.returncode or not answered:
            raise Wrong(f"karrots.engine up ended with {child.returncode}")
        return answered, seconds

    def _check(self, cluster_id: str) -> None:
        status = cluster.inspect(cluster_id)
        if status is None or not status.alive:
            raise Wrong("not all components run")
        kube = Kube(cluster.access(cluster_id))
        try:
            answer = kube.request("GET", "/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations")[0]
            if answer != 200 or len(list(kube.list("/api/v1/nodes"))) != 1:
                raise Wrong("the API server lacks Flux's kinds or the node")
        finally:
            kube.close()


class Shop:
    """Clusters branched from the shop's `main`, and what must be true of them.

    `main` sleeps: copies of it get a fence, and it takes no part of the computer.
    """

    def __init__(self, made: World, *, shared: bool = False) -> None:
        self.world = made
        self.directory = fleets.shop(made, shared=shared)
        self._numbers = itertools.count()
        made.karrots("create", "main", "--wait", "infra", cwd=self.directory)
        made.karrots("engine", "stop", "main", cwd=self.directory)

    def name(self) -> str:
        return f"story-{next(self._numbers)}"

    def branch(self, name: str) -> Ended:
        return self.world.karrots("branch", f"feature/{name}", name, "-o", "json", cwd=self.directory)

    def destroy(self, name: str) -> Ended:
        return self.world.karrots("destroy", name, "--yes", "-o", "json", cwd=self.directory)

    def ids(self) -> dict[str, str]:
        return {found.name: found.id for found in cluster.clusters()}

    def check_ready(self, result: dict[str, Any]) -> None:
        """Flux runs the commit, the objects are there, the copy has a host of its own, the ledger says so."""
        name, commit = result["name"], result["commit"]
        kube = Kube(cluster.access(self.ids()[name]))
        try:
            found = list(kube.list("/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations"))
            ingresses = list(kube.list("/apis/networking.k8s.io/v1/namespaces/shop/ingresses"))
        finally:
            kube.close()
        made = sum(len(one["status"]["inventory"]["entries"]) for one in found)
        if made != OBJECTS or not all(one["status"]["lastAppliedRevision"].endswith(commit) for one in found):
            raise Wrong(f"Flux applied {made} objects, not {OBJECTS}, or another commit")
        if ingresses[0]["spec"]["rules"][0]["host"] != f"shop.{result['domain']}":
            raise Wrong("the copy does not have its own host name")
        record = self.world.git("show", f"karrots/fleet:clusters/{name}/record.json", cwd=self.directory)
        if f'"commit": "{commit}"' not in record or '"phase": "ready"' not in record:
            raise Wrong("the ledger does not say that the cluster is ready")

    def check_gone(self, name: str, cluster_id: str, receipt: dict[str, Any]) -> None:
        if receipt["left"] or receipt["resources"] or not receipt["looked_for"]["processes"]:
            raise Wrong("the receipt names leftovers, or looked for nothing")
        if (
            self.world.processes(f"/{cluster_id}")
            or (self.world.root / "karrots/state/terraform" / cluster_id).exists()
        ):
            raise Wrong("processes or a state are left")
        known = self.world.git("ls-tree", "--name-only", "karrots/fleet", f"clusters/{name}", cwd=self.directory)
        if known:
            raise Wrong("the record is still in the ledger")


PeerRun: TypeAlias = "Callable[[Kwokctl], Reading]"


def peers(bench: Bench, made: World, runs: Mapping[str, PeerRun]) -> dict[str, Run]:
    """Runs of kwokctl by name, each failing with the reason where there is no kwokctl."""
    if bench.kwokctl is None:
        return dict.fromkeys(runs, _failing(bench.no_kwokctl))
    peer = Kwokctl(bench.kwokctl, made)
    return {name: partial(run, peer) for name, run in runs.items()}


def _failing(why: str) -> Run:
    def run() -> Reading:
        raise Wrong(why)

    return run


def started(peer: Kwokctl) -> Reading:
    """All its components run and its API server answers; it is not ready yet."""
    return _create(peer)


def ready(peer: Kwokctl) -> Reading:
    return _create(peer, *WAIT)


def _create(peer: Kwokctl, *more: str) -> Reading:
    name = peer.name()
    try:
        ended = peer.create(name, *more)
        peer.kubectl(name, "get", "--raw", "/api/v1/namespaces")
        if more:
            peer.check_ready(name)
        return Reading(ended.seconds)
    finally:
        peer.delete(name)


@row("engine-api", "engine: API answers, from nothing", Target(most=1.2))
def engine_api(bench: Bench) -> Iterator[Contest]:
    with world(bench.engine) as made:
        engine = Engine(made)
        yield Contest(lambda: Reading(engine.up()[0]))


@row("engine-up", "engine: all started")
def engine_up(bench: Bench) -> Iterator[Contest]:
    with world(bench.engine) as made:
        engine = Engine(made)
        yield Contest(lambda: Reading(engine.up()[1]), peers(bench, made, {"kwokctl create cluster": started}))


@row("branch", "branch, command to Flux Ready", Target(most=5.0, aim=1.0))
def branch(bench: Bench) -> Iterator[Contest]:
    with world(bench.engine) as made:
        yield _branching(bench, Shop(made))


@row("branch-shared", "branch in a fleet with a remote", Target(most=5.0, aim=1.0))
def branch_shared(bench: Bench) -> Iterator[Contest]:
    with world(bench.engine) as made:
        yield _branching(bench, Shop(made, shared=True))


def _branching(bench: Bench, shop: Shop) -> Contest:
    def run() -> Reading:
        name = shop.name()
        ended = shop.branch(name)
        shop.check_ready(ended.document)
        shop.destroy(name)
        return Reading(ended.seconds, journal(shop.world.root / "karrots/state/runs", "branch"))

    others = {"kwokctl create cluster --wait, no GitOps": ready, "kwokctl create cluster, not ready yet": started}
    return Contest(run, peers(bench, shop.world, others))


def journal(runs: Path, verb: str) -> dict[str, float]:
    """Seconds by step of the newest run of a verb."""
    from karrots.pipeline import journal_lines

    for folder in sorted(runs.iterdir(), reverse=True):
        lines = list(journal_lines(folder))
        if lines[0].get("verb") == verb:
            return {line["step"]: line["seconds"] for line in lines if line["what"] == "done"}
    return {}


@row("sync", "sync: a commit is live", Target(most=1.0))
def sync(bench: Bench) -> Iterator[Contest]:
    with world(bench.engine) as made:
        shop = Shop(made)
        name = shop.name()
        shop.check_ready(shop.branch(name).document)
        made.git("switch", "--quiet", f"feature/{name}", cwd=shop.directory)
        story = Story(shop, name)
        peers = {
            "kubectl annotate, until it is live": story.live_by_kubectl,
            "kubectl annotate, kubectl wait": story.by_kubectl,
        }
        yield Contest(story.live_by_karrots, peers)


@row("sync-command", "sync: everything Ready, published, told")
def sync_command(bench: Bench) -> Iterator[Contest]:
    with world(bench.engine) as made:
        shop = Shop(made)
        name = shop.name()
        shop.check_ready(shop.branch(name).document)
        made.git("switch", "--quiet", f"feature/{name}", cwd=shop.directory)
        story = Story(shop, name)
        yield Contest(story.by_karrots, {"kubectl annotate, kubectl wait": story.by_kubectl})


class Story:
    """Commits that change an image, made live in two ways: until it is, and until the command says so."""

    def __init__(self, shop: Shop, name: str) -> None:
        self.shop, self.name = shop, name
        self._numbers = itertools.count(1)
        self._kube = Kube(cluster.access(shop.ids()[name]))
        self._kubeconfig = cluster.kubeconfig(shop.ids()[name])

    def live_by_karrots(self) -> Reading:
        return self._until_live(lambda _: self._karrots())

    def live_by_kubectl(self) -> Reading:
        return self._until_live(self._ask)

    def by_karrots(self) -> Reading:
        image, _ = self._commit()
        ended = self._karrots()
        self._check(image)
        return Reading(ended.seconds)

    def by_kubectl(self) -> Reading:
        """What one would type; it waits for the one Kustomization that has the change."""
        image, commit = self._commit()
        asked = self._ask(image)
        revision = f"feature/{self.name}@sha1:{commit}"
        waiting = f"--for=jsonpath={{.status.lastAppliedRevision}}={revision}"
        waited = self._kubectl("wait", "kustomization/apps", waiting, "--timeout=60s")
        self._check(image)
        return Reading(asked.seconds + waited.seconds)

    def _until_live(self, command: Callable[[str], Ended]) -> Reading:
        """Seconds from the command's start until the Deployment has the image, as another client sees it."""
        image, _ = self._commit()
        began = time.perf_counter()
        with ThreadPoolExecutor(1) as beside:
            running = beside.submit(command, image)
            while self._image() != image and time.perf_counter() - began < LIVE_SECONDS:
                time.sleep(LOOK_SECONDS)
            live = time.perf_counter() - began
            running.result()
        self._check(image)
        return Reading(live)

    def _karrots(self) -> Ended:
        return self.shop.world.karrots("sync", self.name, cwd=self.shop.directory)

    def _ask(self, image: str) -> Ended:
        return self._kubectl("annotate", "gitrepository/flux-system", f"reconcile.fluxcd.io/requestedAt={image}")

    def _kubectl(self, *words: str) -> Ended:
        overwrite = ["--overwrite"] if words[0] == "annotate" else []
        place = [f"--kubeconfig={self._kubeconfig}", "--namespace=flux-system"]
        return self.shop.world.run(self.shop.world.tool("kubectl"), *place, *words, *overwrite)

    def _commit(self) -> tuple[str, str]:
        file = self.shop.directory / "flux/apps/front/deployment.yaml"
        image = f"registry.example.com/front:bench-{next(self._numbers)}"
        text = file.read_text().splitlines(keepends=True)
        at = next(i for i, line in enumerate(text) if "image:" in line)
        text[at] = f"{text[at].partition('image:')[0]}image: {image}\n"
        file.write_text("".join(text))
        self.shop.world.git("commit", "--quiet", "--all", "--message", image, cwd=self.shop.directory)
        return image, self.shop.world.git("rev-parse", "HEAD", cwd=self.shop.directory)

    def _image(self) -> object:
        found = self._kube.get("/apis/apps/v1/namespaces/shop/deployments/front")
        return found and found["spec"]["template"]["spec"]["containers"][0]["image"]

    def _check(self, image: str) -> None:
        if self._image() != image:
            raise Wrong("the commit is not live")


@row("destroy", "destroy, with a receipt", Target(most=3.0))
def destroy(bench: Bench) -> Iterator[Contest]:
    with world(bench.engine) as made:
        shop = Shop(made)

        def run() -> Reading:
            name = shop.name()
            shop.check_ready(shop.branch(name).document)
            cluster_id = shop.ids()[name]
            ended = shop.destroy(name)
            shop.check_gone(name, cluster_id, ended.document)
            return Reading(ended.seconds, journal(made.root / "karrots/state/runs", "destroy"))

        def kill(peer: Kwokctl) -> Reading:
            name = peer.name()
            peer.create(name, *WAIT)
            return Reading(peer.delete(name).seconds)

        yield Contest(run, peers(bench, made, {"kwokctl delete cluster": kill}))


@row("memory", "memory of one cluster", Target(most=2.0**30), unit=Unit.bytes)
def memory(bench: Bench) -> Iterator[Contest]:
    with world(bench.engine) as made:
        shop = Shop(made)

        def run() -> Reading:
            name = shop.name()
            shop.check_ready(shop.branch(name).document)
            time.sleep(SETTLE_SECONDS)
            seen = footprint(made, f"/{shop.ids()[name]}", len(components.ALL))
            shop.destroy(name)
            return seen

        def bare(peer: Kwokctl) -> Reading:
            name = peer.name()
            peer.create(name, *WAIT)
            time.sleep(SETTLE_SECONDS)
            seen = footprint(made, f"/clusters/{name}/", BARE)
            peer.delete(name)
            return seen

        yield Contest(run, peers(bench, made, {"kwokctl cluster, no GitOps": bare}))


def footprint(made: World, needle: str, least: int) -> Reading:
    """Resident bytes of all processes; beside it (Linux) what is theirs alone plus their part of what is shared."""
    found = made.processes(needle)
    if len(found) < least:
        raise Wrong(f"{len(found)} processes run, not {least}")
    full = {process.info["cmdline"][0].rsplit("/", 1)[-1]: process.memory_full_info() for process in found}
    pss = sum(getattr(info, "pss", 0) for info in full.values())
    beside = {"proportional": pss} | {name: info.rss for name, info in full.items()}
    return Reading(sum(info.rss for info in full.values()), beside)


@row("five", f"{AT_ONCE} branches at once, all Ready", Target(most=25.0))
def five(bench: Bench) -> Iterator[Contest]:
    with world(bench.engine) as made:
        shop = Shop(made)

        def run() -> Reading:
            names = [shop.name() for _ in range(AT_ONCE)]
            words = [[str(program()), "branch", f"feature/{name}", name, "-o", "json"] for name in names]
            seconds, outputs = at_once(words, shop.directory)
            for output in outputs:
                shop.check_ready(Ended(seconds, output).document)
            for name in names:
                shop.destroy(name)
            return Reading(seconds)

        def bare(peer: Kwokctl) -> Reading:
            """One after another: started at once they choose the same ports, and most of them fail."""
            names = [peer.name() for _ in range(AT_ONCE)]
            try:
                seconds = sum(peer.create(name, *WAIT).seconds for name in names)
                for name in names:
                    peer.check_ready(name)
            finally:
                for name in names:
                    peer.delete(name)
            return Reading(seconds)

        yield Contest(run, peers(bench, made, {f"{AT_ONCE} x kwokctl create cluster --wait, no GitOps": bare}))


def at_once(commands: list[list[str]], cwd: Path, env: Mapping[str, str] | None = None) -> tuple[float, list[str]]:
    """Seconds until the last has ended well, and what each wrote to stdout. `env` None is our own."""
    with ExitStack() as stack:
        began = time.perf_counter()
        children = [
            stack.enter_context(
                subprocess.Popen(argv, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            )
            for argv in commands
        ]
        ended = [child.communicate() for child in children]
        seconds = time.perf_counter() - began
    for child, (_, errors) in zip(children, ended, strict=True):
        if child.returncode:
            raise Wrong(f"one of {len(commands)} ended with {child.returncode}: {errors[-400:]}")
    return seconds, [out for out, _ in ended]


ROWS = (engine_api, engine_up, branch, branch_shared, sync, sync_command, destroy, memory, five)
