"""Guards and preflight: what stands in the way is said before anything is touched."""

from __future__ import annotations

import http.server
import json
import os
import socket
import stat
import subprocess
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from karrots import computer, places
from karrots.adapters import git_command
from karrots.engine import assets, recipe
from karrots.errors import ExitCode
from karrots.fleet import operations
from karrots.fleet.record import Parent
from tests.cli.conftest import lines_of_json
from tests.support import repositories
from tests.support.command_line import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import CommandLine, Fleet, Refusal


@pytest.fixture
def no_terraform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git alone is on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "git").symlink_to(next(p for p in map(git_in, os.environ["PATH"].split(":")) if p))
    monkeypatch.setenv("PATH", str(folder))


def git_in(folder: str) -> str:
    path = os.path.join(folder, "git")  # noqa: PTH118
    return path if os.access(path, os.X_OK) else ""


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_a_protected_cluster_is_not_destroyed(fleet: Fleet, refused: Refusal) -> None:
    fleet.known("prod", protected=True)
    told = refused("destroy", "prod", "--yes", code=ExitCode.REFUSED)
    assert "cluster 'prod' is protected" in told.err
    assert "policies.protected" in told.err


@pytest.mark.parametrize("words", [("create",), ("branch", "feature/x")], ids=" ".join)
def test_an_ejected_root_that_is_not_valid(
    words: tuple[str, ...], fleet: Fleet, karrots: CommandLine, refused: Refusal
) -> None:
    """Before a name is claimed or a branch is made: `refused` looks that no ref has moved."""
    karrots("eject", cwd=fleet.qa)
    fleet.commit({"clusters/qa/terraform/own.tf": 'output "x" {\n  value = var.nothing\n}\n'})
    told = refused(*words, code=ExitCode.PREFLIGHT_FAILED).err
    assert "Terraform root: clusters/qa/terraform/own.tf:2: Reference to undeclared input variable" in told
    assert "edit clusters/qa/terraform/own.tf:2, then: git commit -a" in told


def test_the_parent_of_a_live_branch_is_not_destroyed(fleet: Fleet, refused: Refusal) -> None:
    parent = fleet.known("qa")
    fleet.known("story", parent=Parent(name="qa", id=parent.id, commit="0" * 40))
    told = refused("destroy", "qa", "--yes", code=ExitCode.REFUSED)
    assert "is the parent of live branches: story" in told.err
    assert "karrots destroy story" in told.err


def test_a_cluster_of_another_computer_is_not_touched(fleet: Fleet, refused: Refusal) -> None:
    fleet.known("story", host="elsewhere")
    for words in (("destroy", "story", "--yes"), ("env", "story"), ("kubeconfig", "story"), ("run", "story", "true")):
        told = refused(*words, code=ExitCode.REFUSED)
        assert "lives on the computer 'elsewhere'" in told.err


@pytest.mark.parametrize("words", [("destroy", "story"), ("destroy", "story", "--no-input")], ids=" ".join)
def test_a_name_that_is_not_typed(words: tuple[str, ...], fleet: Fleet, refused: Refusal) -> None:
    fleet.known("story")
    told = refused(*words, code=ExitCode.REFUSED)
    assert "its name was not typed" in told.err
    assert "karrots destroy story --yes" in told.err


def test_yes_alone_destroys_nothing_found_from_the_directory(fleet: Fleet, refused: Refusal) -> None:
    fleet.known("qa", branch="main")
    told = refused("destroy", "--yes", code=ExitCode.REFUSED)
    assert "its name was not typed" in told.err


def test_an_empty_name_is_no_order(fleet: Fleet, refused: Refusal) -> None:
    """`karrots destroy "$UNSET" --yes` must not find the cluster of the directory."""
    fleet.known("qa", branch="main")
    refused("destroy", "", "--yes", code=ExitCode.NOT_FOUND)
    refused("create", "", code=ExitCode.USAGE)
    refused("branch", "feature/x", "", code=ExitCode.USAGE)


def test_a_cluster_that_somebody_works_on(fleet: Fleet, refused: Refusal) -> None:
    fleet.known("story", branch="main", operation=operations.started_here("apply", "grace@example.com"))
    for words in (("destroy", "story", "--yes"), ("create", "story")):
        told = refused(*words, code=ExitCode.LOCKED)
        assert "'story' is being worked on" in told.err
        assert "grace@example.com runs apply on" in told.err
        assert f"kill {os.getpid()}" in told.err


@pytest.mark.parametrize("typed", [(), ("--take-over", "story"), ("--take-over", "0" * 26)])
def test_a_holder_past_its_lease_is_not_taken_over_by_mistake(
    fleet: Fleet, refused: Refusal, typed: tuple[str, ...]
) -> None:
    """The hint is the command to type; wide lines, so that it can be copied."""
    late = replace(operations.started_here("apply", "grace@example.com"), until="2026-01-01T00:00:00Z")
    fleet.known("story", branch="main", operation=late)
    for words in (("destroy", "story", "--yes"), ("create", "story")):
        told = refused(*words, *typed, code=ExitCode.LOCKED)
        assert f"karrots {' '.join(words)} --take-over {late.id}" in " ".join(told.err.split())


def test_another_computer_of_the_same_name(fleet: Fleet, refused: Refusal) -> None:
    """A new home, or a new state folder."""
    fleet.known("story", host_id="0" * 26)
    told = refused("destroy", "story", "--yes", code=ExitCode.REFUSED)
    assert f"lives on the computer 'another {computer.name()} (this one has a new state folder" in told.err


def test_several_clusters_on_one_branch(fleet: Fleet, refused: Refusal) -> None:
    fleet.known("one", branch="main")
    fleet.known("two", branch="main")
    told = refused("show", code=ExitCode.USAGE)
    assert "several clusters follow 'main': one, two" in told.err


def test_what_a_killed_destroy_still_remembered_is_forgotten(fleet: Fleet, karrots: CommandLine) -> None:
    """Killed after the receipt and before the last files: the same command again takes them away."""
    made = fleet.known("story")
    fleet.ledger.retire(made, {"cluster": "story", "id": made.id, "destroyed": "2026-11-21T08:00:00Z", "by": "ada"})
    fleet.git("update-ref", f"refs/karrots/applied/{made.id}", "HEAD")
    for file in (places.footprint(made.id), places.kubeconfig(made.id)):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}")
    karrots("destroy", "story", "--yes", cwd=fleet.qa, expect=ExitCode.NOT_FOUND)
    assert not places.footprint(made.id).exists()
    assert not places.kubeconfig(made.id).exists()
    assert fleet.git("for-each-ref", "refs/karrots/applied") == ""


def test_a_cluster_that_was_destroyed_says_where_its_receipt_is(fleet: Fleet, refused: Refusal) -> None:
    made = fleet.known("story")
    fleet.ledger.retire(made, {"cluster": "story", "id": made.id, "destroyed": "2026-11-21T08:00:00Z", "by": "ada"})
    told = refused("destroy", "story", "--yes", code=ExitCode.NOT_FOUND)
    assert "was destroyed at 2026-11-21T08:00:00Z" in told.err
    assert f"git show karrots/fleet:gone/story-{made.id}.json" in told.err


def test_a_cluster_that_does_not_run(fleet: Fleet, refused: Refusal) -> None:
    fleet.known("story")
    for words in (("env", "story"), ("kubeconfig", "story"), ("run", "story", "true")):
        told = refused(*words, code=ExitCode.NOT_FOUND)
        assert "cluster 'story' is not running" in told.err
        assert "karrots apply story" in told.err


def test_a_branch_that_is_gone(fleet: Fleet, refused: Refusal) -> None:
    fleet.known("story")
    told = refused("apply", "story", code=ExitCode.NOT_FOUND)
    assert "the branch 'feature/story' of cluster 'story' is gone" in told.err


def test_a_provider_this_version_does_not_have(fleet: Fleet, karrots: CommandLine, refused: Refusal) -> None:
    fleet.known("cloud", provider="moon", host="")
    told = refused("destroy", "cloud", "--yes", code=ExitCode.USAGE)
    assert "cannot make clusters of provider 'moon'" in told.err
    assert "pip install --upgrade karrots" in told.err
    assert "cannot make clusters of provider 'moon'" in karrots("show", "cloud", cwd=fleet.qa).out
    assert "no answer" in karrots("status", cwd=fleet.qa).out


@pytest.mark.usefixtures("no_terraform")
def test_no_terraform(fleet: Fleet, refused: Refusal) -> None:
    fleet.known("story")
    for words in (("create",), ("create", "--dry-run"), ("branch", "feature/x"), ("destroy", "story", "--yes")):
        told = refused(*words, code=ExitCode.PREFLIGHT_FAILED)
        assert "there is no Terraform on this computer" in told.err
        assert "opentofu" in told.err


@pytest.mark.usefixtures("no_terraform")
def test_no_terraform_has_a_name_of_its_own(fleet: Fleet, karrots: CommandLine) -> None:
    fleet.known("story")
    told = karrots("destroy", "story", "--yes", "-o", "json", cwd=fleet.qa, expect=ExitCode.PREFLIGHT_FAILED)
    assert told.document["name"] == "ToolMissing"


@pytest.mark.parametrize("text", ["not a program", "#!/bin/sh\nexit 3\n", "#!/bin/sh\necho Terraform v1.2.3\n", ""])
def test_a_broken_terraform(
    text: str, fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refusal
) -> None:
    named = program(tmp_path / "bin" / "terraform", text)
    monkeypatch.setenv("KARROTS_TERRAFORM", str(named))
    fleet.known("story")
    for words in (("create",), ("destroy", "story", "--yes")):
        assert f"'{named}' cannot be used as Terraform" in refused(*words, code=ExitCode.PREFLIGHT_FAILED).err


def test_an_engine_that_is_a_garbage_file(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refusal
) -> None:
    garbage = tmp_path / "engine"
    garbage.write_bytes(b"\x00garbage")
    monkeypatch.setenv("KARROTS_ENGINE_BIN", str(garbage))
    for words in (("create",), ("branch", "feature/x"), ("engine", "build")):
        told = refused(*words, code=ExitCode.PREFLIGHT_FAILED)
        assert "KARROTS_ENGINE_BIN names a folder that is not a whole engine" in told.err
        assert "unset KARROTS_ENGINE_BIN" in told.err


def test_an_engine_whose_programs_are_garbage(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refusal
) -> None:
    folder = tmp_path / "engine"
    for each in recipe.engine().programs:
        program(folder / each.name, "\x00garbage")
    for name in assets.FILES:
        (folder / name).write_text('{"versions": {"kubernetes": "v1.36.0", "kwok": "v0.7.0"}, "files": {}}')
    monkeypatch.setenv("KARROTS_ENGINE_BIN", str(folder))
    for words in (("engine", "build"), ("create",), ("branch", "feature/x")):
        told = refused(*words, code=ExitCode.PREFLIGHT_FAILED)
        assert "the engine's program" in told.err
        assert "does not work" in told.err


def test_a_pool_that_is_used_up(fleet: Fleet, with_nothing_in_the_way: None, refused: Refusal) -> None:
    fleet.edit("karrots.yaml", '"10.64.0.0/10"', '"10.64.0.0/20"')
    fleet.known("story", network="10.64.0.0/20")
    for words in (("create",), ("branch", "feature/x")):
        told = refused(*words, code=ExitCode.PREFLIGHT_FAILED)
        assert "the address pool '10.64.0.0/20' is used up" in told.err
        assert "karrots ls" in told.err


@pytest.fixture
def with_nothing_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that looks like a whole engine, and a Terraform that knows its version and nothing else."""
    folder = tmp_path / "engine"
    for each in recipe.engine().programs:
        program(folder / each.name, "#!/bin/sh\n")
    for name in assets.FILES:
        (folder / name).write_text('{"versions": {"kubernetes": "v1.36.0", "kwok": "v0.7.0"}, "files": {}}')
    monkeypatch.setenv("KARROTS_ENGINE_BIN", str(folder))
    stub = program(tmp_path / "stub" / "terraform", STUB)
    monkeypatch.setenv("KARROTS_TERRAFORM", str(stub))


STUB = """#!/bin/sh
case "$*" in
  *version*) echo 'Terraform v1.11.4' ;;
  *) echo 'the stub does nothing' >&2; exit 1 ;;
esac
"""


def test_a_terraform_that_fails(fleet: Fleet, with_nothing_in_the_way: None, karrots: CommandLine) -> None:
    """What exists is kept, the record says so, and the same command goes on."""
    told = karrots("create", cwd=fleet.qa, expect=ExitCode.FAILED)
    assert "karrots create" in told.err
    assert "\n  log  " in told.err
    found = fleet.ledger.get("qa")
    assert found.phase == "failed"
    assert found.operation is None
    again = karrots("create", "-o", "json", cwd=fleet.qa, expect=ExitCode.FAILED)
    assert again.document["hint"] == "karrots create -o json"
    assert fleet.ledger.get("qa").id == found.id
    assert all("event" in line for line in lines_of_json(again.err))


def test_what_is_left_of_a_destroyed_cluster(fleet: Fleet, karrots: CommandLine) -> None:
    """A port that the cluster held and that somebody listens on is found by the sweep; the real Terraform runs."""
    made = fleet.known("story")
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = str(stranger.getsockname()[1])
        held = places.footprint(made.id)
        places.private_folder(held.parent)
        held.write_text(json.dumps({"ports": [port]}))
        told = karrots("destroy", "story", "--yes", "-o", "json", cwd=fleet.qa, expect=ExitCode.LEFTOVERS).document
    assert told["name"] == "Leftovers"
    assert f"port: {port}" in told["why"]
    assert told["hint"] == "karrots destroy story"
    assert fleet.ledger.get("story").phase == "destroying"
    receipt = karrots("destroy", "story", "--yes", "-o", "json", cwd=fleet.qa).document
    assert receipt["kind"] == "Receipt"
    assert fleet.ledger.find("story") is None


def test_what_terraform_does_not_know_of_is_ended(fleet: Fleet, karrots: CommandLine) -> None:
    """A folder of the cluster that neither a state nor the engine's own list tells of; the real Terraform runs."""
    made = fleet.known("story")
    folder = places.private_folder(places.engine_clusters() / made.id)
    (folder / "half-made").touch()
    karrots("destroy", "story", "--yes", cwd=fleet.qa)
    assert not folder.exists()
    assert fleet.ledger.find("story") is None


class AsksForALogin(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="fleet"')
        self.end_headers()

    def log_message(self, *words: object) -> None:
        """Says nothing."""


@pytest.fixture
def closed_remote() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), AsksForALogin)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/fleet.git"
    server.shutdown()
    server.server_close()


def test_a_remote_that_wants_a_login(
    closed_remote: str, fleet: Fleet, monkeypatch: pytest.MonkeyPatch, refused: Refusal
) -> None:
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "http")
    fleet.git("remote", "add", "origin", closed_remote)
    for words in (("create",), ("ls", "--fetch")):
        told = refused(*words, code=ExitCode.LOGIN_NEEDED)
        assert "wants a log-in" in told.err
        assert "git ls-remote origin" in told.err


def test_a_remote_that_is_not_there(fleet: Fleet, tmp_path: Path, refused: Refusal) -> None:
    fleet.git("remote", "add", "origin", str(tmp_path / "gone.git"))
    told = refused("create", code=ExitCode.FAILED)
    assert "the git remote 'origin' could not be used" in told.err


def test_a_home_that_cannot_be_written(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, karrots: CommandLine
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KARROTS_HOME", str(tmp_path / "file" / "below"))
    before = fleet.git("for-each-ref")
    told = karrots("create", cwd=fleet.qa, expect=ExitCode.FAILED)
    assert f"'{tmp_path / 'file' / 'below'}' cannot be used" in told.err
    assert fleet.git("for-each-ref") == before


LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))
from karrots.app import run
sys.exit(run(sys.argv[1:]))
"""


def test_a_full_disk(fleet: Fleet) -> None:
    """No file may grow beyond 64 bytes: the journal cannot be written, and nothing else is begun."""
    before = fleet.picture()
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, "create"], cwd=fleet.qa, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == ExitCode.FAILED, done.stderr
    assert "cannot be used" in done.stderr
    assert "free some space" in done.stderr
    assert "Traceback" not in done.stderr
    assert fleet.picture() == before


def test_a_bug_is_told_with_its_report(fleet: Fleet, tmp_path: Path) -> None:
    """A dependency that falls over stands for any mistake of ours."""
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "pydantic.py").write_text("raise RuntimeError('this is broken')\n")
    settings = {**os.environ, "PYTHONPATH": str(tmp_path / "broken")}
    done = subprocess.run(
        [*PROGRAM, "create", "-o", "json"], cwd=fleet.qa, env=settings, capture_output=True, text=True, check=False
    )
    assert done.returncode == ExitCode.BUG
    assert '"code": 70' in done.stdout
    assert "Traceback" not in done.stderr
    assert "this is broken" in (places.state() / "bug.log").read_text()


def test_a_repository_with_a_branch_in_the_way_at_the_ledger(tmp_path: Path, karrots: CommandLine) -> None:
    """A branch called `karrots` leaves no room for karrots/fleet."""
    root = tmp_path / "plain"
    repositories.repository(root)
    repositories.git(root, "branch", "karrots")
    told = karrots("ls", cwd=root)
    assert "no clusters yet" in told.out


def test_a_remote_that_does_not_answer_in_time(fleet: Fleet, refused: Refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the connection and says nothing: exit 7, and nothing of git is left waiting for it."""
    monkeypatch.setattr(git_command, "NETWORK_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        fleet.git("remote", "add", "origin", f"http://127.0.0.1:{silent.getsockname()[1]}/fleet.git")
        told = refused("ls", "--fetch", code=ExitCode.TIMED_OUT)
        assert "the git remote 'origin' did not answer within 1 s" in told.err
        lines = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
        assert not [line for line in lines if f":{silent.getsockname()[1]}/" in line]


def test_a_computer_that_does_not_know_whose_commits_it_makes(
    karrots: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside a repository as well: it is the first thing a new fleet needs."""

    def looked_at() -> dict[str, Any]:
        checks = karrots("doctor", "-o", "json", cwd=tmp_path, expect=ExitCode.PREFLIGHT_FAILED).document["checks"]
        return next(check for check in checks if check["what"] == "git identity")

    assert looked_at()["found"] == "Ada Example <ada@example.com>"
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.delenv(f"GIT_{who}_NAME")
        monkeypatch.delenv(f"GIT_{who}_EMAIL")
    assert (looked_at()["ok"], looked_at()["found"]) == (False, "not set")
    assert "git config --global user.name" in looked_at()["hint"]
    repositories.git(tmp_path, "config", "--global", "user.name", "Ada Example")
    repositories.git(tmp_path, "config", "--global", "user.email", "ada@example.com")
    assert looked_at()["ok"]
