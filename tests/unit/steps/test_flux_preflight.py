"""What preflight says of Flux and of its git access before a cluster in a cloud is made."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from karrots.fleet.workspace import Workspace
from karrots.pipeline import Run
from karrots.report.reporters import RecordingReporter
from karrots.spec import flux_components
from karrots.steps import preflight, syncing
from karrots.steps.content import other_flux
from karrots.steps.context import Context
from tests.support import flux_manifest, repositories
from tests.support.private_host import PrivateHost, private_host
from tests.support.records import record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "s3cret-token"
FLEET = "apiVersion: karrots.dev/v1\nkind: Fleet\ndomain: example.com\ngit:\n  remote: origin\n  access: {access}\n"
CLUSTER = (
    "apiVersion: karrots.dev/v1\nkind: Cluster\nprovider: eks\nkubernetes: '1.36'\nnodes: {default: {count: 1}}\n"
    "flux: {version: VERSION}\n"
)
FILE = f"clusters/qa/{flux_components.FILE}"


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[PrivateHost]:
    (tmp_path / "hosted").mkdir()
    with private_host(tmp_path / "hosted", TOKEN) as host:
        yield host


def context(
    tmp_path: Path,
    access: str = "{}",
    *,
    provider: str = "eks",
    version: str = "2.9",
    manifest: str = "",
    verb: str = "create",
) -> Context:
    files = {
        "karrots.yaml": FLEET.replace("{access}", access),
        "clusters/qa/cluster.yaml": CLUSTER.replace("VERSION", version),
        **({FILE: manifest} if manifest else {}),
    }
    repo = repositories.repository(tmp_path / "fleet", files)
    repositories.bare_remote(tmp_path / "hosted/shared.git", repo.root)
    commit = repo.head().commit or ""
    place: Any = SimpleNamespace(NAME=provider, git_access=lambda *_: None)
    workspace = Workspace(repo, repo.root)
    run = Run.begin("01run", verb, "qa", RecordingReporter())
    spec = workspace.spec_at(commit, "clusters/qa", {})
    return Context(workspace, run, record("qa", branch="main"), place, spec, commit, commit, lambda _: False)


def token(host: PrivateHost, monkeypatch: pytest.MonkeyPatch, password: str = TOKEN) -> str:
    monkeypatch.setenv("FLEET_TOKEN", password)
    return f"{{url: '{host.url()}', token: {{env: FLEET_TOKEN, username: ada}}}}"


def test_a_cloud_needs_a_manifest_and_the_engine_does_not(tmp_path: Path) -> None:
    (row,) = preflight.flux_components(context(tmp_path, version="2.9.5"))
    assert not row.ok
    assert f"'{FILE}' is not in the commit" in row.found
    assert row.hint.startswith("karrots flux pin 2.9.5 clusters/qa && git add clusters/qa && git commit")


def test_on_the_engine_there_is_nothing_to_say(tmp_path: Path) -> None:
    ctx = context(tmp_path, provider="local")
    assert preflight.flux_components(ctx) == []
    assert preflight.flux_git(ctx) == []


def test_a_minor_version_is_not_one_that_can_be_pinned(tmp_path: Path) -> None:
    (row,) = preflight.flux_components(context(tmp_path))
    assert row.hint.startswith("karrots flux pin 2.9.N ")


def test_a_manifest_that_is_fine(tmp_path: Path) -> None:
    (row,) = preflight.flux_components(context(tmp_path, manifest=flux_manifest.small()))
    assert (row.ok, row.found) == (True, "2.9.5, 2 controllers")


def test_a_manifest_that_is_none(tmp_path: Path) -> None:
    (row,) = preflight.flux_components(context(tmp_path, manifest="kind: Deployment\n"))
    assert not row.ok
    assert "is not Flux's components" in row.found


@pytest.mark.parametrize(("asked", "fits"), [("2.9", True), ("2.9.5", True), ("2.8", False), ("2.9.4", False)])
def test_the_version_of_cluster_yaml_is_the_one_of_the_manifest(asked: str, fits: bool, tmp_path: Path) -> None:
    ctx = context(tmp_path, version=asked)
    stamped = f"# Flux Version: v2.9.5\n{flux_manifest.small()}".encode()
    found = other_flux({flux_components.FILE: stamped}, ctx.spec)
    assert [(f.rule, f.severity) for f in found] == ([] if fits else [("other-flux", "error")])
    assert other_flux({}, ctx.spec) == []


def test_the_branch_is_where_flux_will_look(
    hosted: PrivateHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ctx = context(tmp_path, token(hosted, monkeypatch))
    (row,) = preflight.flux_git(ctx)
    assert (row.ok, row.found) == (True, f"{hosted.url()}, main at {ctx.commit[:10]}")
    assert TOKEN not in repr(row)
    assert not any(TOKEN in line for line in hosted.seen)


def test_what_was_not_pushed(hosted: PrivateHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ctx = context(tmp_path, token(hosted, monkeypatch))
    pushed = ctx.commit
    ctx.commit = repositories.commit(tmp_path / "fleet", {"new": "x"})
    (row,) = preflight.flux_git(ctx)
    assert not row.ok
    assert f"main is at {pushed[:10]} there, and not at {ctx.commit[:10]}" in row.found
    assert row.hint.startswith("git push origin main")
    ctx.record = replace(ctx.record, branch="story")
    (row,) = preflight.flux_git(ctx)
    assert "story is not there" in row.found
    assert row.hint == "git push origin story"


def test_what_a_branch_pushes_itself(hosted: PrivateHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ctx = context(tmp_path, token(hosted, monkeypatch), verb="branch")
    ctx.record = replace(ctx.record, branch="story")
    (row,) = preflight.flux_git(ctx)
    assert (row.ok, row.found) == (True, f"{hosted.url()}, story is going to be pushed")


def test_a_token_that_is_not_let_in(hosted: PrivateHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (row,) = preflight.flux_git(context(tmp_path, token(hosted, monkeypatch, "wrong")))
    assert not row.ok
    assert "does not let Flux's log-in in" in row.found
    assert row.hint == "git.access in karrots.yaml: does this log-in read the repository?"


def test_a_remote_that_no_cloud_can_read(hosted: PrivateHost, tmp_path: Path) -> None:
    (row,) = preflight.flux_git(context(tmp_path))
    assert not row.ok
    assert "a cluster cannot read a folder of this computer" in row.found
    assert row.hint == "set git.access.url in karrots.yaml"


def test_the_secret_is_asked_for_once(hosted: PrivateHost, tmp_path: Path) -> None:
    counter = tmp_path / "count"
    program = tmp_path / "token"
    program.write_text(f"#!/bin/sh\necho x >> {counter}\nprintf %s {TOKEN}\n")
    program.chmod(0o755)
    access = f"{{url: '{hosted.url()}', token: {{command: ['{program}'], username: ada}}}}"
    ctx = context(tmp_path, access)
    assert preflight.flux_git(ctx)[0].ok
    assert syncing.sync_of(ctx).access.secret == {"username": "ada", "password": TOKEN}
    assert counter.read_text() == "x\n"
