"""karrots as a user starts it: a process of its own, with the test's own environment."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TIMEOUT = 180.0
PROGRAM = [sys.executable, "-m", "karrots"]


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """What `-o json` wrote to stdout: one document and nothing else."""
        found: dict[str, Any] = json.loads(self.out)
        return found


def karrots(
    *words: str, cwd: Path, env: Mapping[str, str] | None = None, expect: int | None = 0, stdin: str = ""
) -> Outcome:
    """Run it; `expect` None accepts any exit status, `env` None is the test's own."""
    done = subprocess.run(
        [*PROGRAM, *words], cwd=cwd, env=env, input=stdin, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    outcome = Outcome(done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in outcome.err, outcome.err
    if expect is not None:
        assert outcome.status == expect, f"{words}: exit {outcome.status}\n{outcome.out}\n{outcome.err}"
    return outcome
