"""The GitHub Action and the GitLab job: they parse, and what they call is there."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from karrots.cli.root import load

FOLDER = Path(__file__).parents[3] / "ci" / "rehearse"
ACTION: dict[str, Any] = yaml.safe_load((FOLDER / "action.yml").read_text("utf-8"))
JOB: dict[str, Any] = yaml.safe_load((FOLDER / "gitlab.yml").read_text("utf-8"))["rehearse"]
STEPS = [step for step in ACTION["runs"]["steps"] if "run" in step]
LINES = [*(line.strip() for step in STEPS for line in step["run"].splitlines()), *JOB["script"]]


def options(verb: str) -> set[str]:
    return {name for parameter in load(verb).params for name in (*parameter.opts, *parameter.secondary_opts)}


@pytest.mark.parametrize(
    "script", [*(step["run"] for step in STEPS), "\n".join(JOB["script"])], ids=lambda text: text[:20]
)
def test_each_script_is_one_for_a_shell(script: str) -> None:
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_they_call_is_there() -> None:
    called = [shlex.split(line.split("||")[0]) for line in LINES if line.startswith("karrots ")]
    assert {words[1] for words in called} == {"engine", "rehearse"}
    assert all("build" in load("engine").commands for words in called if words[1] == "engine")
    named = {
        word for line in LINES for word in re.findall(r"--[a-z-]+", line) if "pip" not in line and "git" not in line
    }
    assert {"--junit", "--markdown", "--merge", "--against", "--timeout", "--no-terraform"} <= named
    assert named <= options("rehearse")


def test_nothing_of_a_pull_request_is_put_into_a_script() -> None:
    """GitHub puts the text of an expression into the script before the shell reads it: a branch's name may be code."""
    assert all("${{" not in step["run"] for step in STEPS)


def test_every_input_is_used_and_described() -> None:
    text = (FOLDER / "action.yml").read_text("utf-8")
    for name, entry in ACTION["inputs"].items():
        assert entry["description"]
        assert f"inputs.{name}" in text


def test_every_variable_of_a_script_is_given() -> None:
    own = {"RUNNER_TEMP", "GITHUB_PATH", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"}
    for step in STEPS:
        used = set(re.findall(r"\$\{?([A-Z_]+)", step["run"]))
        assert used <= own | set(step.get("env", {})), step["name"]


def test_both_keep_the_report_when_it_fails() -> None:
    assert JOB["artifacts"]["when"] == "always"
    assert JOB["artifacts"]["reports"]["junit"] == "rehearsal.xml"
    assert 'exit "$status"' in STEPS[-1]["run"]
