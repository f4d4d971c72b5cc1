"""Two roots by what they mean."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from karrots.diff.terraform import Root, compare, flat, meant

FILE = 'resource "a" "b" {\n  name  = var.cluster_name\n  count = 2\n}\n'
VALUES = "cluster.auto.tfvars.json"
QA = Root(
    "qa", "local", {"main.tf": FILE}, {VALUES: {"kubernetes_version": "1.36", "nodes": {"default": {"count": 2}}}},
    {"endpoint": "https://127.0.0.1:1", "token": "hunter2-Zorro"}, frozenset({"token"}),
    {"cluster_name": "qa", "cluster_domain": "qa.example.com"}, frozenset({"cluster_name"}),
)  # fmt: skip
SALT = b"salt"


def story(**changes: Any) -> Root:
    identity = {"cluster_name": "story", "cluster_domain": "story.example.com"}
    return replace(QA, label="story", identity=identity, **changes)


def test_the_same_root_is_100_per_cent() -> None:
    found = compare(QA, story(), SALT)
    assert (found.departures, found.score.percent, found.score.total) == ((), 100.0, 5)


def test_spaces_comments_and_empty_lines_mean_nothing() -> None:
    text = '# made by hand\nresource "a" "b" {\n\n  name = var.cluster_name\n  // two\n  count = 2\n}\n'
    assert compare(QA, story(files={"main.tf": text}), SALT).departures == ()
    assert meant("a\n\n # x\n b   = 1\n") == [(1, "a"), (4, "b = 1")]


def test_a_line_is_told_with_where_it_stands_on_both_sides() -> None:
    (found,) = compare(
        QA, story(files={"main.tf": "# new\n" + FILE.replace("count = 2", "count = 3")}), SALT
    ).departures
    assert (found.path, found.change, found.a, found.b) == ("line 3", "changed", "count = 2", "count = 3")
    assert (found.origin_a.path, found.origin_a.line, found.origin_b.line) == ("terraform/main.tf", 3, 4)
    assert found.classed == "unexpected"


def test_a_file_that_one_side_has_alone() -> None:
    result = compare(QA, story(files={"main.tf": FILE, "own.tf": "# nothing\n"}), SALT)
    (found,) = result.departures
    assert (found.key.name, found.change, found.origin_b.path) == ("terraform/own.tf", "added", "terraform/own.tf")
    assert (result.score.equal, result.score.total) == (5.0, 6)
    (back,) = compare(story(files={"main.tf": FILE, "own.tf": ""}), QA, SALT).departures
    assert (back.change, back.origin_a.path) == ("removed", "terraform/own.tf")


def test_a_variable_by_its_key_and_an_override_is_expected() -> None:
    nodes = {VALUES: {"kubernetes_version": "1.36", "nodes": {"default": {"count": 3}}}}
    (found,) = compare(QA, story(values=nodes), SALT).departures
    assert (found.key.kind, found.path, found.a, found.b, found.classed) == (
        "variable", "nodes.default.count", "2", "3", "unexpected",
    )  # fmt: skip
    (found,) = compare(QA, story(values=nodes, overrides={"nodes.default.count": "3"}), SALT).departures
    assert (found.classed, found.origin_b.override) == ("expected", "nodes.default.count")


def test_identity_is_equal_wherever_it_stands() -> None:
    mine = replace(QA, values={"identity.auto.tfvars.json": {"cluster_name": "qa", "host": "x.qa.example.com"}})
    theirs = story(values={"identity.auto.tfvars.json": {"cluster_name": "story", "host": "x.story.example.com"}})
    assert compare(mine, theirs, SALT).departures == ()
    (found,) = compare(mine, replace(theirs, values={"identity.auto.tfvars.json": {"host": "other"}}), SALT).departures
    assert found.path == "host"


def test_outputs_that_differ_were_given_and_those_that_are_missing_are_not_expected() -> None:
    result = compare(QA, story(outputs={"endpoint": "https://127.0.0.1:2", "new": 1}), SALT)
    told = {each.key.name: (each.change, each.classed) for each in result.departures}
    assert told == {
        "endpoint": ("changed", "runtime"), "token": ("removed", "unexpected"), "new": ("added", "unexpected"),
    }  # fmt: skip
    assert compare(QA, story(outputs=None), SALT).departures == ()


def test_what_is_sensitive_is_not_told() -> None:
    result = compare(QA, story(outputs={**(QA.outputs or {}), "token": "swordfish-77"}), SALT)
    (found,) = result.departures
    assert found.a != found.b
    assert found.a.startswith("(sensitive")
    assert not [value for value in ("hunter2-Zorro", "swordfish-77") if value in repr(result)]


def test_of_two_providers_only_what_both_have_is_compared() -> None:
    far = story(provider="eks", files={"eks.tf": "x"}, values={VALUES: {"kubernetes_version": "1.35", "eks": {}}})
    result = compare(QA, far, SALT)
    assert [each.path for each in result.departures] == ["kubernetes_version"]
    (problem,) = result.problems
    assert "eks, nodes" in problem.message


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"a": [{"b": 1}, 2], "c": {}}, {"x.a[0].b": "1", "x.a[1]": "2", "x.c": "{}"}),
        (None, {"x": "null"}), ("null", {"x": "null"}), (True, {"x": "true"}), ([], {"x": "[]"}),
    ],
)  # fmt: skip
def test_values_by_their_paths(value: Any, told: dict[str, str]) -> None:
    assert flat(value, "x") == told


def test_there_and_back_is_the_mirror_image() -> None:
    other = story(values={VALUES: {"kubernetes_version": "1.35"}}, files={"b.tf": "x"})
    there, back = compare(QA, other, SALT), compare(other, QA, SALT)
    swapped = {"added": "removed", "removed": "added", "changed": "changed"}
    assert {(each.key, each.path, swapped[each.change], each.b, each.a) for each in there.departures} == {
        (each.key, each.path, each.change, each.a, each.b) for each in back.departures
    }
    assert there.score == back.score
