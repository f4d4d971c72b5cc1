"""What people read of a comparison."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import pytest

from karrots.diff.document import Differences, groups, ordered
from karrots.diff.model import Origin
from karrots.diff.text import compared_lines, headline, many, names, percent, place, summary, text
from tests.unit.diff.samples import (
    FRONT,
    GONE,
    HOSTILE,
    IMAGE,
    LEVEL,
    OPENED,
    REPLICAS,
    difference,
    hostile,
    same,
)

WHOLE = """\
qa → story: 1 file of content differ, zero-diff 96.42 %

LEVEL     ZERO-DIFF     OBJECTS  DIFFER  UNEXPECTED  EXPECTED  RUNTIME
content   97.50 %       40       1       1           0         0
rendered  96.42 %       28       3       3           1         0
live      not compared  -        -       -           -         -
! live: story: no right to list secrets
    try: kubectl auth can-i list secrets

rendered: 3 objects differ

  Service/shop/edge
    ~ spec.type
        !! exposes: it is reached from outside
        ClusterIP → LoadBalancer
        unexpected: nothing says that it should differ

  ConfigMap/shop/front-settings
    ~ data.nginx
         a
        -b
        +B
         c
        unexpected: nothing says that it should differ
    ~ data.log_level
        info → trace
        expected: an override in the record
        from override variables.log_level

  Deployment.apps/shop/front
    ~ spec.template.spec.containers[name=front].image
        shop/front:1.5.0 → shop/front:1.6.0
        unexpected: nothing says that it should differ
        from flux/apps/front/deployment.yaml:14, Kustomization flux-system/apps (qa)
        from flux/apps/front/deployment.yaml:15, Kustomization flux-system/apps (story)
        changed since the fork point in story alone

live: 2 objects differ

  Service/shop/edge
    - the whole object
        !! deletes: it goes
        unexpected: nothing says that it should differ

  Deployment.apps/shop/front
    ~ spec.replicas
        2 → 5
        unexpected: nothing says that it should differ
        from Kustomization flux-system/apps (qa)
        from Kustomization flux-system/apps, written by kubectl-scale (story)
"""


def test_summary_first_then_level_by_level_riskiest_first() -> None:
    told = text(difference(), None)
    assert told.startswith(WHOLE), told
    rest = told.removeprefix(WHOLE)
    assert rest.startswith("\ndiff --git a/flux/apps/front/deployment.yaml")
    assert "\noverrides\n  variables.log_level  - → trace\n" in rest
    assert rest.endswith("\nidentity (always differs)\n  cluster_name  qa → story\n")


def test_nothing_else_than_the_headline_and_scores_when_nothing_differs() -> None:
    told = text(same(), None)
    assert told.startswith("qa → story: same content, zero-diff 100 %\n")
    assert "content  100 %      40       0       0           0         0\n" in told
    assert "diff --git" not in told


def test_tables_fit_a_terminal_of_80_columns() -> None:
    assert max(map(len, summary(difference(), 80).partition("diff --git")[0].splitlines())) <= 80


def test_one_line_an_object_in_the_summary() -> None:
    told = summary(difference(), None)
    assert "rendered  Service/shop/edge              exposes  1 unexpected\n" in told
    assert "rendered  ConfigMap/shop/front-settings  -        1 unexpected, 1 expected\n" in told
    assert "live      Service/shop/edge              deletes  1 unexpected\n" in told


def test_several_are_a_table_first() -> None:
    told = many(Differences("qa", (difference(), same())), None)
    head, first, second = told.splitlines()[:3]
    assert head.split() == ["COMPARED", "WITH", "qa", "ZERO-DIFF", "UNEXPECTED", "EXPECTED", "LEVELS"]
    assert first.split()[:3] == ["story", "96.42", "%"]
    assert second.split()[:3] == ["story", "100", "%"]
    assert told.count("\nqa → story: ") == 2


def test_where_nothing_could_be_compared_no_score_is_told() -> None:
    silent = replace(difference(), scores=difference().scores[2:], percent=100.0)
    assert headline(silent) == "qa → story: nothing could be compared\n"


@pytest.mark.parametrize(("value", "said"), [(100.0, "100 %"), (99.99, "99.99 %"), (0.0, "0.00 %"), (97.5, "97.50 %")])
def test_a_score(value: float, said: str) -> None:
    assert percent(value) == said


def test_order_is_by_risk_then_class_within_each_level() -> None:
    told = ordered([LEVEL, IMAGE, OPENED, REPLICAS, GONE])
    assert [(each.level, each.key.name, each.risk) for each in told] == [
        ("rendered", "edge", "exposes"),
        ("rendered", "front", ""),
        ("rendered", "front-settings", ""),
        ("live", "edge", "deletes"),
        ("live", "front", ""),
    ]
    assert [group.key for group in groups(told)][1] == FRONT


def test_names_for_scripts() -> None:
    assert names(difference())[:2] == ["flux/apps/front/deployment.yaml", "Service/shop/edge"]


def test_a_long_text_is_cut_and_says_so() -> None:
    lines = compared_lines("\n".join(f"a{n}" for n in range(900)), "\n".join(f"b{n}" for n in range(900)))
    assert len(lines) < 60
    assert lines[-1].endswith(" more")


def test_every_origin_has_its_words() -> None:
    origin = REPLICAS.origin_b
    assert place(Origin(manager="kubectl-create")) == "written by kubectl-create"
    assert place(Origin("a.yaml", 3, "x/apps", "x/front", "nodes.default.count")) == (
        "from a.yaml:3, Kustomization x/apps, HelmRelease x/front, override nodes.default.count"
    )
    assert place(origin) == "from Kustomization flux-system/apps, written by kubectl-scale"


@pytest.mark.parametrize("evil", HOSTILE)
def test_nothing_steers_the_terminal_or_breaks_a_line(evil: str) -> None:
    for told in (text(hostile(evil), 80), summary(hostile(evil), 80)):
        body = told.partition("diff --git")[0]
        assert not [c for c in body if c not in "\n\t" and unicodedata.category(c) in ("Cc", "Cf", "Cs")]
    body = text(hostile(evil), 80).partition("diff --git")[0]
    assert len(body.splitlines()) == body.count("\n")
