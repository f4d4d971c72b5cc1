from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from karrots.adapters import terraform_tool
from karrots.adapters.terraform_tool import Tool, examine, locate
from karrots.errors import PreflightFailed, ToolMissing


def program(folder: Path, name: str, says: str, status: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\nprintf '%s\\n' {shlex.quote(says)}\nexit {status}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def path_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_the_real_one_is_found() -> None:
    tool = locate()
    assert tool.kind in {"terraform", "tofu"}
    assert tool.version.startswith(".".join(map(str, tool.release)))


def test_opentofu_is_told_apart_by_what_it_says(path_folder: Path) -> None:
    path = program(path_folder, "tofu", "OpenTofu v1.12.0-rc1\non linux_amd64")
    assert locate() == Tool(path, "tofu", "1.12.0-rc1", (1, 12, 0))


def test_terraform_comes_before_tofu(path_folder: Path) -> None:
    program(path_folder, "tofu", "OpenTofu v1.12.0")
    program(path_folder, "terraform", "Terraform v1.15.5\n\nYour version of Terraform is out of date!")
    assert locate().version == "1.15.5"


def test_a_terraform_too_old_gives_way_to_tofu(path_folder: Path) -> None:
    program(path_folder, "terraform", "Terraform v1.5.7")
    program(path_folder, "tofu", "OpenTofu v1.12.0")
    assert locate().kind == "tofu"


def test_a_terraform_too_old_alone_is_an_error(path_folder: Path) -> None:
    program(path_folder, "terraform", "Terraform v1.5.7")
    with pytest.raises(PreflightFailed, match="cannot be used as Terraform") as caught:
        locate()
    assert "1.5.7" in caught.value.why
    assert "1.6.0" in caught.value.why
    assert caught.value.hint


def test_none_at_all(path_folder: Path) -> None:
    with pytest.raises(ToolMissing, match="no Terraform") as caught:
        locate()
    assert "opentofu" in caught.value.hint


def test_the_install_line_is_that_of_this_system(path_folder: Path) -> None:
    program(path_folder, "brew", "Homebrew")
    with pytest.raises(ToolMissing) as caught:
        locate()
    assert caught.value.hint == "brew install opentofu"


def test_the_variable_comes_first(path_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(path_folder, "terraform", "Terraform v1.15.5")
    named = program(tmp_path / "elsewhere", "my tf", "OpenTofu v1.7.0")
    monkeypatch.setenv(terraform_tool.VARIABLE, str(named))
    assert locate() == Tool(named, "tofu", "1.7.0", (1, 7, 0))


def test_the_variable_may_name_a_program_on_path(path_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = program(path_folder, "tofu", "OpenTofu v1.7.0")
    monkeypatch.setenv(terraform_tool.VARIABLE, "tofu")
    assert locate().path == named


def test_the_variable_names_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(terraform_tool.VARIABLE, "/no/such/terraform")
    with pytest.raises(ToolMissing, match="'/no/such/terraform'") as caught:
        locate()
    assert "unset KARROTS_TERRAFORM" in caught.value.hint


def test_the_variable_names_a_file_that_is_not_executable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "terraform").write_text("x")
    monkeypatch.setenv(terraform_tool.VARIABLE, str(tmp_path / "terraform"))
    with pytest.raises(PreflightFailed, match="cannot be used as Terraform") as caught:
        locate()
    assert "executable" in caught.value.why


def test_a_program_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(PreflightFailed) as caught:
        examine(program(tmp_path, "terraform", "GNU something 2.0"))
    assert "GNU something 2.0" in caught.value.why


def test_a_program_that_fails(tmp_path: Path) -> None:
    with pytest.raises(PreflightFailed) as caught:
        examine(program(tmp_path, "terraform", "Terraform v1.15.5", status=3))
    assert "status 3" in caught.value.why


def test_a_binary_of_another_computer(tmp_path: Path) -> None:
    garbage = tmp_path / "terraform"
    garbage.write_bytes(b"\x7fELF\x00\x00garbage")
    garbage.chmod(0o755)
    with pytest.raises(PreflightFailed) as caught:
        examine(garbage)
    assert "does not start" in caught.value.why


@pytest.mark.parametrize(
    ("kind", "release", "expected"),
    [
        ("terraform", (1, 8, 5), False),
        ("terraform", (1, 9, 0), True),
        ("tofu", (1, 6, 2), False),
        ("tofu", (1, 7, 0), True),
    ],
)
def test_who_speaks_json_at_init(kind: str, release: tuple[int, int, int], expected: bool) -> None:
    assert Tool(Path("x"), kind, "", release).speaks_json_at_init is expected
