"""`karrots doctor --repair`: what it says is left over, what it leaves to others, and what it mends."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from karrots import clock, computer, places
from karrots.adapters import git_locks
from karrots.adapters.terraform_store import StateStore
from karrots.engine import components, folder
from karrots.engine.folder import State
from karrots.errors import ExitCode
from karrots.fleet import operations
from karrots.fleet.ledger import KEPT
from karrots.fleet.record import new_id
from karrots.ops import leftovers
from tests.support.repositories import repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from karrots.fleet.record import Operation
    from tests.cli.conftest import CommandLine, Fleet

YES = ("doctor", "--repair", "--yes", "-o", "json")
LIST = ("doctor", "--repair", "--dry-run", "-o", "json")


@pytest.fixture(autouse=True)
def own_computer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Temporary files of the test's own, and a disk that no container shares."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(git_locks, "file_system", lambda _: "tmpfs")
    monkeypatch.setattr(git_locks, "PATIENCE", 0.1)


@pytest.fixture
def an_hour_later(monkeypatch: pytest.MonkeyPatch) -> None:
    then = time.time() + 3600  # and it stays, as ages are told in seconds and compared
    monkeypatch.setattr(clock, "seconds", lambda: then)


@pytest.fixture
def dead() -> Operation:
    """Of a process of this computer that has ended."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        born = computer.born(child.pid)
        child.communicate()
    lease = operations.started_here("create", "ada@example.com")
    return type(lease)(**{**vars(lease), "pid": child.pid, "born": born})


def kinds(document: dict[str, Any], which: str = "found") -> list[str]:
    return [finding["kind"] for finding in document[which]]


def repaired(karrots: CommandLine, fleet: Fleet, *expected: str) -> dict[str, Any]:
    """Listed by a dry run that changes nothing, refused where nobody can say yes, mended by --yes, and then gone."""
    before = fleet.picture()
    listed = karrots(*LIST, cwd=fleet.root, expect=ExitCode.LEFTOVERS).document
    assert kinds(listed) == kinds(listed, "left") == list(expected)
    assert listed["mended"] == []
    unasked = karrots("doctor", "--repair", "--no-input", "-o", "json", cwd=fleet.root, expect=ExitCode.REFUSED)
    assert unasked.document["left"] == listed["left"]
    assert fleet.picture() == before
    done = karrots(*YES, cwd=fleet.root).document
    assert kinds(done, "mended") == list(expected)
    assert done["left"] == []
    assert karrots(*LIST, cwd=fleet.root).document["found"] == []
    return done


def engine_folder(cluster_id: str, repository: Path) -> Path:
    place = places.private_folder(places.engine_clusters() / cluster_id)
    ports = {name: 1 + at for at, name in enumerate(components.PORT_NAMES)}
    made = State(cluster_id, "lost", str(repository), 1, ports, "2026-11-21T07:00:00Z")
    folder.Folder(place).save(made)
    return place


def terraform_state(cluster_id: str, repository: Path | None, kind: str = "terraform_data") -> Path:
    told = {"triggers_replace": {"value": {"repository": str(repository)}}} if repository else {}
    resource = {"mode": "managed", "type": kind, "name": "control_plane", "instances": [{"attributes": told}]}
    state = {"version": 4, "serial": 1, "lineage": "a", "resources": [resource]}
    store = StateStore(places.terraform_states() / cluster_id)
    store.acquire({"ID": "x"}, "test")
    store.put(json.dumps(state).encode(), "x")
    store.release("x")
    return store.folder


def test_nothing_is_left(karrots: CommandLine, fleet: Fleet) -> None:
    fleet.known("qa", phase="ready")
    told = karrots("doctor", "--repair", cwd=fleet.root)
    assert told.out == "nothing is left over\n"


def test_outside_a_fleet_it_looks_at_the_computer(karrots: CommandLine, tmp_path: Path) -> None:
    left = engine_folder(new_id(), tmp_path / "tmp" / "gone" / ".git")
    assert kinds(karrots(*YES, cwd=tmp_path).document, "mended") == ["cluster"]
    assert not left.exists()


@pytest.mark.parametrize("words", [("--dry-run",), ("--yes",)], ids=" ".join)
def test_its_options_need_it(karrots: CommandLine, fleet: Fleet, words: tuple[str, ...]) -> None:
    told = karrots("doctor", *words, cwd=fleet.root, expect=ExitCode.USAGE)
    assert "go with --repair" in told.err


def test_without_a_yes_each_nothing_is_mended(
    karrots: CommandLine, fleet: Fleet, dead: Operation, monkeypatch: pytest.MonkeyPatch
) -> None:
    from karrots.cli.session import Session

    fleet.known("one", phase="creating", operation=dead)
    fleet.known("two", phase="creating", operation=dead)
    asked: list[str] = []

    def ask(_: Session, question: str) -> bool:
        asked.append(question)
        return "'one'" in question

    monkeypatch.setattr(Session, "may_ask", lambda _: True)
    monkeypatch.setattr(Session, "ask", ask)
    done = karrots("doctor", "--repair", "-o", "json", cwd=fleet.root, expect=ExitCode.LEFTOVERS).document
    assert len(asked) == 2
    assert [finding["what"] for finding in done["mended"]] == ["the record of 'one' (creating)"]
    assert [finding["what"] for finding in done["left"]] == ["the record of 'two' (creating)"]


class TestRecords:
    def test_one_of_which_nothing_was_made_goes_with_a_receipt(
        self, karrots: CommandLine, fleet: Fleet, dead: Operation
    ) -> None:
        made = fleet.known("qa", phase="creating", operation=dead)
        repaired(karrots, fleet, "record")
        assert fleet.ledger.find("qa") is None
        receipt = fleet.ledger.receipt(made.id)
        assert receipt is not None
        assert receipt["left"] == []
        told = karrots("destroy", "qa", "--yes", cwd=fleet.root, expect=ExitCode.NOT_FOUND)
        assert "was destroyed at" in told.err

    def test_a_lease_is_given_back_where_something_exists(
        self, karrots: CommandLine, fleet: Fleet, dead: Operation
    ) -> None:
        made = fleet.known("qa", phase="creating", operation=dead)
        engine_folder(made.id, fleet.repo.git_dir)
        done = repaired(karrots, fleet, "lease")
        assert done["found"][0]["command"] == "karrots apply qa"
        found = fleet.ledger.get("qa")
        assert (found.operation, found.phase) == (None, "failed")

    def test_a_destroy_that_was_killed_is_gone_on_with_not_undone(
        self, karrots: CommandLine, fleet: Fleet, dead: Operation
    ) -> None:
        made = fleet.known("qa", phase="destroying", operation=dead)
        engine_folder(made.id, fleet.repo.git_dir)
        done = repaired(karrots, fleet, "lease")
        assert done["found"][0]["command"] == "karrots destroy qa"
        assert fleet.ledger.get("qa").phase == "destroying"

    def test_a_living_holder_and_other_computers_are_left_alone(
        self, karrots: CommandLine, fleet: Fleet, dead: Operation
    ) -> None:
        fleet.known("busy", phase="creating", operation=operations.started_here("create"))
        fleet.known("elsewhere", phase="creating", host="elsewhere")
        far = type(dead)(**{**vars(dead), "host": "elsewhere", "host_id": "another"})
        fleet.known("held", phase="ready", operation=far)
        assert karrots(*YES, cwd=fleet.root).document["found"] == []

    def test_one_of_which_something_shows_up_is_given_back(
        self, karrots: CommandLine, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from karrots.providers import local
        from karrots.providers.base import Leftover, Swept

        fleet.known("qa", phase="failed")
        monkeypatch.setattr(local, "sweep", lambda *_: Swept({}, (Leftover("process", "etcd (pid 7)"),)))
        told = karrots("doctor", "--repair", "--yes", cwd=fleet.root, expect=ExitCode.LEFTOVERS)
        assert "is not mended: something of 'qa' is there" in told.err
        assert fleet.ledger.get("qa").operation is None

    def test_the_parent_of_a_live_branch_stays(self, karrots: CommandLine, fleet: Fleet) -> None:
        from karrots.fleet.record import Parent

        parent = fleet.known("qa", phase="failed")
        fleet.known("story", phase="ready", parent=Parent(name="qa", id=parent.id, commit="0" * 40))
        told = karrots("doctor", "--repair", "--yes", cwd=fleet.root, expect=ExitCode.LEFTOVERS)
        assert "is the parent of live branches" in told.err
        assert fleet.ledger.get("qa").operation is None


class TestWithoutARecord:
    def test_a_cluster_its_state_and_what_tells_of_it(self, karrots: CommandLine, fleet: Fleet) -> None:
        lost = new_id()
        paths = [engine_folder(lost, fleet.repo.git_dir), terraform_state(lost, fleet.repo.git_dir)]
        for path in (places.footprint(lost), places.kubeconfig(lost)):
            places.private_folder(path.parent)
            path.write_text("{}")
            paths.append(path)
        repaired(karrots, fleet, "footprint", "kubeconfig", "state", "cluster")
        assert [path for path in paths if path.exists()] == []

    def test_those_of_another_fleet_are_its_own(self, karrots: CommandLine, fleet: Fleet, tmp_path: Path) -> None:
        other, theirs = repository(tmp_path / "other"), new_id()
        kept = [engine_folder(theirs, other.git_dir), terraform_state(theirs, other.git_dir)]
        for path in (places.footprint(theirs), places.kubeconfig(theirs)):
            places.private_folder(path.parent)
            path.write_text("{}")
            kept.append(path)
        assert karrots(*YES, cwd=fleet.root).document["found"] == []
        assert all(path.exists() for path in kept)

    def test_those_of_a_temporary_fleet_that_is_gone_are_offered(
        self, karrots: CommandLine, fleet: Fleet, tmp_path: Path
    ) -> None:
        gone = tmp_path / "tmp" / "gone" / ".git"
        engine_folder(new_id(), gone)
        terraform_state(new_id(), gone)
        done = repaired(karrots, fleet, "state", "cluster")
        assert f"its repository {gone} is gone" == done["found"][0]["why"]

    def test_those_of_a_fleet_that_may_have_been_moved_stay(
        self, karrots: CommandLine, fleet: Fleet, tmp_path: Path
    ) -> None:
        kept = [engine_folder(new_id(), tmp_path / "moved"), terraform_state(new_id(), tmp_path / "moved")]
        done = karrots(*YES, cwd=fleet.root, expect=ExitCode.LEFTOVERS).document
        assert {finding["why"] for finding in done["left"]} == {
            f"its repository {tmp_path}/moved is gone, or has been moved"
        }
        assert all(path.exists() for path in kept)

    def test_what_says_nothing_is_shown_and_stays(self, karrots: CommandLine, fleet: Fleet) -> None:
        lost, unread = new_id(), new_id()
        state = terraform_state(lost, None)
        broken = engine_folder(unread, fleet.repo.git_dir)
        (broken / "state.json").write_text("{")
        done = karrots(*YES, cwd=fleet.root, expect=ExitCode.LEFTOVERS).document
        assert kinds(done, "left") == ["state", "cluster"]
        assert [finding["mending"] for finding in done["left"]] == ["", ""]
        assert [finding["command"] for finding in done["left"]] == [
            f"rm -r {state}",
            f"python3 -m karrots.engine down --id {unread}",
        ]
        assert state.exists()
        assert broken.exists()

    def test_a_state_that_holds_things_of_a_cloud_stays(self, karrots: CommandLine, fleet: Fleet) -> None:
        state = terraform_state(new_id(), fleet.repo.git_dir, "google_container_cluster")
        done = karrots(*YES, cwd=fleet.root, expect=ExitCode.LEFTOVERS).document
        assert done["left"][0]["why"] == "it still holds google_container_cluster"
        assert state.exists()

    def test_a_file_whose_cluster_has_a_receipt(self, karrots: CommandLine, fleet: Fleet) -> None:
        made = fleet.known("qa", phase="ready")
        fleet.ledger.retire(made, {"cluster": "qa", "id": made.id})
        for path in (places.footprint(made.id), places.kubeconfig(made.id)):
            places.private_folder(path.parent)
            path.write_text("{}")
        repaired(karrots, fleet, "footprint", "kubeconfig")

    def test_a_ref(self, karrots: CommandLine, fleet: Fleet) -> None:
        known = fleet.known("qa", phase="ready")
        for cluster_id in (known.id, new_id()):
            fleet.git("update-ref", f"{KEPT}/{cluster_id}", "HEAD")
        repaired(karrots, fleet, "ref")
        assert list(fleet.repo.refs(f"{KEPT}/")) == [f"{KEPT}/{known.id}"]

    def test_while_the_remote_does_not_answer_nothing_is_said_to_have_none(
        self, karrots: CommandLine, fleet: Fleet, tmp_path: Path
    ) -> None:
        left = engine_folder(new_id(), fleet.repo.git_dir)
        fleet.git("update-ref", f"{KEPT}/{new_id()}", "HEAD")
        fleet.git("remote", "add", "origin", str(tmp_path / "no-such.git"))
        done = karrots(*YES, cwd=fleet.root, expect=ExitCode.LEFTOVERS).document
        assert kinds(done, "left") == ["cluster", "ref"]
        assert all("the ledger here may be old" in finding["why"] for finding in done["left"])
        assert left.exists()


class TestLocks:
    def test_of_git(self, karrots: CommandLine, fleet: Fleet, an_hour_later: None) -> None:
        lock = fleet.repo.git_dir / "index.lock"
        lock.write_text("")
        repaired(karrots, fleet, "git lock")
        assert not lock.exists()

    def test_one_of_git_that_is_in_doubt_stays(self, karrots: CommandLine, fleet: Fleet) -> None:
        lock = fleet.repo.git_dir / "index.lock"
        lock.write_text("")
        told = karrots("doctor", "--repair", "--yes", cwd=fleet.root, expect=ExitCode.LEFTOVERS)
        assert f"by hand: rm {lock}" in told.out
        unasked = karrots("doctor", "--repair", "--no-input", cwd=fleet.root, expect=ExitCode.LEFTOVERS)
        assert "may be held" in unasked.out
        assert lock.exists()

    def test_of_terraform(self, karrots: CommandLine, fleet: Fleet) -> None:
        made = fleet.known("qa", phase="ready")
        store = terraform_state(made.id, fleet.repo.git_dir)
        holder = f"import sys; sys.path[:0] = {sys.path!r}; from pathlib import Path; from karrots.adapters import "
        holder += "terraform_store as t; s = t.StateStore(Path(sys.argv[1])); s.acquire({'ID': 'y'}, 'it')"
        subprocess.run([sys.executable, "-c", holder, str(store)], check=True)
        assert (store / "lock.json").exists()
        repaired(karrots, fleet, "state lock")
        assert not (store / "lock.json").exists()

    def test_one_of_terraform_that_is_held_stays(self, karrots: CommandLine, fleet: Fleet) -> None:
        made = fleet.known("qa", phase="ready")
        store = StateStore(terraform_state(made.id, fleet.repo.git_dir))
        store.acquire({"ID": "y"}, "it")
        assert karrots(*YES, cwd=fleet.root).document["found"] == []
        store.release("y")

    def test_of_the_engine(self, karrots: CommandLine, fleet: Fleet) -> None:
        from karrots.engine import locks

        left, held = folder.lock("01a"), folder.lock("01b")
        places.private_folder(left.parent)
        left.write_text("1")
        with locks.held(held, "a cluster"):
            repaired(karrots, fleet, "engine lock")
            assert held.exists()
        assert not left.exists()


class TestTemporary:
    @pytest.fixture
    def demo(self, tmp_path: Path) -> Path:
        folder = tmp_path / "tmp" / "karrots-demo-abc"
        folder.mkdir()
        return folder

    def marked(self, folder: Path, lease: Operation, *, keep: bool) -> None:
        mark = {"pid": lease.pid, "born": lease.born, "keep": keep}
        (folder / leftovers.DEMO_MARK).write_text(json.dumps(mark))

    def test_a_demo_that_was_killed(
        self, karrots: CommandLine, fleet: Fleet, demo: Path, dead: Operation, an_hour_later: None
    ) -> None:
        self.marked(demo, dead, keep=False)
        repaired(karrots, fleet, "demo")
        assert not demo.exists()

    def test_a_demo_that_was_to_be_kept_or_still_runs(
        self, karrots: CommandLine, fleet: Fleet, demo: Path, dead: Operation, an_hour_later: None
    ) -> None:
        self.marked(demo, dead, keep=True)
        other = demo.with_name("karrots-demo-def")
        other.mkdir()
        self.marked(other, operations.started_here("demo"), keep=False)
        assert karrots(*YES, cwd=fleet.root).document["found"] == []
        assert demo.exists()
        assert other.exists()

    def test_one_without_a_mark_is_shown(
        self, karrots: CommandLine, fleet: Fleet, demo: Path, an_hour_later: None
    ) -> None:
        done = karrots(*YES, cwd=fleet.root, expect=ExitCode.LEFTOVERS).document
        assert done["left"][0]["command"] == f"rm -r {demo}"
        assert demo.exists()

    def test_half_written_files(self, karrots: CommandLine, fleet: Fleet, dead: Operation, an_hour_later: None) -> None:
        home = places.private_folder(places.state())
        left = home / f".host.{dead.pid}.0a1b2c3d"
        left.write_text("")
        repaired(karrots, fleet, "half-written file")
        assert not left.exists()


@pytest.fixture
def stray() -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs as a component of a cluster whose folder is gone."""
    program = places.engine_clusters() / "01gone" / "bin" / "etcd"
    places.private_folder(program.parent)
    program.symlink_to(sys.executable)
    argv = [str(program), "-c", "import time; print(flush=True); time.sleep(60)"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        program.unlink()
        program.parent.rmdir()
        program.parent.parent.rmdir()
        yield child
        child.kill()


def test_a_process_of_a_cluster_that_is_gone(
    karrots: CommandLine, fleet: Fleet, stray: subprocess.Popen[bytes]
) -> None:
    listed = karrots(*LIST, cwd=fleet.root, expect=ExitCode.LEFTOVERS).document
    assert kinds(listed) == ["process"]
    assert listed["found"][0]["command"] == f"kill {stray.pid}"
    assert stray.poll() is None
    done = karrots(*YES, cwd=fleet.root).document
    assert kinds(done, "mended") == ["process"]
    assert stray.wait(10) == -9
