from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from karrots import clock, effects, faults, files
from karrots.adapters import process
from karrots.effects import effect
from karrots.errors import TimedOut, ToolFailed, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WRITER = """
import os, sys
from pathlib import Path
from karrots import faults, files
faults.arm(os.environ)
for number in range(3):
    files.write(Path(sys.argv[1]), f"{number}" * 4000)
"""


@pytest.fixture(autouse=True)
def _no_plan_left() -> Iterator[None]:
    yield
    effects.arm(None)


def plan(text: str) -> None:
    faults.arm({effects.FAULTS: text, faults.SWITCH: faults.CONSENT})


def test_a_plan_without_consent_is_refused() -> None:
    with pytest.raises(UsageError, match="KARROTS_FAULTS is set") as caught:
        faults.arm({effects.FAULTS: "at=1"})
    assert caught.value.hint == "unset KARROTS_FAULTS"


@pytest.mark.parametrize("text", ["at", "at=x", "what=7", "kind=flood", "when=never", "at='1", "skew=1,x@2"])
def test_what_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no fault plan"):
        plan(text)


def test_the_command_line_refuses_it_too(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "karrots", "ls"], cwd=tmp_path, env={**os.environ, effects.FAULTS: "at=1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "KARROTS_FAULTS is set" in done.stderr


def test_effects_are_counted_and_logged(tmp_path: Path) -> None:
    plan(f"log={tmp_path}/log")
    for number in range(3):
        files.write(tmp_path / "x", str(number))
    assert (tmp_path / "log").read_text() == "".join(f"{n} write {tmp_path}/x\n" for n in (1, 2, 3))


@pytest.mark.parametrize(("when", "text"), [("before", "1"), ("after", "2")])
def test_the_effect_named_fails_and_no_other(when: str, text: str, tmp_path: Path) -> None:
    plan(f"at=2 kind=error when={when}")
    files.write(tmp_path / "x", "1")
    with pytest.raises(OSError, match="x"):
        files.write(tmp_path / "x", "2")
    assert (tmp_path / "x").read_text() == text
    files.write(tmp_path / "x", "3")
    assert (tmp_path / "x").read_text() == "3"


def test_only_what_matches_counts(tmp_path: Path) -> None:
    plan("at=1 kind=full match='run *'")
    files.write(tmp_path / "x", "")
    with pytest.raises(ToolFailed, match="true could not be run") as caught:
        process.run(["true"])
    assert "No space left" in caught.value.why


def test_a_tool_that_times_out() -> None:
    plan("at=1 kind=timeout")
    with pytest.raises(TimedOut):
        process.run(["true"])


def test_garbage_is_the_same_for_the_same_seed() -> None:
    def answers(seed: int) -> list[bytes]:
        plan(f"at=1 kind=garbage when=after seed={seed}")
        return [process.run(["echo", "one two three four"]).stdout for _ in range(2)]

    assert answers(1) == answers(1)
    assert answers(1)[0] != b"one two three four\n"
    assert answers(1)[1] == b"one two three four\n"
    assert len({answers(seed)[0] for seed in range(20)}) > 5


@pytest.mark.parametrize("when", faults.MOMENTS)
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_kill_leaves_one_whole_file(at: int, when: str, tmp_path: Path) -> None:
    settings = {effects.FAULTS: f"at={at} kind=kill when={when} seed={at}", faults.SWITCH: faults.CONSENT}
    target = tmp_path / "x"
    done = subprocess.run([sys.executable, "-c", WRITER, str(target)], env={**os.environ, **settings}, check=False)
    if when != "during":
        assert done.returncode == -signal.SIGKILL
    written = target.read_text() if target.exists() else ""
    assert written in {"", "0" * 4000, "1" * 4000, "2" * 4000}
    if when == "before":
        assert written == ("" if at == 1 else str(at - 2) * 4000)
    if when == "after":
        assert written == str(at - 1) * 4000


def test_a_clock_that_is_wrong() -> None:
    right = clock.seconds()
    plan("skew=90000")
    assert 89_990 < clock.seconds() - right < 90_010
    plan("skew=0,-90000@2")
    assert abs(clock.seconds() - right) < 10
    assert clock.seconds() - right < -89_000


def test_nothing_is_consulted_without_a_plan() -> None:
    with effect("run", "x") as doing:
        assert doing.garbled(b"x") == b"x"
