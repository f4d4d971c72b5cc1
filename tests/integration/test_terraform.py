"""The Terraform door with the real tool; roots are made of the built-in terraform_data."""

from __future__ import annotations

import fcntl
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from karrots.adapters import process, terraform, terraform_argv
from karrots.adapters.terraform import Plan, Root, StateLocked, StateUnsaved, Tool, locate
from karrots.adapters.terraform_events import (
    DiagnosticSeen,
    Event,
    Planned,
    ProvisionerSaid,
    ResourceDone,
    ResourceFailed,
    ResourceStarted,
    StateSaved,
    Stopping,
    Summary,
)
from karrots.adapters.terraform_state import StateServer
from karrots.adapters.terraform_store import StateStore
from karrots.adapters.terraform_tool import PROGRAMS
from karrots.adapters.terraform_values import COVER, Output
from karrots.errors import ExitCode, Refused, ToolFailed
from tests.support.terraform import lock_info, root, state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MANY = """
variable "count_of" { type = number }
resource "terraform_data" "one" {
  count = var.count_of
  input = count.index
}
output "how_many" { value = length(terraform_data.one) }
"""

# `first` is quick, `slow` says when it has begun and waits until the file `go` is there, `last` comes after it.
CHAIN = """
resource "terraform_data" "first" {}
resource "terraform_data" "slow" {
  depends_on = [terraform_data.first]
  provisioner "local-exec" {
    command = "echo begun; while [ ! -e go ]; do sleep 0.02; done"
  }
}
resource "terraform_data" "last" {
  depends_on = [terraform_data.slow]
}
"""

FAILING = """
resource "terraform_data" "good" {}
resource "terraform_data" "bad" {
  provisioner "local-exec" {
    command = "echo to the log; [ -e go ]"
  }
}
"""

SECRET = """
variable "password" {
  type      = string
  sensitive = true
}
resource "terraform_data" "holder" { input = var.password }
output "password" {
  value     = var.password
  sensitive = true
}
output "plain" { value = "seen" }
"""

SECRETIVE = """
variable "password" {
  type      = string
  sensitive = true
}
resource "terraform_data" "holder" {
  provisioner "local-exec" {
    command     = "echo $PASSWORD; exit 3"
    environment = { PASSWORD = var.password }
  }
}
"""

# A program that applies until it is killed itself.
APPLIER = """
import sys
from pathlib import Path
from karrots.adapters.terraform import Root, locate
from karrots.adapters.terraform_state import StateServer
with StateServer(Path(sys.argv[2]), "operation 7") as server:
    root = Root(Path(sys.argv[1]), locate(), on_event=lambda event: print(event, flush=True), state=server)
    root.init()
    root.apply(root.plan())
"""


class Listener(list[Event]):
    """Keeps events, and calls `react` when `slow` has begun."""

    react: Callable[[], None] | None = None

    def __call__(self, event: Event) -> None:
        self.append(event)
        if self.react and isinstance(event, ProvisionerSaid) and event.text == "begun":
            self.react()

    def addresses(self, kind: type[ResourceStarted | ResourceDone | ResourceFailed]) -> list[str]:
        return [event.address for event in self if isinstance(event, kind)]


@pytest.fixture(params=[program for program in PROGRAMS if process.find(program)] or ["terraform"])
def tool(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Tool:
    """Each of terraform and tofu that is on this computer."""
    monkeypatch.setenv("KARROTS_TERRAFORM", request.param)
    return locate()


@pytest.fixture
def heard() -> Listener:
    return Listener()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def server(tmp_path: Path, said: list[str]) -> Iterator[StateServer]:
    with StateServer(tmp_path / "state", "operation 1", say=said.append) as running:
        yield running


@pytest.fixture
def make(tmp_path: Path, server: StateServer, heard: Listener, tool: Tool) -> Callable[..., Root]:
    def build(text: str, **variables: object) -> Root:
        made = Root(root(tmp_path / "run", text, variables), tool, on_event=heard, state=server)
        made.init()
        return made

    return build


def resources(store: StateStore) -> set[str]:
    found = (store.current() or {"resources": []})["resources"]
    return {resource["name"] for resource in found}


def terraform_processes(folder: Path) -> list[psutil.Process]:
    return [found for found in psutil.process_iter() if _works_in(found, folder)]


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return Path(process.cwd()) == folder and "apply" in process.cmdline()
    except (psutil.Error, OSError):
        return False


def test_a_whole_life(make: Callable[..., Root], server: StateServer, heard: Listener) -> None:
    made = make(MANY, count_of=3)
    made.validate()
    plan = made.plan()
    assert plan.has_changes
    assert plan.counts == Summary("plan", add=3)
    assert plan.changes == tuple(Planned(f"terraform_data.one[{n}]", "create") for n in range(3))
    assert plan.destructive == ()
    assert made.apply(plan) == Summary("apply", add=3)
    assert sorted(heard.addresses(ResourceStarted)) == [f"terraform_data.one[{n}]" for n in range(3)]
    assert sorted(heard.addresses(ResourceDone)) == [f"terraform_data.one[{n}]" for n in range(3)]
    assert made.outputs() == {"how_many": Output(3)}
    assert not made.plan().has_changes
    (made.folder / "test.auto.tfvars.json").write_text('{"count_of": 2}')
    smaller = made.plan()
    assert [change.address for change in smaller.destructive] == ["terraform_data.one[2]"]
    made.apply(smaller)
    ending = made.plan(destroy=True)
    assert ending.counts.remove == 2
    assert made.apply(ending).remove == 2
    assert server.store.resources() == 0
    assert server.store.lock() is None


def test_outputs_are_the_same_by_the_tool_and_by_the_state(make: Callable[..., Root], server: StateServer) -> None:
    made = make(SECRET, password="hush")
    made.apply(made.plan())
    by_tool = Root(made.folder, made.tool, server.environment())
    assert by_tool.outputs() == made.outputs() == {"password": Output("hush", sensitive=True), "plain": Output("seen")}


def test_secrets_are_in_no_event_log_or_picture(make: Callable[..., Root], heard: Listener) -> None:
    made = make(SECRET, password="hush-hush")
    plan = made.plan()
    shown = made.show(plan)
    assert shown["resource_changes"][0]["change"]["after"]["input"] == COVER
    made.apply(plan)
    shown_state = made.show()
    assert shown_state["values"]["outputs"]["password"]["value"] == COVER
    assert shown_state["values"]["outputs"]["plain"]["value"] == "seen"
    everything = f"{heard} {shown} {shown_state} {made.outputs()} {made.log.read_text()}"
    assert "hush-hush" not in everything


def test_a_failing_provisioner_that_holds_a_secret_tells_none(make: Callable[..., Root], heard: Listener) -> None:
    """Terraform hides its output, and then shows it in the error."""
    made = make(SECRETIVE, password="hunter2-hunter2")
    with pytest.raises(ToolFailed, match=r"apply failed at terraform_data\.holder") as caught:
        made.apply(made.plan())
    assert COVER in caught.value.why
    told = f"{caught.value.why}{caught.value.diagnostics}{list(heard)}{made.log.read_text()}"
    assert "hunter2" not in told
    assert "local-exec provisioner error" in made.log.read_text()
    assert made.log.stat().st_mode & 0o777 == 0o600


def test_files_of_a_run_are_readable_by_their_owner_alone(make: Callable[..., Root]) -> None:
    made = make(SECRET, password="hush")
    plan = made.plan()
    assert {path.stat().st_mode & 0o777 for path in (made.log, plan.file)} == {0o600}


def test_a_failing_provisioner(make: Callable[..., Root], server: StateServer, heard: Listener) -> None:
    made = make(FAILING)
    with pytest.raises(ToolFailed, match=r"apply failed at terraform_data.bad \(main.tf:7\)") as caught:
        made.apply(made.plan())
    error = caught.value
    assert (error.status, error.code) == (1, ExitCode.FAILED)
    assert [(found.address, found.file, found.line) for found in error.diagnostics] == [
        ("terraform_data.bad", "main.tf", 7)
    ]
    assert "exit status 1" in error.why
    assert error.log == made.log
    assert "terraform_data.bad" in heard.addresses(ResourceFailed)
    assert [event.severity for event in heard if isinstance(event, DiagnosticSeen)] == ["error"]
    assert ProvisionerSaid("terraform_data.bad", "local-exec", "to the log") in heard
    assert resources(server.store) == {"good", "bad"}
    assert server.store.lock() is None


def test_going_on_after_a_failure_replaces_what_is_half_made(make: Callable[..., Root]) -> None:
    made = make(FAILING)
    with pytest.raises(ToolFailed):
        made.apply(made.plan())
    (made.folder / "go").touch()
    again = made.plan()
    assert again.destructive == (Planned("terraform_data.bad", "replace", "tainted"),)
    made.apply(again)
    assert not made.plan().has_changes


def test_a_root_that_is_wrong(make: Callable[..., Root], tmp_path: Path, server: StateServer) -> None:
    made = make('output "x" { value = terraform_data.missing.id }')
    with pytest.raises(ToolFailed, match=r"validate failed at main.tf:4") as caught:
        made.validate()
    assert caught.value.diagnostics[0].line == 4
    with pytest.raises(ToolFailed, match=r"plan failed at main.tf:4"):
        made.plan()


def test_a_root_that_is_no_root(tmp_path: Path, tool: Tool, server: StateServer) -> None:
    broken = Root(root(tmp_path / "run", "resource {{{"), tool, state=server)
    with pytest.raises(ToolFailed, match="init failed") as caught:
        broken.init()
    assert caught.value.diagnostics
    assert caught.value.why


def test_a_variable_that_is_not_given_is_an_error_and_not_a_question(make: Callable[..., Root]) -> None:
    made = make(MANY)
    with pytest.raises(ToolFailed, match="plan failed") as caught:
        made.plan()
    assert "count_of" in caught.value.why


def test_a_plan_that_was_exchanged_is_not_applied(make: Callable[..., Root], server: StateServer) -> None:
    made = make(MANY, count_of=1)
    plan = made.plan()
    (made.folder / "test.auto.tfvars.json").write_text('{"count_of": 50}')
    made.plan(out=plan.file)
    with pytest.raises(Refused, match="not the one that was shown"):
        made.apply(plan)
    assert server.store.current() is None


def test_a_plan_is_applied_once(make: Callable[..., Root]) -> None:
    made = make(MANY, count_of=1)
    plan = made.plan()
    made.apply(plan)
    assert not plan.file.exists()
    with pytest.raises(Refused):
        made.apply(plan)


def test_a_plan_older_than_the_state_is_refused(make: Callable[..., Root], server: StateServer) -> None:
    made = make(MANY, count_of=1)
    older = made.plan(out=made.folder / "older.tfplan")
    made.apply(made.plan())
    with pytest.raises(ToolFailed, match="apply failed"):
        made.apply(older)
    assert server.store.lock() is None, "Terraform leaves it held (hashicorp/terraform#28693)"
    assert not made.plan().has_changes


def test_what_the_state_has_lost_is_planned_again(
    make: Callable[..., Root], server: StateServer, tmp_path: Path
) -> None:
    made = make(MANY, count_of=2)
    made.apply(made.plan())
    left = tmp_path / "errored.tfstate"
    current = server.store.current() or {}
    current["resources"][0]["instances"].pop()
    left.write_text(json.dumps(current | {"serial": 9}))
    assert server.store.adopt(left)
    assert made.plan().counts.add == 1


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


def test_an_interrupt_in_the_middle_keeps_the_state(
    make: Callable[..., Root], server: StateServer, heard: Listener
) -> None:
    made = make(CHAIN)
    heard.react = interrupt
    with pytest.raises(KeyboardInterrupt):
        made.apply(made.plan())
    assert Stopping(made._grace) in heard
    assert resources(server.store) == {"first", "slow"}
    assert server.store.lock() is None
    assert not (made.folder / "errored.tfstate").exists()
    heard.react = None
    (made.folder / "go").touch()
    again = made.plan()
    assert [change.address for change in again.destructive] == ["terraform_data.slow"]
    made.apply(again)
    assert resources(server.store) == {"first", "slow", "last"}


def test_a_listener_that_breaks_stops_the_run_and_keeps_the_state(
    make: Callable[..., Root], server: StateServer, heard: Listener
) -> None:
    def broken() -> None:
        raise BrokenPipeError

    made = make(CHAIN)
    heard.react = broken
    with pytest.raises(BrokenPipeError):
        made.apply(made.plan())
    assert resources(server.store) == {"first", "slow"}
    assert server.store.lock() is None


def test_terraform_killed_in_the_middle(make: Callable[..., Root], server: StateServer, heard: Listener) -> None:
    made = make(CHAIN)

    def kill() -> None:
        (victim,) = terraform_processes(made.folder)
        victim.kill()

    heard.react = kill
    with pytest.raises(ToolFailed, match="was ended by SIGKILL") as caught:
        made.apply(made.plan())
    assert caught.value.status == -signal.SIGKILL
    assert server.store.lock() is None, "nobody is left to hold it"
    heard.react = None
    (made.folder / "go").touch()
    made.apply(made.plan())
    assert resources(server.store) == {"first", "slow", "last"}


def test_a_state_that_could_not_be_sent_is_brought_home(
    tmp_path: Path, tool: Tool, server: StateServer, heard: Listener
) -> None:
    folder = root(tmp_path / "run", CHAIN)
    made = Root(folder, tool, on_event=heard, state=server)
    made.init()

    def shut_down() -> None:
        server._listener.shutdown()
        server._listener.server_close()
        (folder / "go").touch()

    heard.react = shut_down
    with pytest.raises(ToolFailed, match="apply failed"):
        made.apply(made.plan())
    assert resources(server.store) == {"first", "slow", "last"}
    assert StateSaved(folder / "errored.tfstate") in heard
    assert not (folder / "errored.tfstate").exists()


def test_a_state_of_another_cluster_is_not_brought_home(make: Callable[..., Root], server: StateServer) -> None:
    made = make(MANY, count_of=1)
    made.apply(made.plan())
    (made.folder / "errored.tfstate").write_bytes(state(99, lineage="other"))
    with pytest.raises(StateUnsaved, match="could not be saved") as caught:
        made.plan()
    assert "another cluster" in caught.value.why
    assert "errored.tfstate" in caught.value.hint
    assert (made.folder / "errored.tfstate").exists()


def test_a_state_is_pushed_where_the_backend_is_not_ours(make: Callable[..., Root], server: StateServer) -> None:
    made = make(MANY, count_of=1)
    made.apply(made.plan())
    current = server.store.current() or {}
    by_tool = Root(made.folder, made.tool, server.environment())
    left = made.folder / "errored.tfstate"
    left.write_text(json.dumps(current | {"serial": 99}))
    assert by_tool.save_state() is True
    assert not left.exists()
    assert (server.store.serial or 0) >= 98
    assert by_tool.save_state() is False
    left.write_text(json.dumps(current | {"serial": 9, "outputs": {}}))
    with pytest.raises(StateUnsaved):
        by_tool.save_state()


def test_we_are_killed_in_the_middle(tmp_path: Path, tool: Tool, heard: Listener, said: list[str]) -> None:
    """Terraform is told to stop, leaves its state in a file, and the next run, in another folder, brings it home."""
    folder = root(tmp_path / "run", CHAIN)
    applier = subprocess.Popen(
        [sys.executable, "-c", APPLIER, str(folder), str(tmp_path / "state")], stdout=subprocess.PIPE, text=True
    )
    assert applier.stdout is not None
    for line in applier.stdout:
        if "text='begun'" in line:
            break
    (running,) = terraform_processes(folder)
    applier.kill()
    applier.communicate()
    psutil.wait_procs([running])
    assert (folder / "errored.tfstate").exists()
    with StateServer(tmp_path / "state", "operation 8", say=said.append) as server:
        (folder / "go").touch()
        again = Root(root(tmp_path / "second", CHAIN), tool, on_event=heard, state=server)
        (again.folder / "go").touch()
        again.init()
        plan = again.plan()
        assert [change.address for change in plan.destructive] == ["terraform_data.slow"]
        again.apply(plan)
        assert resources(server.store) == {"first", "slow", "last"}
    assert "took over the state lock of operation 7" in said[0]
    assert said[1].endswith(f"{folder}/errored.tfstate")


def test_a_lock_held_by_somebody_else(
    make: Callable[..., Root], tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terraform_argv, "LOCK_TIMEOUT", "0s")
    made = make(MANY, count_of=1)
    holder = StateStore(tmp_path / "state")
    holder.acquire(lock_info("theirs"), "ada@example, operation 7")
    with pytest.raises(StateLocked, match="ada@example, operation 7") as caught:
        made.plan()
    assert caught.value.code == ExitCode.LOCKED
    assert [line for line in said if "ada@example" in line]
    holder.release()
    assert made.plan().has_changes


def test_a_thousand_resources(make: Callable[..., Root], server: StateServer) -> None:
    made = make(MANY, count_of=1000)
    assert made.apply(made.plan()).add == 1000
    assert server.store.resources() == 1000
    assert made.apply(made.plan(destroy=True)).remove == 1000
    assert server.store.resources() == 0


def test_the_environment_of_the_user_does_not_bend_our_arguments(
    make: Callable[..., Root], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_CLI_ARGS", "-no-such-flag")
    monkeypatch.setenv("TF_CLI_ARGS_plan", "-destroy")
    monkeypatch.setenv("TF_WORKSPACE", "elsewhere")
    monkeypatch.setenv("TF_VAR_count_of", "7")
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", "/no/such/file")
    made = make(MANY, count_of=2)
    assert made.plan().counts == Summary("plan", add=2)
    assert "CLI configuration" not in made.log.read_text()


def test_a_provisioner_finds_the_python_that_runs_us(make: Callable[..., Root], heard: Listener) -> None:
    made = make(
        """
resource "terraform_data" "engine" {
  provisioner "local-exec" { command = "exec \\"$${KARROTS_PYTHON}\\" -c 'import karrots, sys; print(sys.executable)'" }
}
"""
    )
    made.apply(made.plan())
    assert ProvisionerSaid("terraform_data.engine", "local-exec", sys.executable) in heard


def test_variables_stay_literal(make: Callable[..., Root], heard: Listener, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("leaked")
    hostile = '${file("../secret.txt")}'
    made = make('variable "name" { type = string }\noutput "name" { value = var.name }', name=hostile)
    made.apply(made.plan())
    assert made.outputs()["name"].value == hostile


def test_init_waits_while_another_fills_the_provider_cache(
    tmp_path: Path, tool: Tool, server: StateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_PLUGIN_CACHE_DIR", str(tmp_path / "providers"))
    made = Root(root(tmp_path / "run", MANY, {"count_of": 1}), tool, state=server)
    stream = made._stream

    def while_initialising(verb: str, argv: list[str], accepted: Sequence[int]) -> terraform._Heard:
        with (tmp_path / "providers" / ".karrots-init.lock").open() as guard, pytest.raises(BlockingIOError):
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return stream(verb, argv, accepted)

    monkeypatch.setattr(made, "_stream", while_initialising)
    made.init()
    with (tmp_path / "providers" / ".karrots-init.lock").open() as guard:
        fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_two_runs_in_two_folders_on_two_states(tmp_path: Path, tool: Tool) -> None:
    def life(name: str) -> Plan:
        with StateServer(tmp_path / name / "state", name) as server:
            made = Root(root(tmp_path / name / "run", MANY, {"count_of": 5}), tool, state=server)
            made.init()
            plan = made.plan()
            made.apply(plan)
            assert server.store.resources() == 5
            return plan

    assert life("one").counts == life("two").counts
