"""The objects as they are sent; what they do is shown on a real API server (tests/e2e/test_fence.py)."""

from __future__ import annotations

import pytest

from karrots.fence import Decisions, Terms
from karrots.fence.kinds import BY_WHAT_RUNS, MAKERS, SWITCHES
from karrots.fence.policies import DIGEST, MARK, PREFIX, egress, policies

TERMS = Terms("qa-story", "qa-story.example.com", addresses=("10.20.0.0/16", "fd00::/8"))
VERSIONS = ["v1", "v1beta1", ""]


@pytest.mark.parametrize("version", VERSIONS)
def test_each_policy_has_its_binding_and_each_object_its_mark(version: str) -> None:
    made = policies(TERMS, version)
    names = {(each["kind"], each["metadata"]["name"]) for each in made}
    assert len(names) == len(made)
    assert {(f"{kind}Binding", name) for kind, name in names if kind.endswith("Policy")} <= names
    for each in made:
        assert each["metadata"]["labels"] == MARK
        assert each["metadata"]["name"].startswith(PREFIX)
        assert each["metadata"]["annotations"][DIGEST]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_kind_has_a_policy(version: str) -> None:
    """Where nothing can be switched, a workload is held by its pods, so it has none of its own."""
    rules = {
        (group, plural)
        for each in policies(TERMS, version)
        for rule in each["spec"].get("matchConstraints", {}).get("resourceRules", [])
        for group in rule["apiGroups"]
        for plural in rule["resources"]
    }
    wanted = {(each.kind.group, each.kind.plural) for each in SWITCHES}
    wanted |= {(each.made_group, each.made) for each in MAKERS} | {("", "pods"), ("batch", "jobs")}
    workloads = {(each.kind.group, each.kind.plural) for each in BY_WHAT_RUNS if each.kind.group == "apps"}
    assert rules == (wanted | workloads if version else wanted)


def test_each_refusal_names_the_way_to_open_it() -> None:
    for each in policies(TERMS, ""):
        for rule in each["spec"].get("validations", []):
            assert "karrots fence qa-story --open" in rule["messageExpression"]
            assert "karrots fence qa-story" in rule["message"]


@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_is_let_by_where_a_policy_fails(version: str) -> None:
    assert {each["spec"]["failurePolicy"] for each in policies(TERMS, version) if each["kind"].endswith("Policy")} == {
        "Fail"
    }


def test_what_is_opened_changes_the_policy_and_its_digest() -> None:
    opened = Terms("qa-story", "qa-story.example.com", Decisions.of((), (), {"CronJob/shop/report": "open"}))
    plain = Terms("qa-story", "qa-story.example.com")
    (before,), (after,) = ([p for p in policies(t, "v1") if p["metadata"]["name"] == f"{PREFIX}-jobs"
                            and p["kind"] == "ValidatingAdmissionPolicy"] for t in (plain, opened))  # fmt: skip
    assert "n in ['report']" in after["spec"]["validations"][0]["expression"]
    assert before["metadata"]["annotations"][DIGEST] != after["metadata"]["annotations"][DIGEST]


def test_the_last_of_each_sort_is_one_that_can_be_asked_for() -> None:
    """They come into force in the order in which they were made."""
    made = [(each["kind"], each["metadata"]["name"]) for each in policies(TERMS, "v1")]
    last = dict(made)
    assert last["MutatingAdmissionPolicy"] == f"{PREFIX}-deployments"
    assert last["ValidatingAdmissionPolicy"] == f"{PREFIX}-jobs"


def test_all_but_the_parents_addresses_may_be_reached() -> None:
    (rule,) = egress(TERMS, "shop")["spec"]["egress"]
    assert rule["to"] == [
        {"namespaceSelector": {}},
        {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.20.0.0/16"]}},
        {"ipBlock": {"cidr": "::/0", "except": ["fd00::/8"]}},
    ]
