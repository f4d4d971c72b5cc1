from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from karrots import clock
from karrots.adapters import git_locks
from karrots.errors import ToolFailed
from tests.support.repositories import git, repository

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from karrots.adapters.git import Repository

SLEEP = "import sys, time; print(flush=True); time.sleep(60)"


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    return repository(tmp_path / "fleet")


@pytest.fixture(autouse=True)
def on_this_computer_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the tests run, a container included."""
    monkeypatch.setattr(git_locks, "file_system", lambda _: "tmpfs")
    monkeypatch.setattr(git_locks, "PATIENCE", 0.1)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Files carry when they were changed, and nobody can set that: the clock is moved on instead."""

    def move(seconds: float) -> None:
        monkeypatch.setattr(clock, "seconds", lambda: time.time() + seconds)

    return move


@pytest.fixture
def running() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def start(*words: str, **how: object) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(words, stdout=subprocess.PIPE, **how))  # type: ignore[call-overload]
        assert started[-1].stdout is not None
        started[-1].stdout.readline()
        return started[-1]

    yield start
    for child in started:
        child.kill()
        child.communicate()


def left(repo: Repository, name: str = "refs/heads/x.lock") -> Path:
    path = repo.git_dir / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    return path


def doubt(path: Path, repo: Repository) -> str:
    found = git_locks.examine(path, repo.git_dir)
    assert found is not None
    return found.doubt


def a_git(folder: Path) -> str:
    """A program of that name that only waits: a real one would end."""
    program = folder / "git"
    program.symlink_to(sys.executable)
    return str(program)


class TestExamine:
    def test_old_and_nobodys(self, repo: Repository, later: Callable[[float], None]) -> None:
        path = left(repo)
        later(61)
        assert doubt(path, repo) == ""

    @pytest.mark.parametrize("seconds", [0, 59, -90000])
    def test_young_or_from_the_future(self, repo: Repository, later: Callable[[float], None], seconds: float) -> None:
        path = left(repo)
        later(seconds)
        assert "may be held" in doubt(path, repo)

    def test_made_old_by_hand(self, repo: Repository) -> None:
        path = left(repo)
        os.utime(path, (0, 0))
        assert "may be held" in doubt(path, repo)

    def test_held_open_by_any_program(
        self, repo: Repository, later: Callable[[float], None], running: Callable[..., subprocess.Popen[bytes]]
    ) -> None:
        path = left(repo)
        later(61)
        holder = running(sys.executable, "-c", f"held = open({str(path)!r}, 'a'); {SLEEP}")
        assert f"process {holder.pid} " in doubt(path, repo)
        holder.kill()
        assert doubt(path, repo) == ""

    def test_git_at_work_in_the_repository(
        self,
        repo: Repository,
        later: Callable[[float], None],
        running: Callable[..., subprocess.Popen[bytes]],
        tmp_path: Path,
    ) -> None:
        """It closes the lock file before it renames it: that nobody holds it open proves nothing."""
        path = left(repo)
        later(61)
        holder = running(a_git(tmp_path), "-c", SLEEP, cwd=repo.root / "clusters")
        assert f"process {holder.pid} " in doubt(path, repo)

    def test_git_at_work_in_another_work_tree(
        self,
        repo: Repository,
        later: Callable[[float], None],
        running: Callable[..., subprocess.Popen[bytes]],
        tmp_path: Path,
    ) -> None:
        git(repo.root, "worktree", "add", "--quiet", "--detach", str(tmp_path / "other"))
        path = left(repo)
        later(61)
        running(a_git(tmp_path), "-c", SLEEP, cwd=tmp_path / "other" / "clusters")
        assert doubt(path, repo)

    def test_git_told_of_the_repository_by_its_environment(
        self,
        repo: Repository,
        later: Callable[[float], None],
        running: Callable[..., subprocess.Popen[bytes]],
        tmp_path: Path,
    ) -> None:
        path = left(repo)
        later(61)
        running(a_git(tmp_path), "-c", SLEEP, cwd=tmp_path, env={**os.environ, "GIT_DIR": str(repo.git_dir)})
        assert doubt(path, repo)

    def test_git_at_work_elsewhere_is_no_matter(
        self,
        repo: Repository,
        later: Callable[[float], None],
        running: Callable[..., subprocess.Popen[bytes]],
        tmp_path: Path,
    ) -> None:
        other = repository(tmp_path / "other")
        path = left(repo)
        later(61)
        running(a_git(tmp_path), "-c", SLEEP, cwd=other.root)
        assert doubt(path, repo) == ""

    def test_a_stopped_git_still_holds_it(
        self,
        repo: Repository,
        later: Callable[[float], None],
        running: Callable[..., subprocess.Popen[bytes]],
        tmp_path: Path,
    ) -> None:
        import signal

        path = left(repo)
        later(90000)
        holder = running(a_git(tmp_path), "-c", SLEEP, cwd=repo.root)
        holder.send_signal(signal.SIGSTOP)
        assert f"process {holder.pid} " in doubt(path, repo)

    @pytest.mark.parametrize("kind", ["nfs4", "9p", "fuse.sshfs", "cifs", ""])
    def test_a_disk_that_others_may_use(
        self, repo: Repository, later: Callable[[float], None], kind: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(git_locks, "file_system", lambda _: kind)
        path = left(repo)
        later(61)
        assert "other computers may use" in doubt(path, repo)

    def test_a_disk_shared_into_a_container(
        self, repo: Repository, later: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(git_locks, "file_system", lambda _: "ext4")
        monkeypatch.setattr(git_locks, "_sees_all_processes", lambda: False)
        path = left(repo)
        later(61)
        assert "in a container" in doubt(path, repo)

    def test_a_link_is_not_followed(self, repo: Repository, later: Callable[[float], None], tmp_path: Path) -> None:
        path = repo.git_dir / "index.lock"
        path.symlink_to(tmp_path / "elsewhere")
        later(61)
        assert "not a plain file" in doubt(path, repo)

    def test_gone(self, repo: Repository) -> None:
        assert git_locks.examine(repo.git_dir / "index.lock", repo.git_dir) is None


def test_the_real_file_system_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert git_locks.file_system(tmp_path / "x.lock")


def test_every_lock_is_found_and_objects_are_passed_over(repo: Repository) -> None:
    names = ["HEAD.lock", "index.lock", "packed-refs.lock", "packed-refs.new", "refs/karrots/applied/a.lock"]
    paths = sorted(left(repo, name) for name in [*names, "objects/info/x.lock", "objects/ab/y.lock"])
    assert git_locks.every(repo.git_dir) == [path for path in paths if "objects" not in path.parts]


class TestClear:
    def test_says_so_first(self, repo: Repository, later: Callable[[float], None]) -> None:
        path = left(repo)
        later(61)
        said: list[tuple[str, bool]] = []
        assert git_locks.clear([path], repo.git_dir, lambda text: said.append((text, path.exists()))) == [path]
        assert not path.exists()
        assert [there for _, there in said] == [True]
        assert str(path) in said[0][0]

    def test_one_made_anew_meanwhile_stays(self, repo: Repository, later: Callable[[float], None]) -> None:
        path = left(repo)
        later(61)

        def replace(_: str) -> None:
            path.unlink()
            path.write_text("somebody's")

        assert git_locks.clear([path], repo.git_dir, replace) == []
        assert path.read_text() == "somebody's"


class TestInTheMiddleOfAnOperation:
    def test_a_dead_lock_is_cleared_and_the_move_made(self, repo: Repository, later: Callable[[float], None]) -> None:
        said: list[str] = []
        repo.say = said.append
        path = left(repo, "refs/karrots/x.lock")
        later(61)
        tip = str(repo.head().commit)
        assert repo.update_ref("refs/karrots/x", tip, None)
        assert repo.refs("refs/karrots/x") == {"refs/karrots/x": tip}
        assert not path.exists()
        assert len(said) == 1

    def test_several_of_one_transaction(self, repo: Repository, later: Callable[[float], None]) -> None:
        said: list[str] = []
        repo.say = said.append
        for name in ("a", "b", "c"):
            left(repo, f"refs/karrots/{name}.lock")
        later(61)
        tip = str(repo.head().commit)
        assert repo.update_refs({f"refs/karrots/{name}": (tip, None) for name in ("a", "b", "c")})
        assert len(said) == 3

    def test_packed_refs(self, repo: Repository, later: Callable[[float], None]) -> None:
        repo.say = lambda _: None
        tip = str(repo.head().commit)
        git(repo.root, "update-ref", "refs/karrots/x", tip)
        git(repo.root, "pack-refs", "--all")
        for name in ("packed-refs.lock", "packed-refs.new"):
            left(repo, name)
        later(61)
        assert repo.update_ref("refs/karrots/x", None, tip)

    def test_where_nobody_listens_nothing_is_removed(self, repo: Repository, later: Callable[[float], None]) -> None:
        path = left(repo, "refs/karrots/x.lock")
        later(61)
        with pytest.raises(ToolFailed) as caught:
            repo.update_ref("refs/karrots/x", str(repo.head().commit), None)
        assert caught.value.hint.startswith(f"rm {path}")
        assert path.exists()

    def test_a_lock_in_doubt_stays_with_the_command(self, repo: Repository) -> None:
        repo.say = pytest.fail
        path = left(repo, "refs/karrots/x.lock")
        with pytest.raises(ToolFailed) as caught:
            repo.update_ref("refs/karrots/x", str(repo.head().commit), None)
        assert caught.value.hint.startswith(f"rm {path}")
        assert path.exists()
