"""The command lines, with defaults and with everything set, and how each defect of python-terraform is avoided."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from karrots.adapters import terraform_argv as build

PROGRAM = Path("/opt/with space/terraform")


def test_init_by_default() -> None:
    assert build.init(PROGRAM) == [
        "/opt/with space/terraform", "init", "-input=false", "-no-color", "-json", "-reconfigure", "-lock-timeout=5m",
    ]  # fmt: skip


def test_init_with_everything() -> None:
    argv = build.init(
        PROGRAM, json=False, backend_config={"key": "a=b", "bucket": "$(id)"}, keep_lock_file=True, upgrade=True
    )
    assert argv[2:] == [
        "-input=false", "-no-color", "-reconfigure", "-lockfile=readonly", "-upgrade", "-lock-timeout=5m",
        "-backend-config=key=a=b", "-backend-config=bucket=$(id)",
    ]  # fmt: skip


def test_init_without_a_state() -> None:
    assert build.init(PROGRAM, backend=False)[-2:] == ["-lock-timeout=5m", "-backend=false"]


def test_plan_by_default() -> None:
    assert build.plan(PROGRAM, Path("/run/one/karrots.tfplan"))[1:] == [
        "plan", "-input=false", "-no-color", "-json", "-detailed-exitcode", "-lock-timeout=5m", "-parallelism=20",
        "-out=/run/one/karrots.tfplan",
    ]  # fmt: skip


def test_plan_with_everything() -> None:
    argv = build.plan(
        PROGRAM, Path("/p"), destroy=True, refresh=False, replace=["a.b", "c.d[0]"], targets=['e.f["g h"]']
    )
    assert argv[8:] == [
        "-destroy", "-refresh=false", "-replace=a.b", "-replace=c.d[0]", '-target=e.f["g h"]', "-out=/p",
    ]  # fmt: skip


def test_apply_takes_a_saved_plan_after_the_options() -> None:
    assert build.apply(PROGRAM, Path("/run/one/p"))[1:] == [
        "apply", "-input=false", "-no-color", "-json", "-lock-timeout=5m", "-parallelism=20", "/run/one/p",
    ]  # fmt: skip


def test_who_does_not_wait_for_a_lock() -> None:
    plan, apply = (
        build.plan(PROGRAM, Path("/p"), lock_timeout="0s"),
        build.apply(PROGRAM, Path("/p"), lock_timeout="0s"),
    )
    for argv in (plan, apply, build.init(PROGRAM, lock_timeout="0s")):
        assert [word for word in argv if word.startswith("-lock-timeout")] == ["-lock-timeout=0s"]


def test_what_is_asked_of_a_state_elsewhere() -> None:
    assert build.state_pull(PROGRAM)[1:] == ["state", "pull"]
    assert build.force_unlock(PROGRAM, "an-id")[1:] == ["force-unlock", "-force", "-no-color", "an-id"]


def test_reading_verbs() -> None:
    assert build.validate(PROGRAM)[1:] == ["validate", "-json", "-no-color"]
    assert build.output(PROGRAM)[1:] == ["output", "-json", "-no-color"]
    assert build.show(PROGRAM)[1:] == ["show", "-json", "-no-color"]
    assert build.show(PROGRAM, Path("/p"))[1:] == ["show", "-json", "-no-color", "/p"]
    assert build.version(PROGRAM)[1:] == ["version"]


def test_state_push_is_two_words() -> None:
    argv = build.state_push(PROGRAM, Path("errored.tfstate"))
    assert argv[1:] == ["state", "push", "-lock-timeout=5m", "errored.tfstate"]


# The defects, by the number they have in the list of this adapter's reference.


def test_defect_1_destroy_is_a_plan_and_never_forced() -> None:
    assert "-force" not in build.plan(PROGRAM, Path("/p"), destroy=True)


def test_defect_2_apply_never_asks_and_never_approves() -> None:
    assert not [word for word in build.apply(PROGRAM, Path("/p")) if "auto-approve" in word]


def test_defect_3_no_folder_is_an_argument() -> None:
    assert all(word.startswith("-") for word in build.plan(PROGRAM, Path("/p"))[2:])


def test_defect_4_options_belong_to_their_verb() -> None:
    assert not [word for word in build.init(PROGRAM) if "parallelism" in word or "var" in word]


def test_defect_6_nothing_of_the_library_leaks_into_the_command() -> None:
    every = [build.init(PROGRAM), build.plan(PROGRAM, Path("/p")), build.apply(PROGRAM, Path("/p"))]
    leaked = ("synchronous", "capture", "raise")
    assert not [word for argv in every for word in argv if any(name in word for name in leaked)]


def test_defect_8_changes_have_their_own_exit_status() -> None:
    assert "-detailed-exitcode" in build.plan(PROGRAM, Path("/p"))


def test_defect_11_no_variable_file_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    build.init(PROGRAM, backend_config={"key": "value"})
    build.plan(PROGRAM, Path("/p"))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(AttributeError):
        build.build(PROGRAM, "plan", var={"password": "hush"})


def test_defect_12_the_backend_configuration_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".terraform").mkdir()
    (tmp_path / ".terraform" / "terraform.tfstate").write_text("not even JSON")
    monkeypatch.chdir(tmp_path)
    assert build.output(PROGRAM)
