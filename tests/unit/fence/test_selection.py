from __future__ import annotations

import pytest

from karrots.fence import Decisions, canonical
from karrots.spec.fence_words import is_word

REPORT = ("CronJob", "shop", "report")


@pytest.mark.parametrize(
    ("word", "form"),
    [
        ("cronjob", "CronJob"),
        ("CRONJOBS", "CronJob"),
        ("ingresses", "Ingress"),
        ("cronjobs/report", "CronJob/report"),
        ("cronjob/shop/report", "CronJob/shop/report"),
        ("report", "report"),
        ("Widget/shop/report", "Widget/shop/report"),
    ],
)
def test_a_word_has_one_form(word: str, form: str) -> None:
    assert canonical(word) == canonical(form) == form


@pytest.mark.parametrize("word", ["CronJob", "report", "CronJob/report", "CronJob/shop/report"])
def test_each_word_that_means_it_opens_it(word: str) -> None:
    assert Decisions.of((), (), {}).held(*REPORT)
    assert not Decisions.of((), (), {word: "open"}).held(*REPORT)
    assert not Decisions.of([word], (), {}).held(*REPORT)
    assert Decisions.of((), (), {word: "open"}).held("Schedule", "shop", "nightly")


def test_what_is_always_closed_stays_so() -> None:
    assert Decisions.of((), ["CronJob"], {"CronJob/shop/report": "open"}).held(*REPORT)


def test_a_name_counts_before_a_kind_and_a_clusters_own_word_before_content() -> None:
    assert Decisions.of((), (), {"CronJob": "open", "report": "closed"}).held(*REPORT)
    assert not Decisions.of((), (), {"CronJob": "closed", "report": "open"}).held(*REPORT)
    assert Decisions.of(["CronJob"], (), {"CronJob/shop/report": "closed"}).held(*REPORT)
    assert not Decisions.of(["CronJob"], (), {"CronJob/shop/report": "closed"}).held("CronJob", "shop", "other")


def test_the_expression_has_the_same_levels_in_the_same_order() -> None:
    decisions = Decisions.of(["CronJob"], ["CronJob/shop/billing", "CronJob/shop/bills"], {"report": "open"})
    assert decisions.expression("kind", "ns", "n") == (
        "(((kind == 'CronJob' && ns == 'shop' && n in ['billing', 'bills'])) ? true :"
        " ((n in ['report']) ? false : ((kind in ['CronJob']) ? false : true)))"
    )
    assert Decisions().expression("kind", "ns", "n") == "true"


def test_what_cannot_be_meant_is_left_out() -> None:
    decisions = Decisions.of(
        ["CronJob"], ["Schedule/nightly"], {"report": "open", "Alert": "closed", "Widget/x": "open"}
    )
    assert decisions.expression("'CronJob'", "ns", "n") == (
        "((n in ['report']) ? false : (('CronJob' in ['CronJob']) ? false : true))"
    )
    assert decisions.expression("'Widget'", "ns", "n") == "((n in ['report'] || (n in ['x'])) ? false : true)"


@pytest.mark.parametrize("word", ["CronJob", "a", "CronJob/shop/report", "a.b-c"])
def test_a_word(word: str) -> None:
    assert is_word(word)


@pytest.mark.parametrize("word", ["", "a/b/c/d", "a'", 'x"]', "a b", "-a", "a/B", "a\n", "ä", "/a", "a/", "a" * 300])
def test_what_could_steer_an_expression_is_no_word(word: str) -> None:
    assert not is_word(word)
