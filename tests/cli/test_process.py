"""karrots as a process: what it loads, how it ends, where its output goes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from karrots import __version__
from karrots.errors import ExitCode
from tests.support.command_line import PROGRAM, karrots

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.cli.conftest import Fleet

HEAVY = ("boto3", "google", "azure", "kubernetes")
LOADED = """
import sys
from karrots.app import run
status = run(sys.argv[1:])
sys.stderr.write("\\n".join(sorted({name.partition(".")[0] for name in sys.modules})))
sys.exit(status)
"""


def run(
    *words: str, cwd: Path, settings: Mapping[str, str] | None = None, redirected: str = ""
) -> subprocess.CompletedProcess[str]:
    """With `redirected` what follows the command in a line for sh."""
    line = ["sh", "-c", f'"$@" {redirected}', "sh", *PROGRAM, *words] if redirected else [*PROGRAM, *words]
    environment = {**os.environ, **(settings or {})}
    return subprocess.run(line, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False)


def loaded(*words: str, cwd: Path) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *words], cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


def test_the_version_loads_nothing(tmp_path: Path) -> None:
    assert karrots("--version", cwd=tmp_path).out == f"karrots {__version__}\n"
    assert not loaded("--version", cwd=tmp_path).intersection(
        {*HEAVY, "pydantic", "typer", "rich", "yaml", "git", "jinja2", "cryptography", "psutil", "ruamel"}
    )


def test_the_help_loads_no_sdk(tmp_path: Path) -> None:
    found = loaded("--help", cwd=tmp_path)
    assert not found.intersection({*HEAVY, "pydantic", "yaml", "git", "jinja2", "cryptography", "psutil", "ruamel"})


def test_ls_loads_no_sdk(peopled: Fleet) -> None:
    found = loaded("ls", cwd=peopled.qa)
    assert not found.intersection({*HEAVY, "pydantic", "jinja2", "cryptography", "psutil", "ruamel", "git"})


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_an_end_from_outside(name: str, fleet: Fleet, tmp_path: Path) -> None:
    """While Terraform is asked for its version, which here never answers."""
    stub = tmp_path / "terraform"
    stub.write_text(f"#!/bin/sh\ntouch {tmp_path}/asked\nexec sleep 60\n")
    stub.chmod(0o755)
    settings = {**os.environ, "KARROTS_TERRAFORM": str(stub)}
    child = subprocess.Popen(
        [*PROGRAM, "create", "-o", "json"], cwd=fleet.qa, env=settings, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    while not (tmp_path / "asked").exists():
        assert child.poll() is None
        time.sleep(0.01)
    child.send_signal(getattr(signal, name))
    out, err = child.communicate(timeout=30)
    assert child.returncode == ExitCode.INTERRUPTED
    told = json.loads(out)
    assert told["name"] == "Interrupted"
    assert told["hint"].endswith("create -o json")
    assert "Traceback" not in err
    assert fleet.ledger.records() == []


def test_a_reader_that_has_seen_enough(peopled: Fleet) -> None:
    done = run("schema", "cluster", cwd=peopled.qa, redirected="| true")
    assert (done.returncode, done.stderr) == (0, "")
    done = run("ls", cwd=peopled.qa, redirected="| head -n 1")
    assert done.stdout.startswith("NAME ")
    assert done.stderr == ""


def test_an_end_that_nobody_reads_keeps_its_exit_status(fleet: Fleet) -> None:
    read, write = os.pipe()
    os.close(read)
    child = subprocess.run([*PROGRAM, "create"], cwd=fleet.qa, stderr=write, stdout=write, timeout=60, check=False)
    os.close(write)
    assert child.returncode == ExitCode.PREFLIGHT_FAILED


def test_output_that_is_full(peopled: Fleet) -> None:
    done = run("ls", cwd=peopled.qa, redirected="> /dev/full")
    assert done.returncode == ExitCode.FAILED
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert run("ls", "-o", "json", cwd=peopled.qa, redirected="> /dev/full").returncode == ExitCode.FAILED


def test_output_that_is_closed(peopled: Fleet) -> None:
    assert run("ls", cwd=peopled.qa, redirected=">&-").returncode == 0
    assert run("show", "none", cwd=peopled.qa, redirected="2>&-").returncode == ExitCode.NOT_FOUND


def test_a_terminal_that_knows_ascii_only(fleet: Fleet) -> None:
    old = {"PYTHONIOENCODING": "ascii"}
    fleet.known("qa", branch="main", owner="grüße@example.com", parent=None)
    fleet.known("story", branch="feature/story")
    for words in (("show", "qa"), ("ls",), ("tree",), ("ls", "-o", "json"), ("ls", "-o", "yaml")):
        done = run(*words, cwd=fleet.qa, settings=old)
        assert done.returncode == 0, done.stderr
    assert run("show", "none", cwd=fleet.qa, settings=old).stderr.startswith("x there is no cluster")


def test_words_that_are_not_text(fleet: Fleet) -> None:
    odd = os.fsdecode(b"na\xefve")
    for words in (("show", odd), ("branch", odd, "-o", "json"), ("create", odd), ("diff", odd, "qa"), (odd,)):
        done = run(*words, cwd=fleet.qa)
        assert done.returncode in {ExitCode.USAGE, ExitCode.NOT_FOUND}, done.stderr


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    done = subprocess.run(
        ["sh", "-c", 'cd gone && rmdir ../gone && exec "$@"', "sh", *PROGRAM, "ls"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == ExitCode.USAGE
    assert "the folder you stand in is gone" in done.stderr


def completed(*words: str, cwd: Path, settings: Mapping[str, str] | None = None) -> list[str]:
    """What bash is offered for the last word."""
    asked = {"_KARROTS_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    done = run(cwd=cwd, settings={**asked, **(settings or {})})
    assert done.stderr == ""
    return done.stdout.split()


def test_completion_offers_clusters_and_asks_no_network(peopled: Fleet, tmp_path: Path) -> None:
    """The remote's address leads to a program that would leave a trace."""
    trace = tmp_path / "asked"
    spy = tmp_path / "ssh"
    spy.write_text(f"#!/bin/sh\ntouch {trace}\nexit 1\n")
    spy.chmod(0o755)
    peopled.git("remote", "add", "origin", "ssh://git@fleet.example/fleet.git")
    settings = {"GIT_SSH_COMMAND": str(spy)}
    assert completed("karrots", "show", "s", cwd=peopled.qa, settings=settings) == ["story"]
    assert completed("karrots", "destroy", "q", cwd=peopled.root, settings=settings) == ["qa"]
    assert not trace.exists()


def test_completion_offers_verbs_and_is_silent_elsewhere(tmp_path: Path) -> None:
    assert completed("karrots", "de", cwd=tmp_path) == ["demo", "destroy"]
    assert completed("karrots", "show", "s", cwd=tmp_path) == []
