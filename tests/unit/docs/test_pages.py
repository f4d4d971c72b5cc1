"""The pages under docs/ say what the program does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from karrots.cli.root import VERBS, load
from karrots.cli.topics import EXIT_CODES
from karrots.errors import ExitCode

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
VISIBLE = [name for name, verb in VERBS.items() if not verb.hidden]
LINK = re.compile(r"\[[^\]]+\]\(([^)#\s]+)(?:#[^)]*)?\)")


def _helps(name: str) -> dict[str, str]:
    """Words of each command at or below the verb -> its help as written; a group's own help has no example."""
    command = load(name)
    below: dict[str, Any] = getattr(command, "commands", {})
    if below:
        return {f"{name} {word}": str(each.help) for word, each in below.items()}
    return {name: str(command.help)}


def test_generated_pages_are_what_the_program_says() -> None:
    done = subprocess.run(
        [sys.executable, str(DOCS / "generate.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_page_is_the_same_in_another_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"COLUMNS": "57", "FORCE_COLOR": "1", "GITHUB_ACTIONS": "true", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR")
    test_generated_pages_are_what_the_program_says()


@pytest.mark.parametrize("name", VISIBLE)
def test_each_verb_shows_how_it_is_called(name: str) -> None:
    for words, text in _helps(name).items():
        _, heading, examples = text.partition("[bold]Examples[/]")
        assert heading, f"karrots {words} has no example"
        assert f"karrots {words}" in examples


@pytest.mark.parametrize("name", VISIBLE)
def test_each_verb_is_on_the_page_of_commands(name: str) -> None:
    page = (DOCS / "cli.md").read_text(encoding="utf-8")
    for words in (name, *_helps(name)):
        assert f"\n### karrots {words}\n" in page


def test_other_names_of_verbs_are_on_the_page_of_commands() -> None:
    page = (DOCS / "cli.md").read_text(encoding="utf-8")
    for name in set(VERBS) - set(VISIBLE):
        assert f"`karrots {name}` is the same." in page


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_has_a_short_help(name: str) -> None:
    assert VERBS[name].help.endswith(".")
    assert VERBS[name].help == str(load(name).help).strip().splitlines()[0], "help and list say the same"


@pytest.mark.parametrize("code", ExitCode)
def test_each_exit_status_is_documented(code: ExitCode) -> None:
    page = (DOCS / "exit-codes.md").read_text(encoding="utf-8")
    assert f"| {int(code)} | {EXIT_CODES[code]} |" in page


def _pages() -> list[str]:
    found = [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "changelog").rglob("*.md")]
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


@pytest.mark.parametrize("page", _pages())
def test_links_between_pages_lead_somewhere(page: str) -> None:
    file = ROOT / page
    targets = [target for target in LINK.findall(file.read_text(encoding="utf-8")) if "://" not in target]
    assert [target for target in targets if not (file.parent / target).exists()] == []


def test_every_decision_is_in_the_list() -> None:
    listed = LINK.findall((DOCS / "decisions" / "README.md").read_text(encoding="utf-8"))
    assert listed == sorted(path.name for path in (DOCS / "decisions").glob("0*.md"))


def test_the_disk_a_build_takes_is_one_figure() -> None:
    """What `karrots doctor` asks for is what people were told."""
    from karrots.engine.build import BUILD_BYTES, GB

    assert f"up to {BUILD_BYTES // GB} GB of free disk" in (DOCS.parent / "README.md").read_text(encoding="utf-8")
