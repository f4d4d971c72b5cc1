from __future__ import annotations

import base64
import gzip
import http.client
import os
import secrets
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from karrots.adapters import process
from karrots.engine import gitserver, ports, processes
from karrots.engine.gitserver import LARGEST_BODY, PATH
from karrots.fleet import rehearsals
from tests.support.repositories import commit, git, repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "s3cret"
ADVERTISE = f"{PATH}/info/refs?service=git-upload-pack"
UPLOAD_PACK = f"{PATH}/git-upload-pack"


class Running:
    """The server as the engine starts it: a process, its token in a file."""

    def __init__(self, folder: Path, repository: Path) -> None:
        self.port = ports.draw(("git",), str(folder), ())["git"]
        self.folder = folder
        (folder / "tmp").mkdir(parents=True)
        (folder / "git-token").write_text(TOKEN)
        words = ("-m", "karrots.engine.gitserver", str(folder), "--port", str(self.port))
        self.known = processes.start(
            (sys.executable, *words, "--repository", str(repository)),
            cwd=folder,
            env=process.environment(),
            log=folder / "log",
        )
        while ports.is_free(self.port, reuse=True):
            assert processes.alive(self.known), (folder / "log").read_text()

    def url(self, token: str = TOKEN, user: str = "karrots") -> str:
        return f"http://{user}:{token}@127.0.0.1:{self.port}{PATH}"

    def ask(
        self, method: str, path: str, body: bytes | None = None, token: str | None = TOKEN, **headers: str
    ) -> tuple[int, bytes, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        login = {"Authorization": "Basic " + base64.b64encode(f"karrots:{token}".encode()).decode()} if token else {}
        connection.request(method, path, body, login | {name.replace("_", "-"): v for name, v in headers.items()})
        answer = connection.getresponse()
        found = answer.status, answer.read(), dict(answer.getheaders())
        connection.close()
        return found

    def kill(self) -> None:
        found = processes.find(self.known)
        processes.kill([found] if found else [])


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    root = tmp_path / "origin"
    repository(root, {"clusters/qa/cluster.yaml": "provider: local\n"})
    return root


@pytest.fixture
def server(tmp_path: Path, origin: Path) -> Iterator[Running]:
    running = Running(tmp_path / "server", origin / ".git")
    yield running
    running.kill()


def clone(url: str, into: Path, *options: str) -> subprocess.CompletedProcess[str]:
    words = ["git", "-c", "credential.helper=", *options, "clone", "--quiet", url, str(into)]
    return subprocess.run(words, capture_output=True, text=True, env=dict(os.environ, GIT_TERMINAL_PROMPT="0"))


def add_noise(root: Path, size: int) -> str:
    git(root, "config", "core.compression", "0")
    (root / "big").write_bytes(secrets.token_bytes(size))
    return commit(root, {}, "Add something big")


@pytest.mark.parametrize("version", ["0", "2"])
def test_a_clone_brings_every_branch(server: Running, origin: Path, tmp_path: Path, version: str) -> None:
    git(origin, "branch", "feature/JIRA-1234")
    done = clone(server.url(), tmp_path / "copy", "-c", f"protocol.version={version}")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "copy/clusters/qa/cluster.yaml").read_text() == "provider: local\n"
    assert "origin/feature/JIRA-1234" in git(tmp_path / "copy", "branch", "--remotes")


def test_a_later_commit_is_fetched(server: Running, origin: Path, tmp_path: Path) -> None:
    clone(server.url(), tmp_path / "copy")
    later = commit(origin, {"a": "b"})
    git(tmp_path / "copy", "fetch", "--quiet")
    assert git(tmp_path / "copy", "rev-parse", "origin/main") == later


@pytest.mark.parametrize(("user", "token"), [("karrots", "wrong"), ("karrots", ""), ("other", TOKEN), ("karrots", "é")])
def test_without_the_right_login_nothing_is_said(server: Running, tmp_path: Path, user: str, token: str) -> None:
    done = clone(server.url(token, user), tmp_path / "copy")
    assert done.returncode != 0
    assert "could not read" in done.stderr or "Authentication failed" in done.stderr


@pytest.mark.parametrize("path", [ADVERTISE, UPLOAD_PACK, "/", f"{PATH}/HEAD"])
def test_every_path_asks_for_the_login_first(server: Running, path: str) -> None:
    status, body, headers = server.ask("GET", path, token=None)
    assert (status, body) == (401, b"")
    assert headers["WWW-Authenticate"].startswith("Basic ")


def test_a_push_is_refused(server: Running, origin: Path, tmp_path: Path) -> None:
    before = git(origin, "rev-parse", "main")
    clone(server.url(), tmp_path / "copy")
    commit(tmp_path / "copy", {"a": "b"})
    words = ["git", "push", "--quiet", "origin", "HEAD:main"]
    done = subprocess.run(words, cwd=tmp_path / "copy", capture_output=True, text=True)
    assert done.returncode != 0
    assert "403" in done.stderr
    assert git(origin, "rev-parse", "main") == before
    assert server.ask("POST", f"{PATH}/git-receive-pack", b"0000")[0] == 403


@pytest.mark.parametrize(
    "path",
    [
        "/", PATH, f"{PATH}/HEAD", f"{PATH}/config", f"{PATH}/objects/info/packs", f"{PATH}/info/refs",
        f"{PATH}/../../etc/passwd", "/other.git/info/refs?service=git-upload-pack", f"{ADVERTISE}&x=1",
        f"{PATH}/%2e%2e/info/refs?service=git-upload-pack", f"/x{ADVERTISE}",
    ],
)  # fmt: skip
def test_only_the_two_requests_of_a_fetch_are_answered(server: Running, path: str) -> None:
    assert server.ask("GET", path)[0] == 404


def test_the_ledger_and_private_refs_are_hidden(server: Running, origin: Path) -> None:
    head = git(origin, "rev-parse", "HEAD")
    for name in ("heads/karrots/fleet", "karrots/applied/01a", "remotes/origin/main", "stash", "notes/x"):
        git(origin, "update-ref", f"refs/{name}", head)
    git(origin, "tag", "v1")
    status, body, _ = server.ask("GET", ADVERTISE)
    assert status == 200
    refs = {line.split()[1].split(b"\0")[0] for line in body.split(b"\n") if b"refs/" in line}
    assert refs == {b"HEAD", b"refs/heads/main", b"refs/tags/v1"}


@pytest.mark.parametrize("length", [str(LARGEST_BODY + 1), "-1", "x", "9" * 30])
def test_a_body_of_a_wrong_size_is_refused_unread(server: Running, length: str) -> None:
    status, _, _ = server.ask("POST", UPLOAD_PACK, Content_Length=length)
    assert status in (400, 413)


def test_a_chunked_body_is_bounded_too(server: Running) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        login = base64.b64encode(f"karrots:{TOKEN}".encode())
        raw.sendall(b"POST %b HTTP/1.1\r\nHost: x\r\nAuthorization: Basic %b\r\n" % (UPLOAD_PACK.encode(), login))
        raw.sendall(b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % (LARGEST_BODY + 1))
        assert raw.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_packed_and_chunked_question_is_understood(server: Running, origin: Path) -> None:
    """What git clients send when they have much to say."""
    head = git(origin, "rev-parse", "HEAD")
    wants = f"want {head} no-progress\n"
    asked = f"{len(wants) + 4:04x}{wants}00000009done\n".encode()
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    login = base64.b64encode(f"karrots:{TOKEN}".encode()).decode()
    headers = {
        "Authorization": f"Basic {login}",
        "Content-Type": "application/x-git-upload-pack-request",
        "Content-Encoding": "gzip",
    }
    packed = gzip.compress(asked)
    connection.request("POST", UPLOAD_PACK, iter([packed[:10], packed[10:]]), headers, encode_chunked=True)
    answer = connection.getresponse()
    assert answer.status == 200
    assert b"PACK" in answer.read()
    connection.close()


def test_a_big_pack_is_not_held_in_memory(server: Running, origin: Path, tmp_path: Path) -> None:
    size = 64 * 2**20
    add_noise(origin, size)
    before = processes.memory(server.known)
    assert clone(server.url(), tmp_path / "copy").returncode == 0
    assert (tmp_path / "copy" / "big").stat().st_size == size
    assert processes.memory(server.known) - before < size / 4


def test_a_client_that_hangs_up_leaves_no_process(server: Running, origin: Path) -> None:
    head = add_noise(origin, 2**24)
    asked = f"0032want {head}\n00000009done\n".encode()
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", server.port)) as raw:
            login = base64.b64encode(f"karrots:{TOKEN}".encode())
            raw.sendall(
                b"POST %b HTTP/1.1\r\nHost: x\r\nAuthorization: Basic %b\r\nContent-Length: %d\r\n"
                b"Content-Type: application/x-git-upload-pack-request\r\n\r\n%b"
                % (UPLOAD_PACK.encode(), login, len(asked), asked)
            )
            assert raw.recv(12) == b"HTTP/1.1 200"
    found = psutil.Process(server.known.pid)
    psutil.wait_procs(found.children(recursive=True), timeout=20)
    assert found.children(recursive=True) == []
    assert server.ask("GET", ADVERTISE)[0] == 200


def test_many_ask_at_once(server: Running, tmp_path: Path) -> None:
    words = ["git", "clone", "--quiet", server.url()]
    clones = [subprocess.Popen([*words, str(tmp_path / f"copy-{number}")]) for number in range(12)]
    assert [copy.wait() for copy in clones] == [0] * 12


def test_a_repository_that_went_away_is_an_error_and_not_a_hang(server: Running, origin: Path) -> None:
    (origin / ".git").rename(origin / "gone")
    assert server.ask("GET", ADVERTISE)[0] == 404
    (origin / "gone").rename(origin / ".git")
    assert server.ask("GET", ADVERTISE)[0] == 200


def test_nothing_is_left_in_its_folder(server: Running, origin: Path, tmp_path: Path) -> None:
    clone(server.url(), tmp_path / "copy")
    assert list((server.folder / "tmp").iterdir()) == []
    assert TOKEN not in (server.folder / "log").read_text()


def test_the_settings_of_the_user_do_not_count(tmp_path: Path) -> None:
    told = gitserver._settings(tmp_path)
    assert told["GIT_CONFIG_GLOBAL"] == "/dev/null"
    assert told["GIT_CONFIG_NOSYSTEM"] == "1"


def test_a_rehearsal_sees_its_own_commit_and_nobody_elses_does(server: Running, origin: Path, tmp_path: Path) -> None:
    """One that no branch reaches; below another id there is nothing."""
    one, other = "0" * 26, "1" * 26
    tree = git(origin, "rev-parse", "HEAD^{tree}")
    made = git(origin, "commit-tree", tree, "-p", "HEAD", "-m", "A merge that nobody made")
    git(origin, "update-ref", rehearsals.ref_of(one), made)
    url = server.url().removesuffix(PATH)
    assert clone(f"{url}/rehearsals/{one}{PATH}", tmp_path / "mine", "-c", "protocol.version=2").returncode == 0
    assert git(tmp_path / "mine", "for-each-ref", "--format=%(objectname)", "refs/remotes/origin/rehearsal") == made
    assert "origin/main" not in git(tmp_path / "mine", "branch", "--remotes")
    assert made not in git(tmp_path, "ls-remote", f"{url}/rehearsals/{other}{PATH}")
    assert made not in git(tmp_path, "ls-remote", server.url())
    assert server.ask("GET", f"/rehearsals/../{ADVERTISE.lstrip('/')}")[0] == 404
    assert server.ask("GET", f"/rehearsals/{one}{PATH}/info/refs?service=git-receive-pack")[0] == 403
