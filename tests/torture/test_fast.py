"""The fast world: whole stories in it, and that its Terraform and its engine behave as the real ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from karrots import places
from karrots.adapters import terraform_argv, terraform_state
from karrots.adapters.terraform import Root, StateLocked
from karrots.adapters.terraform_events import (
    Event,
    Planned,
    ProvisionerSaid,
    ResourceDone,
    ResourceFailed,
    StateSaved,
    Stopping,
    Summary,
)
from karrots.adapters.terraform_state import StateServer
from karrots.adapters.terraform_store import StateStore
from karrots.adapters.terraform_tool import locate
from karrots.engine import cluster, folder, processes
from karrots.errors import ExitCode, ToolFailed
from karrots.render import terraform as rendering
from karrots.spec.cluster import load_cluster
from tests.support import repositories
from tests.support.engine import eventually, runs
from tests.support.terraform import lock_info
from tests.torture import fast
from tests.torture import zygote as zygotes
from tests.torture.fast import FastWorld, fast_world
from tests.torture.zygote import Zygote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CLUSTER, PLANE = "terraform_data.cluster", "terraform_data.control_plane"
STARTER = """
import time
from tests.torture.zygote import Zygote
print(Zygote.start().pid, flush=True)
time.sleep(60)
"""
CLUSTER_YAML = b"""
apiVersion: karrots.dev/v1
kind: Cluster
provider: local
kubernetes: "1.36"
nodes: {default: {count: 2}}
"""


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote.start() as started:
        yield started


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, zygote: Zygote) -> Iterator[FastWorld]:
    with fast_world(tmp_path_factory.mktemp("fast") / "world", zygote=zygote) as made:
        yield made


@pytest.fixture
def world(shared: FastWorld) -> Iterator[FastWorld]:
    shared.restore()
    yield shared
    shared.end_processes()


def succeed(world: FastWorld, *words: str) -> str:
    ended = world.karrots(*words)
    assert (ended.status, ended.signal) == (0, 0), ended.err
    return ended.err


def story(world: FastWorld) -> str:
    """A cluster, a copy of it, a change of the copy; answers what the copy means then."""
    succeed(world, "create")
    succeed(world, "branch", "feature/story", "story")
    world.git("switch", "-q", "feature/story")
    world.commit("clusters/qa/flux/apps/hello/note.yaml", "# changed\n")
    assert "restarted" not in succeed(world, "apply", "story")
    world.git("switch", "-q", "main")
    return world.tree_hash("story")


def test_a_whole_story_leaves_nothing(world: FastWorld) -> None:
    story(world)
    assert world.left() == []
    assert {record.phase for record in world.records().values()} == {"ready"}
    assert world.branches().keys() == {"main", "feature/story", "karrots/fleet"}
    assert world.karrots("destroy", "qa", "--yes").status == ExitCode.REFUSED
    succeed(world, "destroy", "story", "--yes")
    succeed(world, "destroy", "qa", "--yes")
    assert world.records() == {}
    assert world.left() == []
    assert world.processes() == []
    assert world.fsck() == ""


def test_flux_runs_what_the_branch_holds(world: FastWorld) -> None:
    succeed(world, "create")
    tree = world.tree("qa")
    names = {label for label in tree["objects"] if label.startswith("Kustomization/")}
    assert names == {f"Kustomization/flux-system/{name}" for name in ("flux-system", "services", "apps")}
    world.commit("clusters/qa/flux/kustomization.yaml", "resources:\n  - services.yaml\n")
    succeed(world, "sync", "qa")
    changed = world.tree("qa")["objects"]
    assert "Kustomization/flux-system/apps" not in changed
    assert changed["GitRepository/flux-system/flux-system"]["revision"].endswith(world.branches()["main"])


def test_the_same_story_means_the_same(world: FastWorld) -> None:
    succeed(world, "create")
    succeed(world, "branch", "feature/story", "story")
    first = world.tree("story")
    world.restore()
    succeed(world, "create")
    succeed(world, "branch", "feature/story", "story")
    assert world.tree("story") == first
    world.git("branch", "-f", "feature/story", world.commit("README", "more"))
    assert world.tree("story") != first


def test_a_shared_fleet(tmp_path: Path, zygote: Zygote) -> None:
    with fast_world(tmp_path / "world", remote=True, zygote=zygote) as made:
        succeed(made, "create")
        succeed(made, "branch", "feature/story", "story")
        both = {"karrots/fleet", "feature/story"}
        assert both <= made.branches(remote=True).keys()
        assert {made.branches()[name] for name in both} == {made.branches(remote=True)[name] for name in both}
        succeed(made, "destroy", "story", "--yes")
        succeed(made, "destroy", "qa", "--yes")
        assert made.left() == []
        assert made.fsck(remote=True) == ""


def test_two_worlds_at_once(world: FastWorld, tmp_path: Path, zygote: Zygote) -> None:
    with fast_world(tmp_path / "other", zygote=zygote) as other:
        running = [each.begin("create") for each in (world, other)]
        assert [each.wait().status for each in running] == [0, 0]
        assert world.tree("qa") == other.tree("qa")
        other.restore()
        assert other.processes() == []
        assert world.left() == []
        succeed(world, "destroy", "qa", "--yes")


def test_what_is_left_is_seen(world: FastWorld) -> None:
    succeed(world, "create")
    (name,) = world.records()
    world.git("update-ref", "-d", fast.LEDGER)
    (world.fleet / ".git" / "index.lock").touch()
    (world.folder / "tmp" / "forgotten").touch()
    left = world.left()
    assert name == "qa"
    for kind in ("cluster of the engine", "Terraform state", "process", "git's", "temporary file forgotten"):
        assert [line for line in left if line.startswith(kind)], f"no {kind} in {left}"
    (world.state / ".host.4711.new").touch()
    assert world.litter() == ["state/.host.4711.new"]
    world.restore()
    assert world.left() == []


def test_karrots_killed_in_the_middle_goes_on(world: FastWorld) -> None:
    world.fault("hold", "serve.start")
    running = world.begin("create")
    eventually(lambda: api_starts(world.state))
    assert (ended := fast.kill(running)).signal == signal.SIGKILL, ended
    world.go_on()
    eventually(lambda: world.at_work() == [])
    succeed(world, "create")
    assert world.left() == []
    succeed(world, "destroy", "qa", "--yes")
    assert world.left() == []


@pytest.mark.parametrize("stage", ["up.ports", "up.pki", "up.server", "tf.created", "tf.post", "tf.posted"])
def test_a_half_made_cluster_is_made_whole(world: FastWorld, stage: str) -> None:
    """The fast programs can be told to die at a stage, and karrots' own code mends it as it would a real one."""
    world.fault("kill", stage)
    assert world.karrots("create").status == ExitCode.FAILED
    assert not world.go_on(), "it did not come by there"
    succeed(world, "create")
    assert world.left() == []
    assert world.records()["qa"].phase == "ready"


@pytest.mark.parametrize("stage", ["tf.post", "up.access", "up.done"])
def test_what_a_killed_terraform_could_not_tell_of_is_destroyed(world: FastWorld, stage: str) -> None:
    """Its state is empty, and the cluster is there all the same."""
    world.fault("kill", stage)
    assert world.karrots("create").status == ExitCode.FAILED
    succeed(world, "destroy", "qa", "--yes")
    assert world.left() == []
    assert world.records() == {}


# The zygote


def test_a_child_is_a_process_of_its_own(zygote: Zygote, shared: FastWorld, tmp_path: Path) -> None:
    ended = zygote.run(["version", "-o", "json"], tmp_path, shared.env)
    assert ended.status == 0, ended.err
    assert ended.document["apiVersion"] == "karrots.dev/v1"
    wrong = zygote.run(["ls"], tmp_path, shared.env)
    assert (wrong.status, wrong.signal) == (ExitCode.USAGE, 0)
    assert str(tmp_path) in wrong.err
    assert zygote.run(["nothing"], tmp_path, shared.env).pid != zygote.pid


def test_children_die_with_the_zygote(world: FastWorld) -> None:
    with Zygote.start() as own:
        world.fault("hold", "serve.start")
        running = own.begin(["create"], world.qa, world.env)
        eventually(lambda: api_starts(world.state))
        child = psutil.Process(running.pid)
        assert os.getsid(running.pid) == running.pid
    assert running.wait().signal == signal.SIGKILL
    assert not child.is_running()


def test_the_zygote_dies_with_whoever_started_it() -> None:
    starter = subprocess.Popen([sys.executable, "-c", STARTER], stdout=subprocess.PIPE, text=True, cwd=zygotes.ROOT)
    assert starter.stdout is not None
    with starter:
        started = psutil.Process(int(starter.stdout.readline()))
        starter.kill()
    psutil.wait_procs([started], timeout=5)
    assert not started.is_running()


# Terraform, the real one and the fast one


@dataclass
class Terraform:
    """One tool on the local provider's root, with what it says and what it asks of the backend."""

    root: Root
    server: StateServer
    heard: list[Event]
    asked: list[tuple[str, int]]
    cluster_id: str

    def values(self, **changed: Any) -> None:
        file = self.root.folder / rendering.IDENTITY_FILE
        file.write_text(json.dumps(json.loads(file.read_text()) | changed))

    def nodes(self, count: int) -> None:
        file = self.root.folder / "cluster.auto.tfvars.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"nodes": {"default": {"count": count}}}))

    def fault(self, text: str) -> None:
        (Path(os.environ["KARROTS_HOME"]) / fast.FAULT).write_text(text)

    def go_on(self) -> None:
        (Path(os.environ["KARROTS_HOME"]) / fast.FAULT).unlink(missing_ok=True)

    def resources(self) -> dict[str, str]:
        found = (self.server.store.current() or {"resources": []})["resources"]
        return {each["name"]: each["instances"][0].get("status", "") for each in found}

    def when_the_api_starts(self, act: Callable[[], object]) -> threading.Thread:
        """`act` in a thread, in the middle of an apply that is held."""

        def wait() -> None:
            eventually(lambda: api_starts(places.state()))
            act()

        thread = threading.Thread(target=wait)
        thread.start()
        return thread


def api_starts(state: Path) -> bool:
    """The engine has begun to start an API server: something of the cluster exists, and not all of it."""
    return any(state.glob("engine/clusters/*/logs/kube-apiserver.log"))


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Terraform]]:
    """Terraform by name, `terraform` or `fast`; both find the fast programs for the engine's."""
    opened: list[StateServer] = []
    asked: list[tuple[str, int]] = []
    send = terraform_state._Handler._send

    def noted(self: Any, answer: Any) -> None:
        asked.append((self.command, int(answer.status)))
        send(self, answer)

    monkeypatch.setattr(terraform_state._Handler, "_send", noted)
    monkeypatch.setenv("KARROTS_ENGINE_BIN", str(fast.programs()))

    def make(kind: str) -> Terraform:
        monkeypatch.setenv("KARROTS_TERRAFORM", kind if kind == "terraform" else str(fast.programs() / "terraform"))
        monkeypatch.setenv("KARROTS_HOME", str(tmp_path / kind))
        made = terraform_of(tmp_path / kind, asked)
        opened.append(made.server)
        return made

    yield make
    for server in opened:
        server.__exit__()
    for kind in ("terraform", "fast"):
        monkeypatch.setenv("KARROTS_HOME", str(tmp_path / kind))
        (tmp_path / kind / fast.FAULT).unlink(missing_ok=True)
        for place in folder.every():
            cluster.down(place.path.name)


def terraform_of(home: Path, asked: list[tuple[str, int]]) -> Terraform:
    heard: list[Event] = []
    run = home / "run"
    run.mkdir(parents=True)
    spec = load_cluster(CLUSTER_YAML, "cluster.yaml", {})
    for path, text in rendering.render(spec, places.templates() / "local").items():
        (run / path).write_text(text)
    repository = repositories.repository(home / "fleet")
    identity = dict.fromkeys(("network", "branch", "parent", "owner", "expires", "domain"), "")
    values = {f"cluster_{name}": value for name, value in identity.items()} | {
        "cluster_id": "01abc",
        "cluster_name": "qa",
        "repository": str(repository.git_dir),
        "engine_home": str(places.engine_clusters()),
    }
    (run / rendering.IDENTITY_FILE).write_text(json.dumps(values))
    server = StateServer(home / "tfstate", "operation 1").__enter__()
    root = Root(run, locate(), {"TF_HTTP_RETRY_MAX": "0"}, heard.append, state=server)
    root.init()
    return Terraform(root, server, heard, asked, "01abc")


@pytest.fixture(params=["terraform", "fast"])
def terraform(request: pytest.FixtureRequest, build: Callable[[str], Terraform]) -> Terraform:
    return build(request.param)


def life(made: Terraform) -> dict[str, Any]:
    """All that can be seen of a life from the outside, without what is different each time."""
    made.asked.clear()
    plans = []

    def applied(**words: Any) -> None:
        plan = made.root.plan(**words)
        plans.append((plan.changes, plan.counts, plan.has_changes, plan.drift))
        made.root.apply(plan)

    applied()
    state = made.server.store.current() or {}
    outputs = {name: str(value.value).rpartition("/")[2] for name, value in made.root.outputs().items()}
    eventually(lambda: runs(made.cluster_id))
    applied()  # nothing has changed
    applied(replace=[PLANE])
    made.nodes(3)
    applied()
    grown = cluster.inspect(made.cluster_id)
    assert grown is not None
    assert grown.nodes == 3
    applied(destroy=True)
    assert cluster.inspect(made.cluster_id) is None
    applied(destroy=True)  # there is nothing
    return {
        "plans": plans,
        "events": [lasting(event) for event in made.heard if not isinstance(event, ProvisionerSaid)],
        "asked": list(made.asked),
        "outputs": outputs,
        "state": shape(state),
        "serial": made.server.store.serial,
        "files": sorted(path.name for path in made.root.folder.iterdir() if not path.name.startswith(".")),
    }


def lasting(event: Event) -> Event:
    return replace(event, seconds=0.0) if isinstance(event, ResourceDone | ResourceFailed) else event


def shape(value: Any) -> Any:
    """A state with ids and texts blanked; structure, kinds and numbers stay."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return "text" if isinstance(value, str) and value not in ("string", "number", "object", "managed") else value


def test_both_live_the_same_life(build: Callable[[str], Terraform]) -> None:
    real, quick = life(build("terraform")), life(build("fast"))
    for aspect, seen in real.items():
        if aspect == "events":
            seen = [event for event in seen if "builtin" not in str(event)]
        assert quick[aspect] == seen, aspect


def test_a_lock_held_by_somebody_else(terraform: Terraform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terraform_argv, "LOCK_TIMEOUT", "0s")
    holder = StateStore(terraform.server.store.folder)
    holder.acquire(lock_info("theirs"), "ada@example.com, operation 7")
    with pytest.raises(StateLocked, match="operation 7"):
        terraform.root.plan()
    holder.release()
    assert terraform.root.plan().has_changes


def test_an_interrupt_in_the_middle_keeps_the_state(terraform: Terraform) -> None:
    plan = terraform.root.plan()
    terraform.fault("hold serve.start")
    thread = terraform.when_the_api_starts(lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        terraform.root.apply(plan)
    thread.join()
    terraform.go_on()
    assert [event for event in terraform.heard if isinstance(event, Stopping)]
    assert [event.address for event in terraform.heard if isinstance(event, ResourceFailed)] == [PLANE]
    assert terraform.resources() == {"cluster": "", "control_plane": "tainted"}
    assert terraform.server.store.lock() is None
    assert terraform.server.store.serial == 2, "once when it was told to stop, once at the end"
    again = terraform.root.plan()
    assert again.changes == (Planned(PLANE, "replace", "tainted"),)
    terraform.root.apply(again)
    eventually(lambda: runs(terraform.cluster_id))


def test_a_state_that_could_not_be_sent_is_brought_home(terraform: Terraform) -> None:
    plan = terraform.root.plan()
    terraform.fault("hold serve.start")

    def shut_down() -> None:
        terraform.server._listener.shutdown()
        terraform.server._listener.server_close()
        terraform.go_on()

    thread = terraform.when_the_api_starts(shut_down)
    with pytest.raises(ToolFailed, match="apply failed") as caught:
        terraform.root.apply(plan)
    thread.join()
    assert "Failed to save state" in caught.value.why
    assert terraform.resources() == {"cluster": "", "control_plane": ""}
    assert StateSaved(terraform.root.folder / "errored.tfstate") in terraform.heard
    assert terraform.server.store.serial == 1


def test_killed_in_the_middle(terraform: Terraform) -> None:
    """The state knows nothing; the provisioner outlives Terraform, and the next run goes on from what it made."""
    plan = terraform.root.plan()
    terraform.fault("hold serve.start")

    def kill() -> None:
        for found in psutil.process_iter(["ppid", "cmdline"]):  # asked for so, one that just ended is passed over
            if found.info["ppid"] == os.getpid() and "apply" in (found.info["cmdline"] or ()):
                found.kill()

    thread = terraform.when_the_api_starts(kill)
    with pytest.raises(ToolFailed, match="was ended by SIGKILL"):
        terraform.root.apply(plan)
    thread.join()
    terraform.go_on()
    assert terraform.resources() == {}
    assert terraform.server.store.lock() is None
    again = terraform.root.plan()
    assert again.counts == Summary("plan", add=2)
    terraform.root.apply(again)
    eventually(lambda: runs(terraform.cluster_id))
    terraform.root.apply(terraform.root.plan(destroy=True))
    assert cluster.strays() == []


def test_an_engine_that_refuses(terraform: Terraform) -> None:
    terraform.values(repository="/nowhere")
    with pytest.raises(ToolFailed, match=r"apply failed at terraform_data.control_plane \(main.tf:\d+\)") as caught:
        terraform.root.apply(terraform.root.plan())
    assert "/nowhere is not a git directory" in caught.value.why
    assert terraform.resources() == {"cluster": "", "control_plane": "tainted"}


def test_a_plan_older_than_the_state_is_refused(terraform: Terraform) -> None:
    older = terraform.root.plan(out=terraform.root.folder / "older.tfplan")
    terraform.values(repository="/nowhere")
    with pytest.raises(ToolFailed):
        terraform.root.apply(terraform.root.plan())
    with pytest.raises(ToolFailed, match="apply failed") as caught:
        terraform.root.apply(older)
    assert "stale" in caught.value.why
    assert terraform.server.store.lock() is None


# The engine, made by the fast provisioner and mended by the real one


def test_the_real_engine_takes_over_what_the_fast_one_made(world: FastWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in world.env.items():
        monkeypatch.setenv(name, value)
    succeed(world, "create")
    (record,) = world.records().values()
    before = world.tree("qa")
    assert cluster.tend(record.id) == []
    state = folder.of(record.id).load()
    assert state is not None
    processes.kill([found for known in state.processes.values() if (found := processes.find(known))])
    assert "restarted etcd" in succeed(world, "apply", "qa")
    assert world.tree("qa") == before, "its objects were kept"
    assert world.left() == []
    succeed(world, "destroy", "qa", "--yes")
    assert world.left() == []
