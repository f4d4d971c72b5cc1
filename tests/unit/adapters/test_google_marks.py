"""Marks of GKE's controllers, read from names of things that clusters had."""

from __future__ import annotations

import pytest

from karrots.adapters import google_marks
from karrots.adapters.google_inventory import Whose
from tests.support.variants import VARIANTS

UID = "b74c81ed5ad4dc2c"
SERVICE = "a93c0db644e0a4cec8a22ebaff38c356"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("k8s2-fs-cv7jfe6h-tekton-pipelines-tekton-ingress-hoobrnfc", {"second cv7jfe6h"}),
        ("k8s2-cv7jfe6h-shop-web-hoobrnfc", {"second cv7jfe6h"}),
        ("k8s2-tcp-cv7jfe6h-shop-web-hoobrnfc", {"second cv7jfe6h"}),
        ("k8s2-cv7jfe6h-l4-shared-hc-fw", {"second cv7jfe6h"}),
        ("k8s1-b74c81ed-default-el-terraform-eventlistener-8080-d05e280c", {"first b74c81ed"}),
        (f"k8s-be-30933--{UID}", {"first b74c81ed"}),
        (f"k8s-fw-l7--{UID}", {"first b74c81ed"}),
        (f"k8s-ig--{UID}", {"first b74c81ed"}),
        (f"k8s-{UID}-node", {"first b74c81ed"}),
        (f"k8s-{UID}-node-http-hc", {"first b74c81ed"}),
        (SERVICE, {f"service {SERVICE}"}),
        (f"k8s-fw-{SERVICE}", {f"service {SERVICE}"}),
        (f"k8s-{SERVICE}-http-hc", {f"service {SERVICE}"}),
        ("gkegw1-4v0d-adminer-adminer-hl-8080-a1b2c3", set()),
        ("k8s2-short-x", set()),
        ("my-backend", set()),
        ("api", set()),
    ],
)
def test_what_the_parts_of_a_load_balancer_have_in_common(name: str, words: set[str]) -> None:
    assert google_marks.words(name, "") == words


def test_endpoint_groups_say_more() -> None:
    note = '{"cluster-uid":"19b9b1a7-4859-4a49-a3af-2e9bd22c277f","namespace":"store","port":"8080"}'
    assert google_marks.words("k8s1-4f946e07-store-store-8080-7b705079", note) == {
        "first 4f946e07",
        "uid 19b9b1a7-4859-4a49-a3af-2e9bd22c277f",
    }


def test_the_label_and_the_names_say_the_same_number() -> None:
    """Of one cluster, as its disks and its firewall rules had it."""
    labels = {"goog-gke-cluster-id-base32": "u73evtkmjveu5e3nbd5lgel66rneey2titvuwrmuoejjqr3wuxha"}
    number = google_marks.number_of(labels)
    assert len(number) == 64
    ((name, digits),) = google_marks.numbered(["gke-primary-gke-cluster-a7f64acd-node"])
    assert name == "primary-gke-cluster"
    assert number.startswith(digits)


@pytest.mark.parametrize("text", ["", "!", "a", "ünicode"])
def test_what_is_no_number(text: str) -> None:
    assert google_marks.number_of({"goog-gke-cluster-id-base32": text}) == ""


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("gke-qa-1a2b3c4d-all", {("qa", "1a2b3c4d")}),
        ("gke-qa-two-1a2b3c4d-inkubelet", {("qa-two", "1a2b3c4d")}),
        ("gke-qa-deadbeef-1a2b3c4d-node", {("qa-deadbeef", "1a2b3c4d")}),
        ("gke-qa-1a2b3c4d", set()),
        ("gke-looking", set()),
        ("let-me-in", set()),
    ],
)
def test_rules_and_tags_are_named_after_the_cluster(name: str, found: set[tuple[str, str]]) -> None:
    assert google_marks.numbered([name]) == found


def test_the_root_says_the_id_where_the_sweep_looks_for_it() -> None:
    files = next(it for name, it in sorted(VARIANTS.items()) if name.startswith("gke-pools")).files()
    text = "\n".join(text for path, text in files.items() if path.endswith(".tf"))
    whose = Whose("qa", "${var.cluster_id}", "r", "p")
    assert text.count(f'= "{whose.note}"') == 3  # the network and two accounts
