"""Broken and hostile input of every kind: a documented exit code, no traceback, no signal, bounded time and memory."""

from __future__ import annotations

import json
from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING, Any

from karrots.errors import KarrotsError
from tests.support.records import record
from tests.torture import hostile
from tests.torture.cage import at_home, caged, emptied
from tests.torture.frame import Torture, Wrong

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.torture.frame import Place, Run, World

Case = "Callable[[Random], None]"


def alone(case: Callable[[Random], None]) -> World:
    """A world of calls in one process, with a home of its own."""

    @contextmanager
    def world(place: Place) -> Iterator[Run]:
        with caged(lambda seed: case(Random(seed)), lambda: at_home(place.folder / "home")) as cage:
            yield cage

    return world


# YAML that people write


def specifications(random: Random) -> None:
    from karrots.spec import yaml_file
    from karrots.spec.cluster import load_cluster
    from karrots.spec.edit import set_key
    from karrots.spec.fleet import load_fleet

    is_cluster = random.random() < 0.6
    data = hostile.yaml_file(random, hostile.CLUSTER if is_cluster else hostile.FLEET)
    expected(lambda: (load_cluster if is_cluster else load_fleet)(data, "cluster.yaml"))
    found = expected(lambda: yaml_file.documents(data, "flux/x.yaml"))
    if found is not None:
        json.dumps([document.value for document in found])
    if len(data) < 100_000:
        expected(lambda: set_key(data.decode("utf-8-sig", "replace"), "terraform", "ejected"))


def expected(call: Callable[[], Any]) -> Any:
    """What it answers, None when it refuses in a documented way."""
    try:
        return call()
    except KarrotsError as error:
        if not error.message or len(error.message) > 5000:
            raise Wrong(f"a message of {len(error.message)} characters") from error
        return None


# Records and receipts


def records(random: Random) -> None:
    from karrots.cli.texts import fleet_text
    from karrots.fleet import identity, operations
    from karrots.fleet.lineage import forest
    from karrots.fleet.record import from_json, to_json
    from karrots.ops.listing import Fleet, row
    from karrots.report.document import Format, document, dump

    data = hostile.json_text(random, _full_record())
    read = expected(lambda: from_json(data, "clusters/qa/record.json"))
    if read is None:
        return
    if from_json(to_json(read).encode(), "again") != read:
        raise Wrong("what was written is not what was read")
    if read.operation is not None:
        operations.abandoned(read.operation)
    expected(lambda: identity.variables(read, {}))
    identity.terraform_variables(read)
    fleet = Fleet((row(read, {}),))
    fleet_text(fleet, 80)
    for form in (Format.json, Format.yaml):
        dump(document(fleet), form)
    forest([read])


def _full_record() -> dict[str, Any]:
    from karrots.fleet.operations import started_here
    from karrots.fleet.record import Applied, Parent, State

    whole = record(
        "qa",
        network="10.64.0.0/20",
        expires="2026-12-01T00:00:00Z",
        parent=Parent(name="main", id="0" * 26, commit="a" * 40),
        applied=Applied(commit="b" * 40, tool="terraform", tool_version="1.11.4", when="2026-11-21T07:00:00Z"),
        state=State(backend="http", key="x"),
        operation=started_here("branch", "ada@example.com"),
        overrides={"nodes.default.count": "3"},
        extra={"future": {"a": [1]}},
    )
    return whole.document()


# What Terraform says

EVENTS: tuple[dict[str, Any], ...] = (
    {"@level": "info", "@message": "Terraform 1.11.4", "type": "version", "terraform": "1.11.4", "ui": "1.2"},
    {
        "type": "planned_change",
        "change": {"resource": {"addr": "terraform_data.cluster", "module": ""}, "action": "create", "reason": "x"},
    },
    {"type": "resource_drift", "change": {"resource": {"addr": "terraform_data.cluster"}, "action": "update"}},
    {"type": "change_summary", "changes": {"add": 2, "import": 0, "change": 0, "remove": 0, "operation": "plan"}},
    {"type": "apply_start", "hook": {"resource": {"addr": "terraform_data.cluster"}, "action": "create"}},
    {
        "type": "apply_progress",
        "hook": {"resource": {"addr": "terraform_data.cluster"}, "action": "create", "elapsed_seconds": 10},
    },
    {
        "type": "apply_errored",
        "hook": {"resource": {"addr": "terraform_data.cluster"}, "action": "create", "elapsed_seconds": 0.5},
    },
    {
        "type": "provision_progress",
        "hook": {"resource": {"addr": "a.b"}, "provisioner": "local-exec", "output": "up"},
    },
    {
        "type": "diagnostic",
        "@message": "Error: x",
        "diagnostic": {
            "severity": "error",
            "summary": "Invalid function",
            "detail": "There is none.",
            "address": "a.b",
            "range": {"filename": "main.tf", "start": {"line": 3, "column": 1, "byte": 9}},
        },
    },
    {"@level": "info", "@message": "Initializing the backend..."},
)

PLAN: dict[str, Any] = {
    "format_version": "1.2",
    "terraform_version": "1.11.4",
    "variables": {"token": {"value": "topsecret-0"}},
    "resource_changes": [
        {
            "address": "terraform_data.a",
            "change": {
                "actions": ["create"],
                "before": None,
                "after": {"input": {"token": "topsecret-1"}, "list": ["topsecret-2", "plain"]},
                "before_sensitive": False,
                "after_sensitive": {"input": {"token": True}, "list": [True]},
            },
        }
    ],
    "output_changes": {"o": {"actions": ["create"], "before": None, "after": "topsecret-3", "after_sensitive": True}},
    "planned_values": {
        "outputs": {"o": {"sensitive": True, "value": "topsecret-4"}},
        "root_module": {
            "resources": [{"address": "a.b", "values": {"x": "topsecret-5"}, "sensitive_values": {"x": True}}],
            "child_modules": [{"resources": [{"values": {"y": "topsecret-6"}, "sensitive_values": {"y": True}}]}],
        },
    },
}


def events(random: Random) -> None:
    """Lines as they are heard, and what is made of them for people."""
    from karrots.adapters import terraform, terraform_events
    from karrots.report.text import seconds_text

    lines = [hostile.json_text(random, random.choice(EVENTS)) for _ in range(random.randint(1, 6))]
    heard = terraform._Heard(lambda _: None)
    for line in lines:
        expected(lambda line=line: heard(line.decode("utf-8", "replace")))  # type: ignore[misc]
    for event in heard.events:
        event_text(event)
        if isinstance(event, terraform_events.ResourceProgress):
            seconds_text(event.seconds)
    heard.tail()
    terraform._by_address(heard.of(terraform_events.Planned))
    terraform._by_address(heard.of(terraform_events.Drifted))
    errors = [seen.diagnostic for seen in heard.of(terraform_events.DiagnosticSeen)]
    if errors:
        text = terraform._place(errors[0]) + terraform._reason(errors)
        text.splitlines()


def event_text(event: Any) -> None:
    """Every field that is text is text."""
    for name, kind in type(event).__annotations__.items():
        value = getattr(event, name)
        if kind == "str" and not isinstance(value, str):
            raise Wrong(f"{type(event).__name__}.{name} is {value!r}")
        if kind in ("int", "float") and not isinstance(value, (int, float)):
            raise Wrong(f"{type(event).__name__}.{name} is {value!r}")


def plans(random: Random) -> None:
    """A plan as shown holds no secret, however it is broken; a secret that lost its mark is none any more."""
    from karrots.adapters.terraform_values import masked, outputs

    data = hostile.json_text(random, PLAN)
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return
    shown = expected(lambda: masked(document))
    if shown is not None:
        json.dumps(shown)
    expected(lambda: repr(outputs(document)))


def states(random: Random) -> None:
    """Whatever is sent as a state, the last good one can be read back."""
    from karrots.adapters.terraform_store import StateStore
    from tests.support.terraform import lock_info, state

    folder = emptied(scratch())
    store = StateStore(folder / "state")
    store.acquire(lock_info("one"), "ada")
    good = state(3, resources=2)
    store.put(good, "one")
    sent = hostile.json_text(random, json.loads(good))
    kept = expected(lambda: store.put(sent, "one"))
    if store.read() not in ((sent, good) if kept else (good,)):
        raise Wrong("another state is there than was put")
    looks: tuple[Callable[[], Any], ...] = (store.resources, store.outputs, store.tool_version, store.versions)
    for look in looks:
        expected(look)
    store.release("one")
    broken = random.choice(("current", "lock.json", "workers/77.json", f"versions/{store.versions()[-1].path.name}"))
    (folder / "state" / broken).parent.mkdir(exist_ok=True)
    (folder / "state" / broken).write_bytes(_broken_file(random, broken))
    again = StateStore(folder / "state")
    later: tuple[Callable[[], Any], ...] = (again.read, again.lock, again.resources, again.outputs)
    for look in (*later, lambda: again.acquire(lock_info("2"), "ada")):
        expected(look)
    expected(again.release)


def _broken_file(random: Random, name: str) -> bytes:
    pattern = {
        "lock.json": {"id": "1", "holder": "ada", "host": _host(), "pid": 1, "since": "now", "info": {"ID": "1"}},
        "workers/77.json": {"pid": 77, "created": 1.0, "owner": 5, "folder": "/nonexistent"},
    }
    if name in pattern:
        return hostile.json_text(random, pattern[name])
    return hostile.mutated(random, b"0000000003-" + b"0" * 32 + b".json")


def _host() -> str:
    import socket

    return socket.gethostname()


def scratch() -> Path:
    from karrots import places

    return places.state() / "scratch"


ROWS: tuple[Torture, ...] = (
    Torture(
        "fuzz-specifications", "cluster.yaml and karrots.yaml, broken", "refused with a place, or read",
        alone(specifications),
        wanted=4000, usual=2000, slice=40, workers=2,
    ),
    Torture(
        "fuzz-records", "records of clusters, broken", "refused, or read and written as the same", alone(records),
        wanted=3000, usual=2000, slice=60,
    ),
    Torture(
        "fuzz-events", "lines that Terraform says, broken", "read as events or as text", alone(events),
        wanted=3000, usual=2000, slice=60,
    ),
    Torture(
        "fuzz-plans", "plans in JSON, broken", "refused, or shown without secrets", alone(plans),
        wanted=2000, usual=1000, slice=40,
    ),
    Torture(
        "fuzz-states", "Terraform states and the files beside them, broken", "the last good state stays", alone(states),
        wanted=1000, usual=500, slice=15,
    ),
)  # fmt: skip
