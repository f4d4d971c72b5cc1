"""What content leaves open of an EKS cluster: the parent's as it is, then the cluster's own."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from karrots.adapters.aws_things import ID
from karrots.providers import eks
from karrots.providers.base import Origin
from tests.integration.aws.test_preflight import of_parent, rows, spec
from tests.integration.aws.test_sweep import record
from tests.support.aws import Asked, Cloud, Said, json_said, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from karrots.fleet.record import Record

COREDNS, PROXY = "v1.13.2-eksbuild.1", "v1.36.0-eksbuild.2"
THEIRS = {"coredns": COREDNS, "kube-proxy": PROXY, "metrics-server": "v0.8.0-eksbuild.1"}
PARENT = record("parent", network="10.99.0.0/16")
CHILD = of_parent(PARENT)


def having(*clusters: tuple[Record, str, Mapping[str, str]]) -> Callable[[Asked], Said | None]:
    """EKS with these clusters, their versions and their add-ons."""
    known: dict[str, Any] = {}
    for of, version, addons in clusters:
        about = {"name": of.name, "arn": "arn:x", "status": "ACTIVE", "version": version, "tags": {ID: of.id}}
        known[f"GET /clusters/{of.name}"] = {"cluster": about}
        known[f"GET /clusters/{of.name}/addons"] = {"addons": list(addons)}
        for name, found in addons.items():
            addon = {"addonName": name, "addonVersion": found, "status": "ACTIVE"}
            known[f"GET /clusters/{of.name}/addons/{name}"] = {"addon": addon}

    def answer(asked: Asked) -> Said | None:
        return json_said(known[asked.action]) if asked.action in known else None

    return answer


def defaults(text: str = "", *, parent: Record | None = PARENT, of: Record = CHILD, **more: Any) -> dict[str, str]:
    found = eks.variables(of, None, Path(), Origin(parent, spec(text), **more))["defaults"]
    return dict(found)


def test_add_ons_that_content_leaves_open_are_as_the_parents(cloud: Cloud) -> None:
    """Only those that the root installs."""
    cloud.front.script = having((PARENT, "1.36", THEIRS))
    assert defaults() == {"coredns": COREDNS, "kube-proxy": PROXY}
    assert defaults("eks: {addons: {coredns: v1.12.1-eksbuild.2}}\n") == {"kube-proxy": PROXY}
    assert defaults("eks: {auto_mode: true}\n") == {}


def test_what_is_there_stays_as_it_is(cloud: Cloud) -> None:
    """The parent has moved on, or was behind from the start; what a stopped run did not make is as there."""
    own = {"coredns": "v1.14.0-eksbuild.1"}
    cloud.front.script = having((PARENT, "1.36", THEIRS), (CHILD, "1.36", own))
    assert defaults() == {**own, "kube-proxy": PROXY}
    assert defaults(parent=None) == own


@pytest.mark.parametrize(
    "changes", [{"id": record("x").id}, {"name": "gone"}, {"region": "us-east-1"}, {"account": "210987654321"},
                {"provider": "gke"}]
)  # fmt: skip
def test_a_parent_that_is_not_there_gives_nothing(cloud: Cloud, changes: dict[str, Any]) -> None:
    cloud.front.script = having((PARENT, "1.36", THEIRS))
    assert defaults(parent=replace(PARENT, **changes)) == {}


def test_a_parent_of_another_version_gives_nothing(cloud: Cloud) -> None:
    cloud.front.script = having((PARENT, "1.35", THEIRS))
    assert defaults() == {}


def test_where_nothing_will_be_made_nobody_is_asked(cloud: Cloud) -> None:
    cloud.front.script = having((PARENT, "1.36", THEIRS))
    assert defaults(removing=True) == {}
    assert eks.variables(CHILD, None, Path())["defaults"] == {}
    assert cloud.front.asked == []


@pytest.mark.parametrize("code", ["AccessDeniedException", "UnrecognizedClientException", "InvalidRequestException"])
def test_a_parent_that_cannot_be_asked_is_no_error(cloud: Cloud, code: str) -> None:
    cloud.front.script = lambda asked: refused(code) if asked.service == "eks" else None
    assert defaults() == {}


def test_nobody_logged_in_is_no_error(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    assert defaults() == {}


def test_garbage_is_no_error(cloud: Cloud) -> None:
    cloud.front.script = lambda asked: json_said({"cluster": 1}) if asked.service == "eks" else None
    assert defaults() == {}


def test_preflight_says_what_is_taken(cloud: Cloud) -> None:
    cloud.front.script = having((PARENT, "1.36", THEIRS))
    row = rows(of=CHILD, parent=PARENT)["from the parent"]
    assert (row.ok, row.found) == (True, f"coredns {COREDNS}, kube-proxy {PROXY}")
    assert "from the parent" not in rows()


def test_preflight_says_why_nothing_is_taken(cloud: Cloud) -> None:
    cloud.front.script = having((PARENT, "1.35", THEIRS))
    row = rows(of=CHILD, parent=PARENT)["from the parent"]
    assert (row.ok, row.found) == (True, "nothing of 'parent' fits: what content leaves open is new")
    far = rows(of=CHILD, parent=replace(PARENT, region="us-east-1"))["from the parent"]
    assert far.ok
    assert "somewhere else (eks us-east-1 " in far.found
    theirs = having((PARENT, "1.36", THEIRS))
    addon = re.compile(r"GET /clusters/parent/addons/.+")
    cloud.front.script = lambda asked: (
        refused("AccessDeniedException") if addon.fullmatch(asked.action) else theirs(asked)
    )
    row = rows(of=CHILD, parent=PARENT)["from the parent"]
    assert row.ok
    assert row.found.startswith("not looked at: ")
    assert "eks:DescribeAddon" in json.dumps([row.found, row.hint])


def test_of_a_cluster_that_is_made_nothing_is_taken_any_more(cloud: Cloud) -> None:
    cloud.front.script = having((PARENT, "1.36", THEIRS), (CHILD, "1.36", {}))
    assert "from the parent" not in rows(of=CHILD, parent=PARENT)
