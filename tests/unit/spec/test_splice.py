from __future__ import annotations

import pytest
import yaml

from karrots.errors import UsageError
from karrots.spec import splice

FILE = """a: 1
# The services.
services: {}  # none yet

# What comes next.
terraform: rendered  # by us
"""
BLOCK = """services:
  # First of all.
  loki: {}  # logs
  cert-manager:
    issuer: staging
    # For whoever asks.
    email: |
      one
      two

  # The end of services.

# What comes next.
terraform: rendered
"""
LISTED = """kind: Kustomization
resources:
  - namespace.yaml
  # Last.
  - traffic.yaml  # in and out

# The end.
"""


def test_a_key_comes_after_the_last_one_and_comments_stay() -> None:
    once = splice.add_key(FILE, ("services", "loki"), {})
    assert once == FILE.replace("services: {}  # none yet\n", "services:  # none yet\n  loki: {}\n")
    twice = splice.add_key(once, ("services", "cert-manager"), {"issuer": "staging", "bucket": "01a"})
    assert 'loki: {}\n  cert-manager:\n    issuer: staging\n    bucket: "01a"\n\n# What comes next.\n' in twice
    assert splice.drop_key(splice.drop_key(twice, ("services", "loki")), ("services", "cert-manager")) == FILE


def test_a_key_after_a_block_of_text() -> None:
    added = splice.add_key(BLOCK, ("services", "kyverno"), {})
    assert "      two\n  kyverno: {}\n\n  # The end of services.\n" in added
    assert splice.drop_key(added, ("services", "kyverno")) == BLOCK
    assert yaml.safe_load(splice.drop_key(BLOCK, ("services", "cert-manager")))["services"] == {"loki": {}}
    assert "# First of all." in splice.drop_key(BLOCK, ("services", "loki"))


def test_an_option_below_a_key() -> None:
    assert '  loki:  # logs\n    size: "10Gi"\n' in splice.add_key(BLOCK, ("services", "loki", "size"), "10Gi")
    assert '      two\n    more: "true story"\n' in splice.add_key(
        BLOCK, ("services", "cert-manager", "more"), "true story"
    )


@pytest.mark.parametrize("group", ["services:\n", "services: ~\n", "services: null  # no\n", "", "services:  # x\n"])
def test_a_group_that_is_empty_or_not_there(group: str) -> None:
    text = splice.add_key(f"a: 1\n{group}", ("services", "loki"), {})
    assert yaml.safe_load(text) == {"a": 1, "services": {"loki": {}}}
    assert text.count("#") == group.count("#")


def test_the_last_line_may_lack_its_end() -> None:
    assert splice.add_key("services:\n  a: {}", ("services", "b"), {}) == "services:\n  a: {}\n  b: {}\n"


@pytest.mark.parametrize("text", ["services: {a: {}}\n", "services: [a]\n", "services: a\n"])
def test_what_is_written_in_one_line_is_left_to_people(text: str) -> None:
    with pytest.raises(UsageError, match=r"cannot edit 'services\.b'"):
        splice.add_key(text, ("services", "b"), {})


def test_a_key_of_a_line_is_not_taken_out_of_it() -> None:
    with pytest.raises(UsageError, match=r"cannot edit 'services\.a'"):
        splice.drop_key("services: {a: {}}\n", ("services", "a"))


def test_items_of_a_list() -> None:
    added = splice.add_item(LISTED, "resources", "loki")
    assert added == LISTED.replace("# in and out\n", "# in and out\n  - loki\n")
    assert splice.items(added, "resources") == ["namespace.yaml", "traffic.yaml", "loki"]
    assert splice.drop_item(added, "resources", "loki") == LISTED
    assert splice.drop_item(LISTED, "resources", "loki") == LISTED
    assert "# Last." in splice.drop_item(LISTED, "resources", "traffic.yaml")


def test_a_list_that_is_empty_or_becomes_it() -> None:
    assert splice.add_item("resources: []\n", "resources", "a") == "resources:\n  - a\n"
    assert splice.drop_item("resources:\n  - a\n", "resources", "a") == "resources: []\n"
    assert splice.add_item("kind: K\n", "resources", "a") == "kind: K\nresources:\n  - a\n"
    assert splice.add_item("resources:\n- a\n", "resources", "b") == "resources:\n- a\n- b\n"
    for text in ("resources: [a]\n", "resources: {a: 1}\n"):
        with pytest.raises(UsageError, match=r"cannot edit 'resources\.b'"):
            splice.add_item(text, "resources", "b")
    with pytest.raises(UsageError, match=r"cannot edit 'resources\.a'"):
        splice.drop_item("resources: [a]\n", "resources", "a")
