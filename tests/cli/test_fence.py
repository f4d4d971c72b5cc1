"""`karrots fence` and what `lint` and `branch` say of it, where no cluster answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from karrots.cli.fence import kinds
from karrots.errors import ExitCode

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine, Fleet

MANY = f"open: [{', '.join(f'a{number}' for number in range(201))}]"
JOB = """apiVersion: batch/v1
kind: CronJob
metadata: {name: report, namespace: shop}
spec: {schedule: 0 1 * * *, jobTemplate: {spec: {template: {spec: {containers: []}}}}}
"""
HOST = """apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: www, namespace: shop}
spec: {rules: [{host: www.example.org}]}
"""


def test_what_content_says_is_shown_when_the_cluster_does_not_answer(peopled: Fleet, karrots: CommandLine) -> None:
    peopled.tell_story(JOB, HOST)
    found = karrots("fence", "story", "-o", "json", cwd=peopled.qa).document
    assert (found["kind"], found["cluster"], found["parent"], found["asked"]) == ("Fence", "story", "qa", False)
    assert [(i["kind"], i["name"], i["state"], i["hold"]) for i in found["items"]] == [
        ("CronJob", "report", "held", "denied"),
        ("Ingress", "www", "not held", "nothing"),
    ]
    text = karrots("fence", "story", cwd=peopled.qa).out
    assert "the cluster did not answer" in text
    assert "flux/apps/told.yaml:1" in text
    names = karrots("fence", "story", "-o", "name", cwd=peopled.qa).out
    assert names.split() == ["CronJob/shop/report", "Ingress/shop/www"]


def test_cluster_yaml_opens_in_every_copy(peopled: Fleet, karrots: CommandLine) -> None:
    peopled.tell_story(JOB, HOST, settings="fence: {open: [cronjobs, Ingress/shop/www]}\n")
    found = karrots("fence", "story", "-o", "json", cwd=peopled.qa).document
    assert {i["state"] for i in found["items"]} == {"open"}
    assert karrots("lint", "-o", "json", cwd=peopled.qa).document["findings"] == []


def test_lint_is_the_same_walk(peopled: Fleet, karrots: CommandLine) -> None:
    peopled.tell_story(JOB)
    (held,) = karrots("lint", "-o", "json", cwd=peopled.qa).document["findings"]
    assert (held["rule"], held["severity"], held["object"]) == ("held-in-copies", "warning", "CronJob/report")
    peopled.tell_story(HOST)
    found = karrots("lint", "--ref", "HEAD", "-o", "json", cwd=peopled.qa, expect=ExitCode.DIFFERENCES).document
    (loose,) = found["findings"]
    assert (loose["rule"], loose["severity"]) == ("not-for-copies", "error")
    assert "fence: {open: [Ingress/shop/www]}" in loose["fix_hint"]


@pytest.mark.parametrize("word", ["CronJob", "CronJob/shop/report", "report"])
def test_what_is_always_closed_is_not_opened(word: str, peopled: Fleet, karrots: CommandLine) -> None:
    peopled.tell_story(JOB, settings=f"fence: {{closed: [{word}]}}\n")
    told = karrots("fence", "story", "--open", "cronjob/shop/report", cwd=peopled.qa, expect=ExitCode.REFUSED)
    assert f"names '{word}' below fence.closed" in told.err


def test_a_cluster_that_is_no_copy_has_nothing_to_open(peopled: Fleet, karrots: CommandLine) -> None:
    told = karrots("fence", "qa", "--close", "CronJob", cwd=peopled.qa, expect=ExitCode.REFUSED)
    assert "cluster 'qa' has no fence" in told.err
    assert karrots("fence", "qa", cwd=peopled.qa).out.startswith("qa is not a copy")


@pytest.mark.parametrize("word", ["", "a'b", "x'] || true", "Cron Job", "a/b/c/d", "../x", "$(id)", "ä"])
def test_a_word_that_is_none(word: str, peopled: Fleet, karrots: CommandLine) -> None:
    before = peopled.picture()
    told = karrots("fence", "story", "--open", word, cwd=peopled.qa, expect=ExitCode.USAGE)
    assert "cannot be opened or closed" in told.err
    assert peopled.picture() == before


def test_more_than_an_api_server_takes(peopled: Fleet, karrots: CommandLine) -> None:
    words = [word for number in range(201) for word in ("--close", f"Deployment/shop/a{number}")]
    told = karrots("fence", "story", *words, cwd=peopled.qa, expect=ExitCode.USAGE)
    assert "more than 200 things" in told.err


def test_a_name_nobody_has(peopled: Fleet, karrots: CommandLine) -> None:
    peopled.tell_story(JOB)
    told = karrots("fence", "story", "--open", "reprot", cwd=peopled.qa, expect=ExitCode.NOT_FOUND)
    assert "did you mean 'report'?" in told.err


@pytest.mark.parametrize("entry", ["open: [a b]", "closed: 'x'", "addresses: [10.0.0.0/99]", "opened: []", MANY])
def test_a_fence_in_cluster_yaml_that_is_none(entry: str, peopled: Fleet, karrots: CommandLine) -> None:
    peopled.tell_story(JOB, settings=f"fence: {{{entry}}}\n")
    assert "fence" in karrots("lint", cwd=peopled.qa, expect=ExitCode.USAGE).err


def test_kinds_are_completed() -> None:
    assert [kind for kind, _ in kinds("cron")] == ["CronJob"]
    assert len(list(kinds(""))) > 5
