"""What Terraform is allowed to see of us."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from karrots import places
from karrots.adapters.terraform import environment

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_always_set() -> None:
    found = environment()
    expected = {
        "TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1", "NO_COLOR": "1",
        "KARROTS_PYTHON": sys.executable,
    }  # fmt: skip
    assert expected.items() <= found.items()
    assert "PATH" in found


@pytest.mark.parametrize(
    "name",
    ["TF_CLI_ARGS", "TF_CLI_ARGS_apply", "TF_WORKSPACE", "TF_DATA_DIR", "TF_VAR_name", "AWS_SECRET_ACCESS_KEY", "TF_X"],
)
def test_what_is_left_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "hush")
    assert name not in environment()


@pytest.mark.parametrize("name", ["TF_CLI_ARGS", "TF_CLI_ARGS_plan", "TF_WORKSPACE", "TF_DATA_DIR"])
def test_what_would_bend_our_arguments_is_left_out_whoever_gives_it(name: str) -> None:
    assert name not in environment({name: "x"})


def test_what_cannot_be_changed() -> None:
    assert environment({"TF_INPUT": "1", "CHECKPOINT_DISABLE": ""}).items() >= {"TF_INPUT": "0"}.items()


def test_what_a_provider_needs_is_added() -> None:
    assert environment({"AWS_PROFILE": "one"})["AWS_PROFILE"] == "one"


@pytest.mark.parametrize("name", ["TF_TOKEN_registry_example_com", "TF_LOG", "SSH_AUTH_SOCK"])
def test_what_may_be_inherited(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "x")
    assert environment()[name] == "x"


def test_a_configuration_file_is_named_when_it_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(tmp_path / "terraformrc"))
    assert "TF_CLI_CONFIG_FILE" not in environment()
    (tmp_path / "terraformrc").touch()
    assert environment()["TF_CLI_CONFIG_FILE"] == str(tmp_path / "terraformrc")
    monkeypatch.delenv("TF_CLI_CONFIG_FILE")
    assert "TF_CLI_CONFIG_FILE" not in environment()


def test_providers_are_kept_in_a_place_of_ours() -> None:
    assert environment()["TF_PLUGIN_CACHE_DIR"] == str(places.cache() / "terraform-providers")


def test_providers_are_kept_where_the_user_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tmp_path / "terraformrc"
    settings.write_text('disable_checkpoint = true\nplugin_cache_dir   = "$HOME/kept"\n')
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(settings))
    monkeypatch.setenv("HOME", "/home/ada")
    assert environment()["TF_PLUGIN_CACHE_DIR"] == "/home/ada/kept"
    monkeypatch.setenv("TF_PLUGIN_CACHE_DIR", "/elsewhere")
    assert environment()["TF_PLUGIN_CACHE_DIR"] == "/elsewhere"


def test_providers_are_kept_where_the_home_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CLI_CONFIG_FILE")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".terraformrc").write_text(f'plugin_cache_dir = "{tmp_path}/kept"\n')
    assert environment()["TF_PLUGIN_CACHE_DIR"] == f"{tmp_path}/kept"


def test_a_run_may_have_providers_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Played providers must not come into the user's cache, where the real ones are looked for."""
    monkeypatch.setenv("TF_PLUGIN_CACHE_DIR", str(tmp_path / "users"))
    assert environment()["TF_PLUGIN_CACHE_DIR"] == str(tmp_path / "users")
    assert environment({"TF_PLUGIN_CACHE_DIR": str(tmp_path / "own")})["TF_PLUGIN_CACHE_DIR"] == str(tmp_path / "own")
