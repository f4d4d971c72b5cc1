"""The boundary: which words are ours, and how a failure reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from karrots import errors, places
from karrots.app import (
    Bug,
    error_document,
    error_text,
    explain,
    is_very_verbose,
    own_words,
    report_bug,
    wants_json,
)
from karrots.errors import ExitCode, Failed, KarrotsError, ToolFailed


@pytest.mark.parametrize(
    ("line", "own"),
    [
        ("ls -o json", "ls -o json"),
        ("run qa -- kubectl -o json", "run qa"),
        ("run qa kubectl -o json", "run qa"),
        ("run -o json qa kubectl -vv", "run -o json qa"),
        ("run -C x -q qa kubectl", "run -C x -q qa"),
        ("-C x run qa kubectl -o json", "-C x run qa"),
        ("run", "run"),
        ("", ""),
        ("ls -o", "ls -o"),
    ],
)
def test_own_words(line: str, own: str) -> None:
    assert own_words(line.split()) == own.split()


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("ls -o json", True), ("ls -ojson", True), ("ls --output json", True), ("ls --output=json", True),
        ("ls -qo json", True), ("-C x ls -vvojson", True), ("ls", False), ("ls -o yaml", False), ("ls json", False),
        ("run qa -- x -o json", False), ("run qa x -o json", False), ("branch -o", False),
    ],
)  # fmt: skip
def test_json_is_wanted(line: str, wanted: bool) -> None:
    assert wants_json(line.split()) is wanted


@pytest.mark.parametrize(
    ("line", "loud"),
    [
        ("ls -vv", True), ("ls -v -v", True), ("ls -qvv", True), ("ls --verbose -v", True), ("ls -vvv", True),
        ("ls -v", False), ("ls --verbose", False), ("ls", False), ("run qa -- x -vv", False), ("run qa x -vv", False),
    ],
)  # fmt: skip
def test_very_verbose(line: str, loud: bool) -> None:
    assert is_very_verbose(line.split()) is loud


def test_a_failure_reads_what_why_try_log() -> None:
    error = KarrotsError("it failed", why="one\ntwo", hint="do this\nor that", log=Path("/x/log"))
    assert error_text(error).splitlines()[1:] == [
        "  why  one",
        "       two",
        "  try  do this",
        "       or that",
        "  log  /x/log",
    ]
    assert error_text(error).splitlines()[0].endswith(" it failed")


def test_a_failure_steers_nothing() -> None:
    assert "\x1b" not in error_text(KarrotsError("\x1b[2J", why="\x1b[2J", hint="\x1b[2J"))


def every_kind() -> list[type[KarrotsError]]:
    found = (each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, KarrotsError))
    return [*found, Bug]


@pytest.mark.parametrize(
    "kind", [kind for kind in every_kind() if kind is not ToolFailed], ids=lambda kind: kind.__name__
)
def test_every_kind_as_a_document(kind: type[KarrotsError]) -> None:
    told = error_document(kind("it failed", why="so", hint="do", log=Path("/x")))
    assert told == {
        "apiVersion": "karrots.dev/v1", "kind": "Error", "code": int(kind.code), "name": kind.__name__,
        "message": "it failed", "why": "so", "hint": "do", "log": "/x",
    }  # fmt: skip


def test_every_exit_code_of_an_error_has_a_kind() -> None:
    assert {kind.code for kind in every_kind()} == set(ExitCode) - {ExitCode.DONE, ExitCode.DIFFERENCES}


def test_a_tool_that_failed_gives_its_last_words() -> None:
    error = ToolFailed("git push ended with status 1", argv=["git", "push"], status=1, tail="\nfatal: no\n")
    assert error.why == "fatal: no"
    assert error_document(error)["code"] == ExitCode.FAILED


def test_a_log_in_in_an_address_is_in_no_message(capsys: pytest.CaptureFixture[str]) -> None:
    address = "https://ada:Qz-secret@host.example/fleet.git"
    status = explain(Failed(f"no {address}", why=f"fatal: '{address}'", hint=f"git ls-remote {address}"), [])
    assert status == 8
    told = capsys.readouterr().err
    assert told.count("https://host.example/fleet.git") == 3
    assert "Qz-secret" not in told


def test_nor_in_a_report_of_a_bug(capsys: pytest.CaptureFixture[str]) -> None:
    report_bug(ValueError("http://Qz-secret@host.example and ssh://git:Qz-secret@host.example"), ["ls", "-vv"])
    for told in (capsys.readouterr().err, (places.state() / "bug.log").read_text()):
        assert "http://host.example and ssh://git@host.example" in told
        assert "Qz-secret" not in told
