"""A program that speaks as Infracost does, on PATH for a test."""

from __future__ import annotations

import json
import os
import shlex
from typing import TYPE_CHECKING, Any

from karrots.adapters import infracost

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def resource(name: str, hourly: str | None, **more: Any) -> dict[str, Any]:
    return {"name": name, "metadata": {}, "hourlyCost": hourly, "costComponents": [], **more}


def answer(*resources: dict[str, Any], unknown: tuple[str, ...] = (), **metadata: Any) -> dict[str, Any]:
    """As `infracost breakdown --format json` writes it, version 0.2."""
    project = {
        "name": "plan.json", "metadata": {"path": "plan.json", "type": "terraform_plan_json", **metadata},
        "pastBreakdown": {"resources": []}, "breakdown": {"resources": list(resources)},
    }  # fmt: skip
    return {
        "version": "0.2", "currency": "USD", "projects": [project],
        "summary": {"unsupportedResourceCounts": dict.fromkeys(unknown, 1)},
    }  # fmt: skip


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, says: str, *, ends: str = "exit 0") -> Path:
    """On PATH, with somebody logged in. Gives the folder in which it writes down how it was asked, and for what."""
    heard = folder / "heard"
    heard.mkdir(parents=True)
    (heard / "answer").write_text(says)
    place = shlex.quote(str(heard))
    lines = (
        "#!/bin/sh", f'printf "%s\\n" "$@" > {place}/argv', f"env > {place}/env", f'cp "$3" {place}/plan.json',
        f'ls -l "$3" > {place}/mode', f"cat {place}/answer", ends,
    )  # fmt: skip
    program = folder / "bin" / infracost.PROGRAM
    program.parent.mkdir()
    program.write_text("\n".join(lines) + "\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv(infracost.KEY, "ico-example")
    return heard


def plan_of(heard: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((heard / "plan.json").read_text())
    return found
