from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karrots import files
from karrots.adapters import terraform_store
from karrots.adapters.terraform_store import StateFenced, StateLocked, StateMalformed, StateRefused, StateStore
from karrots.adapters.terraform_values import Output
from karrots.errors import ExitCode, Failed
from tests.support.terraform import LINEAGE, lock_info, state

if TYPE_CHECKING:
    from pathlib import Path

HOLDER = """
import sys
from pathlib import Path
from karrots.adapters.terraform_store import StateStore
store = StateStore(Path(sys.argv[1]))
store.acquire({"ID": "theirs", "Operation": "OperationTypeApply"}, "operation 7")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def store(tmp_path: Path) -> StateStore:
    return StateStore(tmp_path / "state" / "one")


@pytest.fixture
def locked(store: StateStore) -> StateStore:
    store.acquire(lock_info("one"), "operation 1")
    return store


WORKED_FOR = """
import sys
from pathlib import Path
from karrots.adapters.terraform_store import StateStore
store = StateStore(Path(sys.argv[1]))
store.acquire({"ID": "theirs"}, "operation 7")
store.begin_work(int(sys.argv[2]), Path(sys.argv[3]))
"""


def abandoned(store: StateStore, worker: int, folder: Path) -> None:
    """A holder that has died while the process `worker` worked for it in `folder`."""
    subprocess.run([sys.executable, "-c", WORKED_FOR, str(store.folder), str(worker), str(folder)], check=True)


def holder(folder: Path) -> subprocess.Popen[str]:
    """Another process that holds the lock."""
    other = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    return other


def kill(other: subprocess.Popen[str]) -> None:
    other.send_signal(signal.SIGKILL)
    other.communicate()


def test_nothing_yet(store: StateStore) -> None:
    assert store.current() is None
    assert store.serial is None
    assert store.lineage is None
    assert store.resources() == 0
    assert store.outputs() == {}
    assert store.versions() == []
    assert store.lock() is None
    assert store.remove() == 0
    assert not store.folder.exists(), "reading makes nothing"


def test_what_was_put_is_what_counts(locked: StateStore) -> None:
    found = {"key": {"value": "hush", "type": "string", "sensitive": True}}
    locked.put(state(1, resources=3, outputs=found), "one")
    assert locked.read() == state(1, resources=3, outputs=found)
    assert (locked.serial, locked.lineage, locked.resources()) == (1, LINEAGE, 3)
    assert locked.outputs() == {"key": Output("hush", sensitive=True)}
    assert locked.tool_version() == "1.11.4"
    assert StateStore(locked.folder).current() == locked.current()


def test_every_version_is_kept_in_order(locked: StateStore) -> None:
    for serial in (1, 2, 10, 11):
        locked.put(state(serial), "one")
    assert [version.serial for version in locked.versions()] == [1, 2, 10, 11]
    assert locked.versions()[0].path.read_bytes() == state(1)
    assert locked.versions()[0].written <= locked.versions()[-1].written


def test_only_so_many_versions_are_kept(locked: StateStore) -> None:
    for serial in range(terraform_store.KEPT_VERSIONS + 5):
        locked.put(state(serial), "one")
    kept = [version.serial for version in locked.versions()]
    assert kept == list(range(5, terraform_store.KEPT_VERSIONS + 5))


def test_files_are_readable_by_their_owner_alone(locked: StateStore) -> None:
    locked.put(state(1), "one")
    everything = [locked.folder, *locked.folder.rglob("*")]
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in everything}
    assert {mode & 0o077 for mode in modes.values()} == {0}, modes


def test_an_older_serial_is_refused(locked: StateStore) -> None:
    locked.put(state(5), "one")
    with pytest.raises(StateRefused, match="older") as caught:
        locked.put(state(4), "one")
    assert "serial is 4" in caught.value.why
    assert locked.serial == 5


def test_the_same_serial_with_other_content_is_refused(locked: StateStore) -> None:
    locked.put(state(5), "one")
    with pytest.raises(StateRefused, match="older"):
        locked.put(state(5, resources=1), "one")


def test_the_same_write_may_come_twice(locked: StateStore) -> None:
    locked.put(state(5), "one")
    locked.put(state(5), "one")
    assert len(locked.versions()) == 1


def test_another_lineage_is_refused(locked: StateStore) -> None:
    locked.put(state(1), "one")
    with pytest.raises(StateRefused, match="another cluster"):
        locked.put(state(2, lineage="other"), "one")


def test_a_forgotten_state_may_be_followed_by_any(store: StateStore) -> None:
    store.acquire(lock_info("one"), "x")
    store.put(state(7), "one")
    store.release()
    store.forget()
    assert store.current() is None
    assert len(store.versions()) == 1
    store.acquire(lock_info("two"), "x")
    store.put(state(1, lineage="other"), "two")
    assert store.lineage == "other"


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{}", b"[]", b"null", b"\xff", b'{"serial": 1}', b'{"serial": "1", "lineage": "x"}',
        b'{"serial": -1, "lineage": "x"}', b'{"serial": 1, "lineage": ""}', b"[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_state_is_refused(locked: StateStore, data: bytes) -> None:
    with pytest.raises(StateMalformed):
        locked.put(data, "one")
    assert locked.versions() == []


def test_a_write_needs_the_lock(store: StateStore) -> None:
    with pytest.raises(StateRefused, match="without holding the lock"):
        store.put(state(1), "")
    store.acquire(lock_info("one"), "x")
    with pytest.raises(StateLocked):
        store.put(state(1), "two")


def test_a_lock_says_whose_it_is(locked: StateStore) -> None:
    found = StateStore(locked.folder).lock()
    assert found is not None
    assert (found.id, found.holder, found.pid) == ("one", "operation 1", os.getpid())
    with pytest.raises(StateLocked, match="operation 1") as caught:
        StateStore(locked.folder).acquire(lock_info("two"), "operation 2")
    assert caught.value.code == ExitCode.LOCKED
    assert "apply since" in caught.value.why
    assert str(os.getpid()) in caught.value.why


def test_a_lock_is_taken_once_even_by_its_holder(locked: StateStore) -> None:
    with pytest.raises(StateLocked):
        locked.acquire(lock_info("two"), "operation 1")


def test_release_gives_it_back(locked: StateStore) -> None:
    with pytest.raises(StateLocked):
        locked.release("another")
    locked.release("one")
    assert locked.lock() is None
    locked.release("one")
    assert StateStore(locked.folder).acquire(lock_info("two"), "x").dead is None


def test_nobody_gives_back_the_lock_of_another(locked: StateStore) -> None:
    with pytest.raises(StateLocked):
        StateStore(locked.folder).release("one")


def test_a_lock_held_elsewhere_keeps_everything_as_it_is(locked: StateStore, tmp_path: Path) -> None:
    locked.put(state(1), "one")
    other = StateStore(locked.folder)
    (tmp_path / "errored.tfstate").write_bytes(state(2))
    for change in (other.remove, other.forget, lambda: other.adopt(tmp_path / "errored.tfstate")):
        with pytest.raises(StateLocked):
            change()
    assert locked.serial == 1


def test_a_living_holder_in_another_process(store: StateStore) -> None:
    other = holder(store.folder)
    try:
        with pytest.raises(StateLocked, match="operation 7"):
            store.acquire(lock_info("mine"), "operation 8")
    finally:
        kill(other)


def test_the_lock_of_a_killed_holder_is_taken_over(store: StateStore) -> None:
    kill(holder(store.folder))
    assert store.lock() is None
    dead = store.acquire(lock_info("mine"), "operation 8").dead
    assert dead is not None
    assert (dead.holder, dead.id) == ("operation 7", "theirs")
    found = store.lock()
    assert found is not None
    assert found.id == "mine"


def test_a_writer_whose_lock_was_taken_over_cannot_write(store: StateStore) -> None:
    kill(holder(store.folder))
    store.acquire(lock_info("mine"), "operation 8")
    with pytest.raises(StateLocked):
        store.put(state(1), "theirs")


def test_a_dead_holder_whose_terraform_lives_still_holds_the_lock(store: StateStore, tmp_path: Path) -> None:
    worker = subprocess.Popen(["/bin/sh", "-c", "read -r _"], stdin=subprocess.PIPE)
    abandoned(store, worker.pid, tmp_path)
    with pytest.raises(StateLocked, match="operation 7"):
        store.acquire(lock_info("mine"), "operation 8")
    worker.communicate()
    assert store.acquire(lock_info("mine"), "operation 8").dead is not None
    store.release()


def test_the_number_of_a_process_alone_proves_nothing(store: StateStore, tmp_path: Path) -> None:
    abandoned(store, os.getpid(), tmp_path)
    (noted,) = (store.folder / "workers").iterdir()
    earlier = psutil.Process().create_time() - 60
    noted.write_text(json.dumps(json.loads(noted.read_bytes()) | {"created": earlier}))
    assert store.acquire(lock_info("mine"), "operation 8").dead is not None
    store.release()


def test_what_a_dead_holder_could_not_send_is_taken_over_with_the_lock(store: StateStore, tmp_path: Path) -> None:
    worker = subprocess.Popen(["/bin/sh", "-c", "read -r _"], stdin=subprocess.PIPE)
    abandoned(store, worker.pid, tmp_path)
    worker.communicate()
    left = tmp_path / "errored.tfstate"
    left.write_bytes(state(0, lineage="", resources=3))
    acquired = store.acquire(lock_info("mine"), "operation 8")
    assert acquired.rescued == (left,)
    assert store.resources() == 3
    assert not left.exists()
    assert list((store.folder / "workers").iterdir()) == []
    store.release()


def test_a_state_that_cannot_be_taken_over_stops_everybody(store: StateStore, tmp_path: Path) -> None:
    worker = subprocess.Popen(["/bin/sh", "-c", "read -r _"], stdin=subprocess.PIPE)
    abandoned(store, worker.pid, tmp_path)
    worker.communicate()
    left = tmp_path / "errored.tfstate"
    left.write_text('{"half": ')
    for _ in range(2):
        with pytest.raises(Failed, match=r"errored.tfstate cannot be taken over") as caught:
            store.acquire(lock_info("mine"), "operation 8")
        assert "move it away" in caught.value.hint
    left.rename(tmp_path / "elsewhere")
    assert store.acquire(lock_info("mine"), "operation 8").rescued == ()
    store.release()


def test_a_holder_on_another_computer_counts_as_alive(locked: StateStore) -> None:
    written = json.loads((locked.folder / "lock.json").read_bytes())
    locked.release()
    (locked.folder / "lock.json").write_text(json.dumps(written | {"host": "elsewhere.example", "host_id": "x" * 26}))
    with pytest.raises(StateLocked, match="operation 1") as caught:
        locked.acquire(lock_info("two"), "operation 2")
    assert caught.value.hint.endswith(f"rm {locked.folder / 'lock.json'}")


def test_a_lock_that_a_power_cut_emptied_is_nobodys(locked: StateStore) -> None:
    (locked.folder / "lock.json").write_bytes(b"")
    assert StateStore(locked.folder).acquire(lock_info("two"), "x").dead is None


@pytest.mark.parametrize("text", ["{}", "[]", '{"id": 1}', "[" * 100_000])
def test_a_lock_file_that_cannot_be_read(locked: StateStore, text: str) -> None:
    (locked.folder / "lock.json").write_text(text)
    with pytest.raises(Failed, match="cannot be read") as caught:
        locked.lock()
    assert "lock.json" in caught.value.hint


def test_a_damaged_state_is_never_taken_for_the_truth(locked: StateStore) -> None:
    locked.put(state(1), "one")
    locked.put(state(2), "one")
    locked.versions()[-1].path.write_bytes(state(2)[:-9])
    with pytest.raises(Failed, match="damaged") as caught:
        locked.current()
    assert locked.versions()[0].path.name in caught.value.hint
    locked.versions()[-1].path.unlink()
    with pytest.raises(Failed, match="damaged"):
        locked.current()


@pytest.mark.parametrize("name", ["", "x", "../../etc/passwd", "0000000001-", "\x00"])
def test_a_damaged_pointer_is_never_taken_for_no_state(locked: StateStore, name: str) -> None:
    locked.put(state(1), "one")
    (locked.folder / "current").write_text(name)
    with pytest.raises(Failed, match="damaged"):
        locked.current()


def test_a_kill_between_version_and_pointer_leaves_the_state_before(
    locked: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked.put(state(1), "one")
    write = files.write

    def killed_at_the_pointer(path: Path, data: bytes, **options: bool) -> None:
        if path.name == "current":
            raise KeyboardInterrupt
        write(path, data, **options)

    monkeypatch.setattr(files, "write", killed_at_the_pointer)
    with pytest.raises(KeyboardInterrupt):
        locked.put(state(2), "one")
    assert StateStore(locked.folder).serial == 1
    monkeypatch.undo()
    locked.put(state(2), "one")
    assert locked.serial == 2


def test_a_state_left_in_a_file_is_taken_over(store: StateStore, tmp_path: Path) -> None:
    left = tmp_path / "errored.tfstate"
    left.write_bytes(state(3, resources=2))
    assert store.adopt(left) is True
    assert (store.serial, store.resources()) == (3, 2)
    assert store.adopt(left) is False, "nothing new in it"
    left.write_bytes(state(9, lineage="other"))
    with pytest.raises(StateRefused, match="another cluster"):
        store.adopt(left)
    left.write_text("")
    with pytest.raises(StateMalformed):
        store.adopt(left)


@pytest.mark.parametrize("serial", [0, 1])
def test_the_first_state_of_all_left_in_a_file_gets_a_lineage(store: StateStore, tmp_path: Path, serial: int) -> None:
    """Terraform leaves it with serial 0, OpenTofu with 1."""
    left = tmp_path / "errored.tfstate"
    left.write_bytes(state(serial, lineage="", resources=2))
    assert store.adopt(left) is True
    assert (store.serial, store.resources()) == (1, 2)
    assert store.lineage
    left.write_bytes(state(0, lineage="", resources=9))
    with pytest.raises(StateMalformed):
        store.adopt(left)
    assert store.resources() == 2


def test_an_encrypted_state_is_not_taken_for_an_empty_one(locked: StateStore) -> None:
    encrypted = {"serial": 1, "lineage": LINEAGE, "encrypted_data": "AAAA", "encryption_version": "v0"}
    locked.put(json.dumps(encrypted).encode(), "one")
    assert locked.serial == 1
    for read in (locked.resources, locked.outputs):
        with pytest.raises(Failed, match="encrypted"):
            read()


def test_remove_leaves_nothing(store: StateStore) -> None:
    store.acquire(lock_info("one"), "x")
    store.put(state(1), "one")
    store.put(state(2), "one")
    store.release()
    assert store.remove() == 2
    assert not store.folder.exists()
    store.acquire(lock_info("two"), "x")
    assert store.current() is None


@settings(max_examples=50)
@given(serials=st.lists(st.integers(0, 20), max_size=12))
def test_the_serial_never_goes_back(tmp_path_factory: pytest.TempPathFactory, serials: list[int]) -> None:
    store = StateStore(tmp_path_factory.mktemp("state"))
    store.acquire(lock_info("one"), "x")
    highest = -1
    for place, serial in enumerate(serials):
        try:
            store.put(state(serial, resources=place), "one")
        except StateRefused:
            assert serial <= highest
        else:
            assert serial > highest
            highest = serial
        assert store.serial == (highest if highest >= 0 else None)
    store.release()


@pytest.mark.parametrize("pointer", [b"\xb0", b"", b"../lock.json", b"0000000003", b"\0"], ids=repr)
def test_a_pointer_of_another_form_is_a_damaged_state(store: StateStore, pointer: bytes) -> None:
    store.acquire(lock_info("one"), "x")
    store.put(state(3), "one")
    (store.folder / "current").write_bytes(pointer)
    with pytest.raises(Failed, match="is damaged"):
        store.read()


@pytest.mark.parametrize(
    "field", [{"serial": 1 << 64}, {"serial": True}, {"lineage": ["a"]}, {"serial": 10**300}], ids=repr
)
def test_a_state_of_another_form_is_refused(store: StateStore, field: dict[str, object]) -> None:
    store.acquire(lock_info("one"), "x")
    with pytest.raises(StateMalformed):
        store.put(json.dumps(json.loads(state(1)) | field).encode(), "one")
    assert store.read() is None


@pytest.mark.parametrize("part", [[None], ["a"], [{"mode": "managed"}], 7], ids=repr)
def test_resources_of_another_form_are_not_counted_as_none(store: StateStore, part: object) -> None:
    store.acquire(lock_info("one"), "x")
    store.put(json.dumps(json.loads(state(1)) | {"resources": part}).encode(), "one")
    with pytest.raises(Failed, match="resources of the Terraform state"):
        store.resources()


@pytest.mark.parametrize("info", ["text", None, [1]], ids=repr)
def test_a_lock_file_of_another_form_is_named(store: StateStore, info: object) -> None:
    store.acquire(lock_info("one"), "x")
    file = store.folder / "lock.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"info": info}))
    with pytest.raises(Failed, match=r"lock\.json cannot be read"):
        StateStore(store.folder).lock()


@pytest.mark.parametrize(
    "field", [{"pid": "1"}, {"created": None}, {"folder": 7}, {"more": 1}, {"pid": -(10**30)}], ids=repr
)
def test_a_worker_of_another_form_is_passed_over(store: StateStore, field: dict[str, object]) -> None:
    (store.folder / "workers").mkdir(parents=True)
    worker = {"pid": 77, "created": 1.0, "owner": 5, "folder": "/nonexistent"} | field
    (store.folder / "workers" / "77.json").write_text(json.dumps(worker))
    assert store.acquire(lock_info("one"), "x").dead is None


class TestFencing:
    """A holder that was stopped for longer than its lease still holds the lock, and its file lock with it."""

    @pytest.fixture
    def late(self, store: StateStore) -> StateStore:
        late = StateStore(store.folder, "operation 1")
        late.acquire(lock_info("one"), "operation 1")
        late.put(state(5), "one")
        return late

    def test_its_lock_is_taken_from_it(self, store: StateStore, late: StateStore) -> None:
        with pytest.raises(StateLocked):
            store.acquire(lock_info("two"), "operation 2")
        store.fence(["operation 1"])
        assert store.acquire(lock_info("two"), "operation 2").dead is None
        store.put(state(6), "two")
        with pytest.raises(StateFenced, match="closed to operation 1"):
            late.put(state(7), "one")
        assert store.serial == 6

    def test_it_changes_nothing_any_more(self, store: StateStore, late: StateStore, tmp_path: Path) -> None:
        """Also while nobody holds the lock."""
        left = tmp_path / "errored.tfstate"
        left.write_bytes(state(9))
        store.fence(["operation 1"])
        for act in (
            lambda: late.put(state(6), "one"),
            lambda: late.acquire(lock_info("again"), "operation 1"),
            lambda: late.adopt(left),
            late.forget,
            late.remove,
            lambda: late.begin_work(os.getpid(), tmp_path),
            lambda: StateStore(store.folder, "operation 1").remove(),
        ):
            with pytest.raises(StateFenced):
                act()
        assert (store.serial, left.read_bytes()) == (5, state(9))

    @pytest.mark.parametrize("lock_id", [None, "one"])
    def test_it_does_not_give_back_the_lock_of_who_came_after(
        self, store: StateStore, late: StateStore, lock_id: str | None
    ) -> None:
        store.fence(["operation 1"])
        store.acquire(lock_info("two"), "operation 2")
        with pytest.raises(StateLocked, match="operation 2"):
            late.release(lock_id)
        found = StateStore(store.folder).lock()
        assert found is not None
        assert found.holder == "operation 2"
        late.release()
        store.put(state(6), "two")

    def test_only_those_named_are_fenced(self, store: StateStore, late: StateStore) -> None:
        store.fence(["operation 0"])
        late.put(state(6), "one")
        late.release()
        store.fence(["operation 3"])
        for number in (0, 3):
            with pytest.raises(StateFenced):
                StateStore(store.folder).acquire(lock_info("x"), f"operation {number}")

    def test_its_terraform_is_waited_for(self, store: StateStore, tmp_path: Path) -> None:
        """Two of them must not change the same things; what the first cannot send any more is taken over then."""
        worker = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        abandoned(store, worker.pid, tmp_path)
        store.fence(["operation 7"])
        with pytest.raises(StateLocked, match="lost the cluster") as caught:
            store.acquire(lock_info("two"), "operation 2")
        assert caught.value.hint.endswith(f" {worker.pid}")
        (tmp_path / "errored.tfstate").write_bytes(state(6))
        worker.communicate()
        assert store.acquire(lock_info("two"), "operation 2").rescued == (tmp_path / "errored.tfstate",)
        assert store.serial == 6

    @pytest.mark.parametrize("text", [b"", b"{", b"7"])
    def test_a_damaged_list_does_not_open_the_state(self, store: StateStore, late: StateStore, text: bytes) -> None:
        (store.folder / "fenced.json").write_bytes(text)
        with pytest.raises(Failed, match=r"fenced\.json cannot be read"):
            late.put(state(6), "one")


def test_a_folder_that_cannot_be_looked_into_is_named(store: StateStore) -> None:
    (store.folder / "workers").mkdir(parents=True)
    worker = {"pid": 77, "created": 1.0, "owner": 5, "folder": "x" * 5000}
    (store.folder / "workers" / "77.json").write_text(json.dumps(worker))
    with pytest.raises(Failed, match="cannot be taken over"):
        store.acquire(lock_info("one"), "x")
