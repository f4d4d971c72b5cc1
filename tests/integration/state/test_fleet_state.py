"""States in S3 from the fleet's side: chosen at draft, kept by the record, removed by destroy, looked at by doctor."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from karrots import places
from karrots.adapters import terraform
from karrots.errors import ExitCode
from karrots.fleet import operations
from karrots.fleet.record import State
from karrots.fleet.workspace import Workspace
from karrots.ops.bringup import Options, draft
from karrots.pipeline import Done, Needed, Run
from karrots.providers import PROVIDERS
from karrots.render.fleet import FleetOptions, render
from karrots.report.reporters import RecordingReporter
from karrots.steps import state_check
from karrots.steps.context import Context
from karrots.steps.infrastructure import ApplyInfrastructure, DestroyInfrastructure, PlanInfrastructure, PlanRemoval
from karrots.steps.infrastructure import RenderRoot as Render
from karrots.steps.removal import RemoveState
from tests.support import repositories
from tests.support.command_line import karrots
from tests.support.s3 import ACCOUNT, BUCKET, OFFLINE, QUICK, REGION, S3

if TYPE_CHECKING:
    from pathlib import Path

    from karrots.providers.base import Provider

FLEET = f"""
  eks:
    account: "{ACCOUNT}"
    region: {REGION}
    state:
      bucket: {BUCKET}
"""
# It says another backend than the record, and the record decides.
ROOT = """
terraform {
  backend "http" {}
}
variable "cluster_id" { type = string }
resource "terraform_data" "cluster" { input = var.cluster_id }
output "id" { value = terraform_data.cluster.output }
"""


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    root = tmp_path / "fleet"
    files = render(FleetOptions(), places.templates())
    rendered = {path: text for path, text in files.items() if "/terraform/" not in path}
    spec = rendered["clusters/qa/cluster.yaml"]
    spec = spec.replace("provider: local", "provider: eks").replace("terraform: rendered", "terraform: ejected")
    content = {
        **rendered,
        "karrots.yaml": rendered["karrots.yaml"].replace("  local: {}\n", "  local: {}\n" + FLEET),
        "clusters/qa/cluster.yaml": spec.replace("    count: 2", "    size: t3.large\n    count: 2"),
        "clusters/qa/terraform/main.tf": ROOT,
    }
    repositories.repository(root, content)
    return root


@pytest.fixture
def eks(monkeypatch: pytest.MonkeyPatch) -> Provider:
    """A provider of which nothing but its name is asked."""
    made = SimpleNamespace(
        NAME="eks", CLUSTER_RESOURCES=(), variables=lambda *_: {}, lost=lambda *_: (), unknown=lambda *_: (), MEMORY=0,
        preflight=lambda *_: [],
    )  # fmt: skip
    monkeypatch.setitem(PROVIDERS, "eks", cast("Provider", made))
    return cast("Provider", made)


@pytest.fixture
def ctx(fleet: Path, eks: Provider, s3: S3) -> Context:
    """In the middle of a creation; its record also says to Terraform that the server is no AWS."""
    workspace = Workspace.open(fleet)
    commit = workspace.repo.head().commit or ""
    made = draft(workspace, Options({}), name="qa", directory="clusters/qa", branch="main", commit=commit, parent=None)
    assert made.state is not None
    kept = replace(made.state, settings={**made.state.settings, **OFFLINE, **QUICK})
    claimed = workspace.ledger.claim("qa", lambda _: replace(made, state=kept))
    run = Run.begin(operations.started_here("create").id, "create", "qa", RecordingReporter(), resume="karrots create")
    spec = workspace.spec_at(commit, "clusters/qa", {})
    return Context(workspace, run, claimed, eks, spec, commit, commit, lambda _: True)


def walk(ctx: Context, *steps: Any) -> None:
    for step in steps:
        found = step.check(ctx)
        if isinstance(found, Needed):
            step.run(ctx)
            assert isinstance(step.check(ctx), Done), step.name


def removed(ctx: Context) -> Context:
    """As a destroy begins: from the record alone."""
    workspace = Workspace.open(ctx.workspace.start)
    record = workspace.ledger.get("qa")
    run = Run.begin(operations.started_here("destroy").id, "destroy", "qa", RecordingReporter())
    return Context(workspace, run, record, ctx.provider, ctx.spec, ctx.commit, ctx.content, lambda _: True)


def test_a_draft_says_where_the_state_is(ctx: Context, fleet: Path, eks: Provider) -> None:
    workspace = Workspace.open(fleet)
    made = draft(
        workspace, Options({}), name="two", directory="clusters/qa", branch="b", commit=ctx.commit, parent=None
    )
    assert made.state == State(
        backend="s3",
        key=f"karrots/{made.id}.tfstate",
        settings={"bucket": BUCKET, "region": REGION, "use_lockfile": "true", "encrypt": "true"},
    )
    local = draft(
        workspace,
        Options({}, on="local"),
        name="x",
        directory="clusters/qa",
        branch="b",
        commit=ctx.commit,
        parent=None,
    )
    assert local.state == State(backend="http", key=local.id)


@pytest.mark.parametrize("fleet_changes", ["nothing", "another bucket", "no state any more"])
def test_a_cluster_comes_and_goes(ctx: Context, s3: S3, fleet: Path, fleet_changes: str) -> None:
    walk(ctx, Render(), PlanInfrastructure(), ApplyInfrastructure(flux=False))
    assert ctx.outputs == {"id": ctx.record.id}
    key = f"karrots/{ctx.record.id}.tfstate"
    assert s3.objects() == [key]
    settings = fleet / "karrots.yaml"
    if fleet_changes == "another bucket":
        settings.write_text(settings.read_text().replace(BUCKET, "another"))
    elif fleet_changes == "no state any more":
        settings.write_text(settings.read_text().replace(f"    state:\n      bucket: {BUCKET}\n", ""))
    going = removed(ctx)
    walk(going, Render(), PlanRemoval(), DestroyInfrastructure(), RemoveState())
    assert going.receipt["terraform"] == {"resources": 0, "state": f"s3://{BUCKET}/{key}"}
    assert s3.objects() == []
    assert not (places.terraform_states() / ctx.record.id).exists()


@pytest.mark.parametrize("killed", ["before the object goes", "before the notes go"])
def test_a_destroy_that_was_killed_while_it_removed_the_state(
    ctx: Context, s3: S3, killed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk(ctx, Render(), PlanInfrastructure(), ApplyInfrastructure(flux=False))
    going = removed(ctx)
    walk(going, Render(), PlanRemoval(), DestroyInfrastructure())
    place = "S3Bucket.remove" if killed == "before the object goes" else "StateStore.remove"
    with monkeypatch.context() as patch:
        patch.setattr(f"karrots.steps.state.{place}", interrupt)
        with pytest.raises(KeyboardInterrupt):
            RemoveState().run(going)
    again = removed(ctx)
    walk(again, Render(), PlanRemoval(), DestroyInfrastructure(), RemoveState())
    assert s3.objects() == []


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_cluster_of_which_nothing_was_made_can_be_removed(ctx: Context, s3: S3) -> None:
    going = removed(ctx)
    walk(going, Render(), PlanRemoval(), DestroyInfrastructure(), RemoveState())
    assert s3.objects() == []


def test_before_a_cluster_is_made_the_bucket_is_looked_at(ctx: Context, s3: S3) -> None:
    (row,) = state_check.reachable(ctx)
    assert row.ok
    assert row.found.startswith(f"s3://{BUCKET} in {REGION}")
    s3.client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    (row,) = state_check.reachable(ctx)
    assert row.ok, "it holds nobody up"
    assert "versioning: versions suspended" in row.found
    ctx.record = replace(ctx.record, account="999999999999")
    (row,) = state_check.reachable(ctx)
    assert (row.ok, row.found) == (False, f"s3://{BUCKET} does not belong to account 999999999999")
    ctx.record = replace(ctx.record, account=ACCOUNT)
    s3.client.delete_bucket(Bucket=BUCKET)
    (row,) = state_check.reachable(ctx)
    assert (row.ok, row.found) == (False, f"s3://{BUCKET} does not exist")
    assert "karrots doctor --repair" in row.hint
    assert state_check.reachable(replace(ctx, record=replace(ctx.record, state=None))) == []


def test_an_old_terraform_cannot_lock_in_s3(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = replace(terraform.locate(), version="1.9.8", release=(1, 9, 8))
    monkeypatch.setattr(terraform, "locate", lambda: tool)
    (row,) = state_check.reachable(ctx)
    assert (row.ok, row.found) == (False, "terraform 1.9.8 cannot lock a state in S3")
    assert row.hint == "install terraform 1.10 or later"


def test_doctor_says_what_a_bucket_lacks_and_makes_it(fleet: Path, s3: S3) -> None:
    s3.client.delete_bucket(Bucket=BUCKET)
    found = karrots("doctor", "-o", "json", cwd=fleet, expect=ExitCode.PREFLIGHT_FAILED).document["checks"]
    (state,) = [check for check in found if check["what"].startswith("state of eks")]
    assert (state["ok"], state["found"]) == (False, f"s3://{BUCKET} does not exist")
    assert [line.split()[:3] for line in state["hint"].splitlines()] == [
        ["aws", "s3api", "create-bucket"],
        ["aws", "s3api", "put-bucket-versioning"],
        ["aws", "s3api", "put-bucket-encryption"],
        ["aws", "s3api", "put-public-access-block"],
    ]
    listed = karrots("doctor", "--repair", "--dry-run", "-o", "json", cwd=fleet, expect=ExitCode.LEFTOVERS).document
    assert [finding["kind"] for finding in listed["left"]] == ["state bucket"]
    assert s3.client.list_buckets()["Buckets"] == [], "listing changes nothing"
    done = karrots("doctor", "--repair", "--yes", "-o", "json", cwd=fleet).document
    assert done["left"] == []
    assert s3.client.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    after = karrots("doctor", "-o", "json", cwd=fleet, expect=None).document["checks"]
    assert {check["what"]: check["ok"] for check in after if check["what"].startswith("state of eks")} == {
        f"state of eks: {what}": True for what in ("bucket", "versioning", "encryption", "public access", "lock")
    }
    assert s3.objects() == [], "nothing of the trial is left"
    assert s3.client.list_object_versions(Bucket=BUCKET).get("Versions", []) == []


def test_a_bucket_of_somebody_else_is_left_alone(fleet: Path, s3: S3) -> None:
    settings = fleet / "karrots.yaml"
    settings.write_text(settings.read_text().replace(ACCOUNT, "999999999999"))
    done = karrots("doctor", "--repair", "--yes", "-o", "json", cwd=fleet, expect=ExitCode.LEFTOVERS).document
    ((what, mending),) = [(finding["what"], finding["mending"]) for finding in done["left"]]
    assert what == f"s3://{BUCKET}, bucket: s3://{BUCKET} does not belong to account 999999999999"
    assert mending == ""
    assert done["mended"] == []


def test_nobody_is_logged_in(fleet: Path, s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    found = karrots("doctor", "-o", "json", cwd=fleet, expect=ExitCode.PREFLIGHT_FAILED).document["checks"]
    (state,) = [check for check in found if check["what"].startswith("state of eks")]
    assert "AWS does not know who is asking" in state["found"]
    assert "aws sso login" in state["hint"]


def test_terraform_by_hand_finds_the_state(ctx: Context) -> None:
    from karrots.steps.state import settings_by_hand

    words = settings_by_hand(ctx.record)["TF_CLI_ARGS_init"].split()
    assert f"-backend-config=bucket={BUCKET}" in words
    assert f"-backend-config=key=karrots/{ctx.record.id}.tfstate" in words
