from __future__ import annotations

import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from karrots.errors import UsageError
from karrots.fleet.names import YAML_WORDS, check_branch, check_name, derived_name, is_name

NAME = re.compile(r"^[a-z]([a-z0-9-]{0,26}[a-z0-9])?$", re.ASCII)


@pytest.mark.parametrize("name", ["a", "qa", "qa-feature-1234", "q1", "a" * 28])
def test_good_names_pass(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    ("name", "why", "hint"),
    [
        ("", "it is empty", "use a name such as 'qa-feature-1234'"),
        ("QA", "only small letters, digits and '-' are allowed", "use 'qa'"),
        ("1qa", "it must start with a letter", "use 'c-1qa'"),
        ("-qa", "it must start with a letter", "use 'qa'"),
        ("qa-", "it must not end in '-'", "use 'qa'"),
        ("a" * 29, "it has 29 characters, 28 are allowed", "use 'aaaaaaaaaaaaaaaaaaaaa-"),
        ("--upload-pack=x", "only small letters, digits and '-' are allowed", "use 'upload-pack-x'"),
        ("$(id)", "only small letters, digits and '-' are allowed", "use 'id'"),
        ("../x", "only small letters, digits and '-' are allowed", "use 'x'"),
        ("qä", "only small letters, digits and '-' are allowed", "use 'q'"),
        ("qa\n", "only small letters, digits and '-' are allowed", "use 'qa'"),
        ("шоп", "only small letters, digits and '-' are allowed", "use a name such as"),
        ("x" * 300, "it has 300 characters, 28 are allowed", "use 'xxx"),
    ],
)
def test_bad_names_say_what_is_wrong_and_suggest_a_good_one(name: str, why: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_name(name)
    assert caught.value.why == why
    assert caught.value.hint.startswith(hint)


def test_a_hostile_name_is_shown_on_one_short_line() -> None:
    with pytest.raises(UsageError) as caught:
        check_name("a\x1b[31m\n" * 100)
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 200


def test_a_derived_name_reads_as_directory_and_branch() -> None:
    assert derived_name("clusters/qa", "feature/JIRA-1234") == "qa-feature-jira-1234"
    assert derived_name("clusters/qa/", "feature/JIRA-1234") == "qa-feature-jira-1234"


def test_long_branches_do_not_meet_in_one_name() -> None:
    names = {derived_name("clusters/qa", f"feature/a-very-long-story-about-{end}") for end in ("x", "y", "z")}
    assert len(names) == 3
    assert derived_name("clusters/qa", "feature/a-very-long-story-about-x") == "qa-feature-a-very-lon-3265d1"


@given(directory=st.text(max_size=60), branch=st.text(max_size=300))
def test_derived_names_are_names_and_stay_the_same(directory: str, branch: str) -> None:
    name = derived_name(directory, branch)
    assert NAME.match(name)
    assert is_name(name)
    assert derived_name(directory, branch) == name


@given(st.text(max_size=40))
def test_a_name_is_accepted_exactly_by_the_documented_pattern_but_for_words_of_yaml(text: str) -> None:
    good = bool(NAME.match(text)) and not text.endswith("\n") and text not in YAML_WORDS
    assert is_name(text) == good


@pytest.mark.parametrize("word", sorted(YAML_WORDS))
def test_a_word_that_yaml_takes_for_something_else_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a cluster") as error:
        check_name(word)
    assert "YAML" in error.value.why
    assert is_name(error.value.hint.removeprefix("use '").removesuffix("'"))


@pytest.mark.parametrize(
    "branch",
    ["123", "1e3", "1_000", "0x1f", "0o17", "0b10", "1.5", "on", "No", "TRUE", "null", "y", "1e-3", "007"],
)
def test_a_branch_that_yaml_reads_as_something_else_is_refused(branch: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_branch(branch)
    assert "YAML reads it" in caught.value.why
    assert caught.value.hint == f"karrots branch feature/{branch}"


@pytest.mark.parametrize(
    "branch", ["feature/123", "v1.4", "1.2.3", "release-1", "123-fix", "2026-11-21", "online", "e3"]
)
def test_a_branch_that_yaml_reads_as_text_is_taken(branch: str) -> None:
    assert check_branch(branch) == branch


@given(st.from_regex(r"[a-z0-9_]{1,6}(\.[a-z0-9_]{0,4})?(e-?[0-9]{1,3})?", fullmatch=True))
def test_a_branch_that_is_taken_is_text_to_a_reader_of_yaml(branch: str) -> None:
    try:
        check_branch(branch)
    except UsageError:
        return
    assert isinstance(yaml.safe_load(f"a: {branch}")["a"], str)
