from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from karrots import places
from karrots.engine import __main__ as command
from karrots.engine import folder
from karrots.errors import ExitCode

if TYPE_CHECKING:
    from pathlib import Path


def test_an_error_is_one_line_with_its_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = command.main(["up", "--id", "01a", "--name", "qa", "--repository", str(tmp_path)])
    assert status == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        f"karrots engine: {tmp_path} is not a git directory: it has no HEAD (next: give the path of a .git folder)\n"
    )


def test_down_of_what_is_not_there_is_fine(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["down", "--id", "01a"]) == ExitCode.DONE
    assert capsys.readouterr().out == "ended 0 processes, freed 0 ports, deleted 0 files\n"


def test_down_of_a_half_made_cluster_deletes_it(capsys: pytest.CaptureFixture[str]) -> None:
    place = folder.of("01a")
    place.prepare()
    place.state.write_text("{")
    assert command.main(["down", "--id", "01a"]) == ExitCode.DONE
    assert "deleted 2 files" in capsys.readouterr().out
    assert list(places.engine_clusters().iterdir()) == []


@pytest.mark.parametrize("verb", ["stop", "nodes"])
def test_a_cluster_that_is_not_there_is_not_found(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    more = ["--count", "2"] if verb == "nodes" else []
    assert command.main([verb, "--id", "01a", *more]) == ExitCode.NOT_FOUND
    assert capsys.readouterr().err == "karrots engine: the engine has no cluster '01a' (next: karrots engine list)\n"


@pytest.mark.parametrize("count", ["0", "-1", "1001"])
def test_a_number_of_nodes_that_makes_no_sense_is_refused(count: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["nodes", "--id", "01a", "--count", count]) == ExitCode.USAGE
    assert "1 to 1000 nodes" in capsys.readouterr().err


def test_it_starts_without_what_it_does_not_need() -> None:
    """Terraform starts it for every apply."""
    script = "import sys, karrots.engine.__main__, karrots.engine.cluster; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.split()
    assert not {"typer", "rich", "kubernetes", "pydantic", "git", "yaml", "jinja2"} & set(loaded)
