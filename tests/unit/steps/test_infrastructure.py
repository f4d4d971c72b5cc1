"""What a run's own Terraform root is made of."""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from karrots.adapters.terraform_events import Summary
from karrots.fleet.record import State
from karrots.providers.base import Leftover
from karrots.steps.content import committed, errors_of, findings
from karrots.steps.infrastructure import PlanInfrastructure, StateBehind, mended, rendered_files, without_strangers
from tests.support import repositories
from tests.support.variants import EKS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from karrots.fleet.record import Record
    from karrots.steps.context import Context

LOCK = "clusters/qa/terraform/.terraform.lock.hcl"
LOCKED = 'provider "registry.terraform.io/hashicorp/aws" {\n  version = "5.100.0"\n}\n'
MAIN = EKS["eks-main"]


def _context(folder: Path, files: dict[str, str], provider: str = "eks", **record: Any) -> Context:
    known: dict[str, Any] = {
        "workspace": SimpleNamespace(repo=repositories.repository(folder, {"karrots.yaml": "", **files})),
        "content": "HEAD",
        "content_directory": "clusters/qa",
        "spec": MAIN.spec,
        "provider": SimpleNamespace(NAME=provider),
        "record": dataclasses.replace(MAIN.record, **record),
    }
    return cast("Context", SimpleNamespace(**known))


def test_versions_of_providers_come_with_the_content(tmp_path: Path) -> None:
    texts = rendered_files(_context(tmp_path, {LOCK: LOCKED}))
    assert texts == {**MAIN.files(), ".terraform.lock.hcl": LOCKED}


def test_without_them_terraform_chooses(tmp_path: Path) -> None:
    assert rendered_files(_context(tmp_path, {})) == MAIN.files()


def test_on_another_provider_they_say_nothing(tmp_path: Path) -> None:
    assert ".terraform.lock.hcl" not in rendered_files(_context(tmp_path, {LOCK: LOCKED}, "local"))


def test_the_state_stays_where_the_record_says(tmp_path: Path) -> None:
    """Also when karrots.yaml has moved on since the cluster was made."""
    texts = rendered_files(_context(tmp_path, {}, state=State(backend="s3", key="k")))
    assert 'backend "s3" {}' in texts["versions.tf"]


def test_a_lock_file_is_no_stale_terraform(tmp_path: Path) -> None:
    """`karrots render` does not write one, and does not miss or mind one either."""
    head = "apiVersion: karrots.dev/v1\nkind: Cluster\nprovider: eks\n"
    rendered = {f"clusters/qa/terraform/{path}": text for path, text in MAIN.files().items()}
    files = {**rendered, LOCK: LOCKED, "clusters/qa/cluster.yaml": head + MAIN.cluster}
    repo = repositories.repository(tmp_path, files)
    found = findings(committed(repo, "HEAD", "clusters/qa"), "clusters/qa", MAIN.spec)
    assert [f for f in errors_of(found) if f.path.startswith("terraform/")] == []


class Strangers:
    """A provider that knows of these, and writes down what it is asked."""

    NAME = "eks"
    MEMORY = 0

    def __init__(self, *found: Leftover, imports: Mapping[str, str] | None = None) -> None:
        self.found = found
        self.wanted = imports or {}
        self.asked: list[str] = []

    def unknown(self, _record: Record, _state: object, _settings: object) -> tuple[Leftover, ...]:
        self.asked.append("unknown")
        return self.found

    def imports(
        self, _record: Record, strangers: tuple[Leftover, ...], _settings: object, spec: object
    ) -> Mapping[str, str]:
        assert (strangers, spec) == (self.found, MAIN.spec)
        return self.wanted

    def untaint(self, *_: object) -> tuple[str, ...]:
        self.asked.append("untaint")
        return ()

    def lost(self, _record: Record) -> tuple[str, ...]:
        return ("x.y",)

    def reclaim(self, _record: Record, _footprint: object, _settings: object, state: object) -> None:
        self.asked.append(f"reclaim but for {state}")


HELD = {"resources": [{"mode": "managed", "instances": [{}]}]}
NETWORK = Leftover("VPC", "vpc-1")


def _going(provider: Strangers, *, root: Path | None = None, spec: object = MAIN.spec) -> Context:
    notes: list[str] = []
    run = SimpleNamespace(resume="karrots create qa", note=notes.append, progress=notes.append)
    known = {"provider": provider, "record": MAIN.record, "section": None, "run": run}
    return cast("Context", SimpleNamespace(**known, footprint=None, spec=spec, root=SimpleNamespace(folder=root)))


@pytest.mark.parametrize("held", [HELD, {}])
def test_more_than_the_state_knows_is_told_before_anything_is_changed(held: dict[str, Any]) -> None:
    provider = Strangers(NETWORK)
    with pytest.raises(StateBehind) as told:
        mended(_going(provider), held)
    assert "VPC vpc-1" in told.value.why
    assert told.value.hint == f"karrots destroy {MAIN.record.name}\nkarrots create qa"
    assert provider.asked == ["unknown"]


def test_what_terraform_can_take_over_is_imported(tmp_path: Path) -> None:
    """In a root that is karrots' own; in somebody's, nobody knows where it belongs."""
    provider = Strangers(Leftover("EKS cluster", "qa (ACTIVE)"), imports={"aws_eks_cluster.cluster": "qa"})
    assert mended(_going(provider, root=tmp_path), HELD) == ("x.y",)
    text = (tmp_path / "karrots_import.tf.json").read_text()
    assert json.loads(text) == {"import": [{"to": "aws_eks_cluster.cluster", "id": "qa"}]}
    ejected = MAIN.spec.model_copy(update={"terraform": "ejected"})
    with pytest.raises(StateBehind):
        mended(_going(provider, root=tmp_path, spec=ejected), HELD)


def test_where_the_state_knows_all_of_it_the_operation_goes_on() -> None:
    provider = Strangers()
    assert mended(_going(provider), HELD) == ("x.y",)
    assert provider.asked == ["unknown", "untaint"]


@pytest.mark.parametrize(("goes_on", "asked"), [(False, []), (True, ["state", "unknown", "untaint"])])
def test_for_a_new_cluster_nobody_is_asked(goes_on: bool, asked: list[str]) -> None:
    """It has no state yet, and reading one takes a start of Terraform."""
    provider = Strangers()
    plan = SimpleNamespace(counts=Summary("plan"))

    def state() -> dict[str, Any]:
        provider.asked.append("state")
        return HELD

    known = {"init": lambda: None, "state": state, "plan": lambda **_: plan}
    ctx = _going(provider)
    vars(ctx).update(root=SimpleNamespace(**known), goes_on=goes_on, plan=None)
    assert PlanInfrastructure().run(ctx) == "+0 ~0 -0"
    assert provider.asked == asked


def test_a_destroy_takes_away_first_what_the_state_does_not_know() -> None:
    provider = Strangers(NETWORK)
    assert without_strangers(_going(provider), HELD) == ()
    assert provider.asked == ["unknown", f"reclaim but for {HELD}"]
    nothing = Strangers()
    without_strangers(_going(nothing), HELD)
    assert nothing.asked == ["unknown"]
